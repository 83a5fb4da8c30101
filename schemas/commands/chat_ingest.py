"""Commands of chat_ingest: agents and shifts, conversations, promises, the FAQ book, buyers."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.agent import RosterRows
from schemas.buyer import AliasKind
from schemas.faq import FaqCategory
from schemas.types import MAX_ITEMS, BuyerId, Count, Digest, Fen, Id, Ref, Short, Text, Texts, Time


class SignIn(Struct, frozen=True, kw_only=True):
    """The agent begins to work under a main account (主号)."""

    NAME: ClassVar[str] = "sign_in"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("already_in",)

    agent_id: Id
    main_account: Id


class SignOut(Struct, frozen=True, kw_only=True):
    """The agent goes; everything unfinished must have been handed over."""

    NAME: ClassVar[str] = "sign_out"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("unfinished_work",)

    agent_id: Id


class HangUp(Struct, frozen=True, kw_only=True):
    """Take the agent out of routing (挂起)."""

    NAME: ClassVar[str] = "hang_up"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("buyer_waiting", "no_grant")

    agent_id: Id
    reason: Short
    grant_id: Id | None = None


class Resume(Struct, frozen=True, kw_only=True):
    """Put a hung-up agent back into routing."""

    NAME: ClassVar[str] = "resume"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("not_hung_up",)

    agent_id: Id


class PublishRoster(Struct, frozen=True, kw_only=True):
    """Publish a roster (排班). Broken rules are all named; `override_reason` publishes it all the same."""

    NAME: ClassVar[str] = "publish_roster"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("rule_broken",)

    main_account: Id
    rows: RosterRows
    override_reason: Short | None = None


class GrantLeave(Struct, frozen=True, kw_only=True):
    """Give leave (请假)."""

    NAME: ClassVar[str] = "grant_leave"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("too_few_on_duty",)

    agent_id: Id
    starts_at: Time
    ends_at: Time


class Transfer(Struct, frozen=True, kw_only=True):
    """Give a conversation to a colleague (转接)."""

    NAME: ClassVar[str] = "transfer"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("no_reason", "no_grant", "other_main_account", "target_absent")

    conversation_id: Id
    to_agent: Id
    reason: Short
    grant_id: Id | None = None


class HandOverItem(Struct, frozen=True, kw_only=True):
    """One unfinished thing and who takes it."""

    item: Ref
    to_agent: Id


class HandOver(Struct, frozen=True, kw_only=True):
    """Give everything unfinished to named colleagues (交接).

    Items without a taker refuse it and are listed.
    """

    NAME: ClassVar[str] = "hand_over"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("no_taker",)

    from_agent: Id
    items: Annotated[tuple[HandOverItem, ...], Meta(max_length=MAX_ITEMS)]
    note: Text = ""


class RecordPromise(Struct, frozen=True, kw_only=True):
    """Write down what was promised about a conversation, order or case."""

    NAME: ClassVar[str] = "record_promise"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("beyond_authority",)

    ref: Ref
    what: Literal["gift", "discount", "compensation", "time"]
    note: Text = ""
    amount_fen: Fen | None = None
    due_at: Time
    grant_id: Id | None = None


class SettlePromise(Struct, frozen=True, kw_only=True):
    """Say that a promise was kept or broken."""

    NAME: ClassVar[str] = "settle_promise"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("settled",)

    promise_id: Id
    kept: bool


class PutFaq(Struct, frozen=True, kw_only=True):
    """Write an entry. `version`: the one that was read, 0 for a new entry."""

    NAME: ClassVar[str] = "put_faq"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("forbidden_text",)

    entry_id: Id
    category: FaqCategory
    questions: Texts
    answer: Text
    version: Count


class RetireFaq(Struct, frozen=True, kw_only=True):
    """Take an entry out. `version`: the one that was read."""

    NAME: ClassVar[str] = "retire_faq"
    REJECTIONS: ClassVar[tuple[str, ...]] = ()

    entry_id: Id
    version: Count


class PutPhrase(Struct, frozen=True, kw_only=True):
    """Write a quick phrase (快捷短语). `version`: the one that was read, 0 for a new phrase."""

    NAME: ClassVar[str] = "put_phrase"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("forbidden_text",)

    phrase_id: Id
    category: Short
    situation: Short = ""
    text: Text
    version: Count


class SettleCandidate(Struct, frozen=True, kw_only=True):
    """Accept a candidate question as an entry, or reject it. `answer`, `category`: needed to accept."""

    NAME: ClassVar[str] = "settle_candidate"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("settled", "forbidden_text")

    candidate_id: Id
    decision: Literal["accept", "reject"]
    category: FaqCategory | None = None
    answer: Text | None = None


class LinkBuyer(Struct, frozen=True, kw_only=True):
    """Say that a nick's lane and a buyer are one."""

    NAME: ClassVar[str] = "link_buyer"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("linked_elsewhere",)

    alias_kind: AliasKind = "nick"
    alias_digest: Digest
    open_id: BuyerId
    evidence: Short


class UnlinkBuyer(Struct, frozen=True, kw_only=True):
    """Undo a link."""

    NAME: ClassVar[str] = "unlink_buyer"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("linked_elsewhere",)

    alias_kind: AliasKind = "nick"
    alias_digest: Digest
    open_id: BuyerId
    evidence: Short


class NoteBuyer(Struct, frozen=True, kw_only=True):
    """Note a field of the customer file (客户档案).

    A field that is not stored is refused, so it is a text here.
    """

    NAME: ClassVar[str] = "note_buyer"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("field_not_stored",)

    buyer: BuyerId
    field: Short
    value: Short


class ExportArchive(Struct, frozen=True, kw_only=True):
    """Archive (存档) a period that is over: `2025-09`, `2025-W38` or `2025-09-19`."""

    NAME: ClassVar[str] = "export_archive"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("period_open",)

    period: Id


class ForgetBuyer(Struct, frozen=True, kw_only=True):
    """Erase a buyer everywhere. Open orders, cases and promises refuse it and are listed."""

    NAME: ClassVar[str] = "forget_buyer"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("open_business",)

    buyer: BuyerId
    reason: Short


COMMANDS = (
    SignIn, SignOut, HangUp, Resume, PublishRoster, GrantLeave, Transfer, HandOver, RecordPromise,
    SettlePromise, PutFaq, RetireFaq, PutPhrase, SettleCandidate, LinkBuyer, UnlinkBuyer, NoteBuyer,
    ExportArchive, ForgetBuyer,
)  # fmt: skip
