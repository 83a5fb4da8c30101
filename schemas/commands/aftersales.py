"""Commands of aftersales: flags, cases, review replies. Source: domain.md 2 (Flags) and 5.

`version` is the case's version that was read; another one in force is refused `stale_version`.
"""

from typing import ClassVar, Literal

from msgspec import Struct

from schemas.case import CaseKind, EvidenceList, Remedy
from schemas.types import (
    BuyerId,
    Channel,
    Count,
    Department,
    Fen,
    FlagColour,
    Id,
    Ids,
    Sha256,
    Short,
    Text,
    Time,
)


class RaiseFlag(Struct, frozen=True, kw_only=True):
    """Raise a flag (插旗) as this department; a memo is needed."""

    NAME: ClassVar[str] = "raise_flag"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("wrong_department", "no_memo", "not_paid", "already_shipped")

    order_id: Id
    colour: FlagColour
    memo: Text
    department: Department


class ClearFlag(Struct, frozen=True, kw_only=True):
    """Take a flag down as its receiver."""

    NAME: ClassVar[str] = "clear_flag"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("wrong_department", "no_memo", "not_raised")

    order_id: Id
    colour: FlagColour
    memo: Text
    department: Department


class OpenCase(Struct, frozen=True, kw_only=True):
    """Open a case (售后单). `line_ids` empty: the whole order. `buyer`: for a case without an order."""

    NAME: ClassVar[str] = "open_case"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("duplicate_case", "no_reason", "wrong_state")

    kind: CaseKind
    order_id: Id | None = None
    buyer: BuyerId | None = None
    line_ids: Ids = ()
    reason: Short
    evidence: EvidenceList = ()
    requested_at: Time | None = None


class AddEvidence(Struct, frozen=True, kw_only=True):
    """Add a proof (凭证) to an open case."""

    NAME: ClassVar[str] = "add_evidence"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("closed",)

    case_id: Id
    kind: Literal["picture", "packing_slip", "video", "record", "courier_statement", "other"]
    ref: Short
    sha256: Sha256


class DecideLiability(Struct, frozen=True, kw_only=True):
    """Say who is liable, by a rule of the freight table; the facts must meet it."""

    NAME: ClassVar[str] = "decide_liability"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("rule_not_met",)

    case_id: Id
    party: Literal["shop", "buyer", "courier"]
    rule: Short


class Approve(Struct, frozen=True, kw_only=True):
    """Approve a remedy; needs a registered reason and a decided freight payer."""

    NAME: ClassVar[str] = "approve"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("freight_undecided", "over_paid", "no_evidence")

    case_id: Id
    remedy: Remedy
    amount_fen: Fen | None = None
    version: Count


class Refuse(Struct, frozen=True, kw_only=True):
    """Refuse the wish by a rule that the facts must meet."""

    NAME: ClassVar[str] = "refuse"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("rule_not_met",)

    case_id: Id
    rule: Short
    reason: Short = ""


class TakeStep(Struct, frozen=True, kw_only=True):
    """Do the next step of the kind's procedure."""

    NAME: ClassVar[str] = "take_step"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("out_of_order",)

    case_id: Id
    step: Short
    note: Text = ""


class RequestIntercept(Struct, frozen=True, kw_only=True):
    """Ask the courier to stop a parcel (拦截)."""

    NAME: ClassVar[str] = "request_intercept"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("signed", "not_shipped")

    case_id: Id
    waybill: Id


class ResolveIntercept(Struct, frozen=True, kw_only=True):
    """Say whether the courier recovered the parcel."""

    NAME: ClassVar[str] = "resolve_intercept"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("signed", "not_shipped")

    case_id: Id
    waybill: Id
    recovered: bool


class ReceiveGoods(Struct, frozen=True, kw_only=True):
    """The returned parcel came; freight-collect (到付) is refused."""

    NAME: ClassVar[str] = "receive_goods"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("not_approved", "freight_collect")

    case_id: Id
    waybill: Id
    freight_collect: bool = False


class Inspect(Struct, frozen=True, kw_only=True):
    """Say what the inspection (验货) found."""

    NAME: ClassVar[str] = "inspect"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("not_received",)

    case_id: Id
    result: Literal["saleable", "fault_confirmed", "damaged", "incomplete", "used", "wrong_goods"]
    note: Text = ""


class OrderRefund(Struct, frozen=True, kw_only=True):
    """Order this much to be paid back."""

    NAME: ClassVar[str] = "order_refund"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("over_paid", "goods_missing")

    case_id: Id
    amount_fen: Fen


class SendReplacement(Struct, frozen=True, kw_only=True):
    """The replacement or missing part left."""

    NAME: ClassVar[str] = "send_replacement"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("goods_missing",)

    case_id: Id
    carrier: Short
    waybill: Id


class Compensate(Struct, frozen=True, kw_only=True):
    """Compensate (补偿) for a fault, within the actor's limit for the order or with a grant; never for a
    review.
    """

    NAME: ClassVar[str] = "compensate"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("over_authority", "tied_to_review")

    case_id: Id
    amount_fen: Fen
    form: Literal["cash", "coupon", "gift"]
    reason: Short
    grant_id: Id | None = None


class FileClaim(Struct, frozen=True, kw_only=True):
    """Claim (索赔) this much from a liable courier."""

    NAME: ClassVar[str] = "file_claim"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("no_liability",)

    case_id: Id
    carrier: Short
    amount_fen: Fen


class SettleClaim(Struct, frozen=True, kw_only=True):
    """The courier paid this much; 0: refused."""

    NAME: ClassVar[str] = "settle_claim"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("no_liability",)

    case_id: Id
    carrier: Short
    amount_fen: Fen


class RecordContact(Struct, frozen=True, kw_only=True):
    """The buyer was contacted, 9:00-12:00 or 14:00-20:00."""

    NAME: ClassVar[str] = "record_contact"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("outside_hours",)

    case_id: Id
    channel: Channel
    result: Literal["reached", "no_answer", "refused", "unreachable"]
    note: Text = ""


class ReplyReview(Struct, frozen=True, kw_only=True):
    """Reply to a review in public (评价回复)."""

    NAME: ClassVar[str] = "reply_review"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("forbidden_text", "already_replied")

    review_id: Id
    text: Text


class Resolve(Struct, frozen=True, kw_only=True):
    """End a case whose steps are done."""

    NAME: ClassVar[str] = "resolve"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("open_steps", "closed")

    case_id: Id
    outcome: Literal["resolved", "unresolved", "unreachable"] = "resolved"
    reason: Short


class Withdraw(Struct, frozen=True, kw_only=True):
    """Take a case back."""

    NAME: ClassVar[str] = "withdraw"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("open_steps", "closed")

    case_id: Id
    reason: Short


class Reopen(Struct, frozen=True, kw_only=True):
    """Open a closed case again."""

    NAME: ClassVar[str] = "reopen"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("open_steps", "closed")

    case_id: Id
    reason: Short


COMMANDS = (
    RaiseFlag, ClearFlag, OpenCase, AddEvidence, DecideLiability, Approve, Refuse, TakeStep, RequestIntercept,
    ResolveIntercept, ReceiveGoods, Inspect, OrderRefund, SendReplacement, Compensate, FileClaim, SettleClaim,
    RecordContact, ReplyReview, Resolve, Withdraw, Reopen,
)  # fmt: skip
