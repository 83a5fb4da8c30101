"""Chat events (接待): what was said in a conversation and how well it was answered. Source: domain.md 3."""

from typing import ClassVar, Literal

from msgspec import Struct

from schemas.types import Count, Fen, Id, Ids, Millis, Sha256, Short, Text, Time

MessageKind = Literal["text", "image", "file", "order_card", "product_card"]
Stage = Literal["greet", "ask", "analyse", "recommend", "negotiate", "help", "verify", "farewell"]
"""问好, 提问, 分析, 推荐, 谈判, 帮助, 核实, 告别."""
Intent = Literal[
    "price", "authenticity", "stock", "ship_time", "trace", "change_address", "cancel", "return_exchange",
    "wrong_item", "missing", "damaged", "quality", "usage", "invoice", "complaint", "praise", "human", "ack",
    "bargaining", "opt_out",
]  # fmt: skip
"""The phrase files of texts.md; `opt_out` is 退订, which ends consent (domain.md 4)."""


class MessageReceived(Struct, frozen=True, kw_only=True):
    """The buyer wrote. `agent_id`: whom it was addressed to. `offline`: left off-hours (离线留言).

    `sku`: the product of a product card (商品卡片); `order_id`: the order of an order card (订单卡片).
    """

    TYPE: ClassVar[str] = "chat.message_received"
    VERSION: ClassVar[int] = 1

    message_id: Id
    conversation_id: Id
    kind: MessageKind = "text"
    text: Text
    agent_id: Id | None = None
    order_id: Id | None = None
    sku: Id | None = None
    offline: bool = False


class MessageSent(Struct, frozen=True, kw_only=True):
    """The shop wrote. `agent_id` is `bot` and `auto` true for 店小蜜 and auto-replies (自动回复).

    `care_id`: the care message that this is the platform's copy of.
    """

    TYPE: ClassVar[str] = "chat.message_sent"
    VERSION: ClassVar[int] = 1

    message_id: Id
    conversation_id: Id
    kind: MessageKind = "text"
    text: Text
    agent_id: Id
    auto: bool = False
    care_id: Id | None = None


class MessageRecalled(Struct, frozen=True, kw_only=True):
    """A message was taken back (撤回). Records name neither it nor a time: then `message_id` is absent."""

    TYPE: ClassVar[str] = "chat.message_recalled"
    VERSION: ClassVar[int] = 1

    conversation_id: Id
    message_id: Id | None = None
    by: Literal["buyer", "shop"]


class ConversationOpened(Struct, frozen=True, kw_only=True):
    """The first message after a pause began a conversation. `channel`: 旺旺/千牛, 咚咚, 飞鸽."""

    TYPE: ClassVar[str] = "chat.conversation_opened"
    VERSION: ClassVar[int] = 1

    conversation_id: Id
    channel: Literal["wangwang", "dongdong", "feige", "pdd", "other"]


class ConversationClosed(Struct, frozen=True, kw_only=True):
    """Closed after 30 min of silence, or at the end of the service interval as left hanging.

    Times are working time in ms, bots apart; a response time is absent if nobody answered. `questions_asked`:
    need questions (提问). `recommended`: a related recommendation (关联推荐). `order_ids`: orders it led to.
    """

    TYPE: ClassVar[str] = "chat.conversation_closed"
    VERSION: ClassVar[int] = 1

    conversation_id: Id
    channel: Literal["wangwang", "dongdong", "feige", "pdd", "other"]
    last_speaker: Literal["buyer", "agent", "bot"]
    left_hanging: bool = False
    rounds: Count
    first_response_ms: Millis | None = None
    average_response_ms: Millis | None = None
    longest_wait_ms: Millis
    questions_asked: Count
    greeted: bool
    recommended: bool
    farewelled: bool
    agents: Ids = ()
    order_ids: Ids = ()


class ReplyRecorded(Struct, frozen=True, kw_only=True):
    """An unanswered cycle was answered: working ms from its first unanswered message, credited to who
    replied.

    `since_transfer_ms`: the part of it after the last transfer. `first`: the conversation's first response.
    """

    TYPE: ClassVar[str] = "chat.reply_recorded"
    VERSION: ClassVar[int] = 1

    conversation_id: Id
    cycle: Count
    agent_id: Id
    by_bot: bool
    latency_ms: Millis
    first: bool
    since_transfer_ms: Millis | None = None


