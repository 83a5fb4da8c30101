"""Case events (售后单): an aftersales matter from opening to outcome.

Source: domain.md 5; remedies are in remedy.py.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.types import MAX_ITEMS, Channel, Count, Fen, Id, Ids, Role, Sha256, Short, Text, Time

CaseKind = Literal[
    "trace", "change", "cancel", "return", "exchange", "wrong_item", "missing", "damaged", "quality", "usage",
    "lost", "confiscated", "rejected", "invoice", "review", "complaint",
]  # fmt: skip
NextActor = Literal["care_desk", "warehouse", "aftersales", "supervisor", "owner", "buyer", "courier", "platform"]
Remedy = Literal["refund", "return_refund", "exchange", "resend", "gift", "compensation", "none"]


class Evidence(Struct, frozen=True):
    """A proof (凭证), kept outside: `ref` says where, `sha256` that it is unchanged."""

    kind: Literal["picture", "packing_slip", "video", "record", "courier_statement", "other"]
    ref: Short
    sha256: Sha256 | None = None


EvidenceList = Annotated[tuple[Evidence, ...], Meta(max_length=MAX_ITEMS)]


class CaseStep(Struct, frozen=True, kw_only=True):
    """What every case event says: the case's version after it, who must act next, and until when."""

    case_id: Id
    version: Count = 0
    next_actor: NextActor | None = None
    due_at: Time | None = None


class CaseProposed(CaseStep, frozen=True, kw_only=True):
    """Something suggests a case of this kind (an intent, a late parcel, a bad review); a person or a rule
    opens it.
    """

    TYPE: ClassVar[str] = "case.proposed"
    VERSION: ClassVar[int] = 1

    kind: CaseKind
    order_id: Id | None = None
    line_ids: Ids = ()
    reason: Short
    conversation_id: Id | None = None


class CaseOpened(CaseStep, frozen=True, kw_only=True):
    """A case was opened. `opened_by`: an agent's id, or `system`.

    `requested_at`: when the buyer asked, for day limits.

    `line_ids` empty: the whole order.
    """

    TYPE: ClassVar[str] = "case.opened"
    VERSION: ClassVar[int] = 1

    kind: CaseKind
    order_id: Id | None = None
    line_ids: Ids = ()
    reason: Short
    opened_by: Id
    evidence: EvidenceList = ()
    requested_at: Time | None = None
    refund_id: Id | None = None
    review_id: Id | None = None
    parcel_id: Id | None = None
    conversation_id: Id | None = None


class CaseEvidenceAdded(CaseStep, frozen=True, kw_only=True):
    """Proof was added to an open case."""

    TYPE: ClassVar[str] = "case.evidence_added"
    VERSION: ClassVar[int] = 1

    evidence: Evidence
    by: Id


class CaseLiabilityDecided(CaseStep, frozen=True, kw_only=True):
    """Who is liable and who pays the freight, by which rule of the table (domain.md 5).

    `freight_payer`: the way back; `buyer_advances` may turn by proof or inspection. `outbound_payer`: the way
    out of an exchange or resend.
    """

    TYPE: ClassVar[str] = "case.liability_decided"
    VERSION: ClassVar[int] = 1

    party: Literal["shop", "buyer", "courier"]
    freight_payer: Literal["shop", "buyer", "buyer_advances", "none"]
    outbound_payer: Literal["shop", "buyer", "none"] = "none"
    rule: Short


class CaseApproved(CaseStep, frozen=True, kw_only=True):
    """The remedy was approved; `amount_fen` for money."""

    TYPE: ClassVar[str] = "case.approved"
    VERSION: ClassVar[int] = 1

    by: Id
    rule: Short
    reason: Short
    remedy: Remedy
    amount_fen: Fen | None = None


class CaseRefused(CaseStep, frozen=True, kw_only=True):
    """The wish was refused; a refusal names its rule."""

    TYPE: ClassVar[str] = "case.refused"
    VERSION: ClassVar[int] = 1

    by: Id
    rule: Short
    reason: Short


class CaseStepTaken(CaseStep, frozen=True, kw_only=True):
    """A step of the kind's procedure was done (e.g. a cause excluded, the public reply written)."""

    TYPE: ClassVar[str] = "case.step_taken"
    VERSION: ClassVar[int] = 1

    step: Short
    note: Text = ""
    by: Id


class CaseContactTried(CaseStep, frozen=True, kw_only=True):
    """The buyer was contacted about a review or complaint, 9:00-12:00 or 14:00-20:00."""

    TYPE: ClassVar[str] = "case.contact_tried"
    VERSION: ClassVar[int] = 1

    channel: Channel
    result: Literal["reached", "no_answer", "refused", "unreachable"]
    note: Text = ""
    by: Id


class CaseOverdue(CaseStep, frozen=True, kw_only=True):
    """`next_actor` did not act by `due_at`."""

    TYPE: ClassVar[str] = "case.overdue"
    VERSION: ClassVar[int] = 1

    overdue_since: Time


class CaseEscalated(CaseStep, frozen=True, kw_only=True):
    """The case went up to `role`."""

    TYPE: ClassVar[str] = "case.escalated"
    VERSION: ClassVar[int] = 1

    role: Role
    reason: Short


class CaseResolved(CaseStep, frozen=True, kw_only=True):
    """The case ended with this outcome."""

    TYPE: ClassVar[str] = "case.resolved"
    VERSION: ClassVar[int] = 1

    outcome: Literal["resolved", "unresolved", "unreachable"] = "resolved"
    reason: Short
    by: Id


class CaseWithdrawn(CaseStep, frozen=True, kw_only=True):
    """The buyer, or who opened it, took the case back."""

    TYPE: ClassVar[str] = "case.withdrawn"
    VERSION: ClassVar[int] = 1

    reason: Short
    by: Id


class CaseReopened(CaseStep, frozen=True, kw_only=True):
    """A closed case was opened again."""

    TYPE: ClassVar[str] = "case.reopened"
    VERSION: ClassVar[int] = 1

    reason: Short
    by: Id


EVENTS = (
    CaseProposed, CaseOpened, CaseEvidenceAdded, CaseLiabilityDecided, CaseApproved, CaseRefused,
    CaseStepTaken, CaseContactTried, CaseOverdue, CaseEscalated, CaseResolved, CaseWithdrawn, CaseReopened,
)  # fmt: skip
