"""Platform action events: what the shop's bridge is asked to do, and its answer.

Source: domain.md 2, Acting.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.types import Count, Id, Short, Text, Whole

ActionKind = Literal[
    "extend_receipt", "set_flag", "adjust_price", "close_order", "agree_refund", "refuse_refund", "send_chat",
    "reply_review",
]  # fmt: skip
ActionArgs = Annotated[dict[Short, Text | Whole | bool | None], Meta(max_length=50)]


class PlatformActionRequested(Struct, frozen=True, kw_only=True):
    """The bridge is to do this once. `args` by kind:

    extend_receipt {order_id, days}; set_flag {order_id, colour, memo}; adjust_price {order_id, line_id?,
    price_fen?, postage_fen?}; close_order {order_id, line_id?, reason}; agree_refund {refund_id,
    amount_fen?}; refuse_refund {refund_id, reason}; send_chat {conversation_id?, text}; reply_review
    {review_id, text}. For send_chat `action_id` is the care_id.
    """

    TYPE: ClassVar[str] = "platform.action_requested"
    VERSION: ClassVar[int] = 1

    action_id: Id
    kind: ActionKind
    args: ActionArgs


class PlatformActionDone(Struct, frozen=True, kw_only=True):
    """The platform did it. `platform_ref`: its own number, e.g. of the chat message."""

    TYPE: ClassVar[str] = "platform.action_done"
    VERSION: ClassVar[int] = 1

    action_id: Id
    kind: ActionKind
    platform_ref: Short | None = None
    attempts: Count = 1


class PlatformActionFailed(Struct, frozen=True, kw_only=True):
    """The platform refused for good."""

    TYPE: ClassVar[str] = "platform.action_failed"
    VERSION: ClassVar[int] = 1

    action_id: Id
    kind: ActionKind
    error: Short
    attempts: Count = 1


class PlatformActionUnknown(Struct, frozen=True, kw_only=True):
    """The request left and no answer came: done or not, nobody knows; never again by itself."""

    TYPE: ClassVar[str] = "platform.action_unknown"
    VERSION: ClassVar[int] = 1

    action_id: Id
    kind: ActionKind
    error: Short = ""
    attempts: Count = 1


EVENTS = (PlatformActionRequested, PlatformActionDone, PlatformActionFailed, PlatformActionUnknown)