class ReplyOverdue(Struct, frozen=True, kw_only=True):
    """A rung of the reply ladder was reached: nudge 20 s, warn 30 s, breach 60 s. Each once a cycle.

    `message_id`: the first unanswered message. `agent_id`: who should answer; absent if nobody is assigned.
    """

    TYPE: ClassVar[str] = "chat.reply_overdue"
    VERSION: ClassVar[int] = 1

    conversation_id: Id
    cycle: Count
    level: Literal["nudge", "warn", "breach"]
    waited_ms: Millis
    message_id: Id
    agent_id: Id | None = None


class StageReached(Struct, frozen=True, kw_only=True):
    """A stage of the conversation was first reached, recognised by the phrase files."""

    TYPE: ClassVar[str] = "chat.stage_reached"
    VERSION: ClassVar[int] = 1

    conversation_id: Id
    stage: Stage
    agent_id: Id | None = None
    message_id: Id | None = None


class IntentDetected(Struct, frozen=True, kw_only=True):
    """What the buyer wants, and the phrase that said so (texts.md, Intents)."""

    TYPE: ClassVar[str] = "chat.intent_detected"
    VERSION: ClassVar[int] = 1

    conversation_id: Id
    message_id: Id
    intent: Intent
    phrase: Short


class Bargained(Struct, frozen=True, kw_only=True):
    """A bargaining round (议价): bargaining messages between two shop messages. The 3rd is escalated."""

    TYPE: ClassVar[str] = "chat.bargained"
    VERSION: ClassVar[int] = 1

    conversation_id: Id
    round: Count
    message_id: Id | None = None
    agent_id: Id | None = None


class PromiseMade(Struct, frozen=True, kw_only=True):
    """An agent promised something due at `due_at`; beyond the limits `within_authority` is false.

    A promise recorded by command may have no conversation: `order_id` or `case_id` is what it is about then.
    """

    TYPE: ClassVar[str] = "chat.promise_made"
    VERSION: ClassVar[int] = 1

    promise_id: Id
    conversation_id: Id | None = None
    message_id: Id | None = None
    order_id: Id | None = None
    case_id: Id | None = None
    agent_id: Id
    what: Literal["gift", "discount", "compensation", "time"]
    note: Text = ""
    amount_fen: Fen | None = None
    within_authority: bool
    grant_id: Id | None = None
    due_at: Time


class RuleBroken(Struct, frozen=True, kw_only=True):
    """An agent said what is never said (texts.md): a reward for a review or off-platform diversion (引流);
    or claimed a grant (已向主管申请) that does not exist."""

    TYPE: ClassVar[str] = "chat.rule_broken"
    VERSION: ClassVar[int] = 1

    conversation_id: Id
    message_id: Id
    agent_id: Id
    rule: Literal["review_reward", "off_platform", "grant_claimed"]
    phrase: Short


class Transferred(Struct, frozen=True, kw_only=True):
    """A conversation went to a colleague of the same main account (转接).

    `approved_by` unless the shift is ending.
    """

    TYPE: ClassVar[str] = "chat.transferred"
    VERSION: ClassVar[int] = 1

    conversation_id: Id
    from_agent: Id
    to_agent: Id
    reason: Short
    approved_by: Id | None = None
    grant_id: Id | None = None


class HandedOver(Struct, frozen=True, kw_only=True):
    """At the end of a shift (交接) this unfinished work went to one colleague, with its log.

    Buyer lane `-`.
    """

    TYPE: ClassVar[str] = "chat.handed_over"
    VERSION: ClassVar[int] = 1

    from_agent: Id
    to_agent: Id
    conversations: Ids = ()
    orders: Ids = ()
    cases: Ids = ()
    promises: Ids = ()
    escalations: Ids = ()
    note: Text = ""


class Archived(Struct, frozen=True, kw_only=True):
    """All sub-accounts' records of a period (`2025-09`, `2025-W38`, `2025-09-19`) were archived (存档)."""

    TYPE: ClassVar[str] = "chat.archived"
    VERSION: ClassVar[int] = 1

    period: Id
    file: Short
    sha256: Sha256
    messages: Count


EVENTS = (
    MessageReceived, MessageSent, MessageRecalled, ConversationOpened, ConversationClosed, ReplyRecorded,
    ReplyOverdue, StageReached, IntentDetected, Bargained, PromiseMade, RuleBroken, Transferred, HandedOver,
    Archived,
)  # fmt: skip
