"""Chat facts: what a platform says of a message. The contract's events without the conversation, which is ours."""

from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct

from schemas import chat
from schemas.types import Id, Text

ChatChannel = Literal["wangwang", "dongdong", "feige", "pdd", "other"]
"""旺旺/千牛, 咚咚, 飞鸽: where the conversation takes place, as in `chat.conversation_opened`."""

BOT = "bot"
"""The agent id under which 店小蜜 and auto-replies (自动回复) speak."""

MAIN = "main"
"""The agent id under which a shop's main account (主号) itself speaks; its name is also a nick, so it is no id."""


class _Said(Struct, frozen=True, kw_only=True):
    """What each fact says beside the event's own fields; `channel` counts where the fact opens a conversation."""

    channel: ChatChannel = "other"

    def fields(self, conversation_id: str) -> dict[str, Any]:
        """The fields of the contract's event."""
        said = msgspec.structs.asdict(self)
        del said["channel"]
        return {**said, "conversation_id": conversation_id}


class BuyerWrote(_Said, frozen=True, kw_only=True):
    """`chat.message_received`, as a platform knows it."""

    TYPE: ClassVar[str] = chat.MessageReceived.TYPE

    message_id: Id
    kind: chat.MessageKind = "text"
    text: Text
    agent_id: Id | None = None
    order_id: Id | None = None
    sku: Id | None = None
    offline: bool = False

    def event(self, conversation_id: str) -> chat.MessageReceived:
        return chat.MessageReceived(**self.fields(conversation_id))


class ShopWrote(_Said, frozen=True, kw_only=True):
    """`chat.message_sent`, as a platform knows it. What the agent `bot` says is automatic, whether said so or not."""

    TYPE: ClassVar[str] = chat.MessageSent.TYPE

    message_id: Id
    kind: chat.MessageKind = "text"
    text: Text
    agent_id: Id
    auto: bool = False
    care_id: Id | None = None

    def event(self, conversation_id: str) -> chat.MessageSent:
        fields = self.fields(conversation_id)
        return chat.MessageSent(**{**fields, "auto": self.auto or self.agent_id == BOT})


class TakenBack(_Said, frozen=True, kw_only=True):
    """`chat.message_recalled` (撤回), as a platform knows it; often without the message's id."""

    TYPE: ClassVar[str] = chat.MessageRecalled.TYPE

    message_id: Id | None = None
    by: Literal["buyer", "shop"]

    def event(self, conversation_id: str) -> chat.MessageRecalled:
        return chat.MessageRecalled(**self.fields(conversation_id))


FACTS = (BuyerWrote, ShopWrote, TakenBack)
