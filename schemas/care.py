"""Care message events (关怀): proposed, held back, sent.

Source: domain.md 4; campaigns are in campaign.py.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.types import Channel, Count, Digest, Id, Short, Text, Time, Values

CareKind = Literal[
    "unpaid_soft", "unpaid_12h", "unpaid_last", "presale_open", "presale_last", "payment_thanks", "shipped",
    "arrived", "at_station", "signed", "completed", "late_parcel", "trace_answer", "receipt_extension",
    "review_thanks", "bad_review", "refund_agreed", "refund_completed", "replacement_shipped", "out_of_stock",
    "usage_survey", "repurchase", "return_visit", "campaign", "holiday", "dormant", "tier_up", "enquiry",
]  # fmt: skip
"""The table of domain.md 4, and: presale_* (balance opens, 2 h before it ends), trace_answer (查件),
bad_review (中差评 contact), out_of_stock (yellow flag).
"""
SuppressReason = Literal[
    "consent", "cap", "case_open", "expired", "state_changed", "duplicate", "no_channel", "shadow", "paused",
    "forbidden_text", "forgotten", "cancelled",
]  # fmt: skip


class CareStep(Struct, frozen=True, kw_only=True):
    """What every event of one care message says. One intent per (buyer, kind, order, step).

    `step`: reminder number, waybill, refund id + status, or campaign id. `parcel_id`: for logistics messages.
    """

    care_id: Id
    kind: CareKind
    order_id: Id | None = None
    parcel_id: Id | None = None
    step: Short = ""


class CareChannel(Struct, frozen=True, kw_only=True):
    """One way to the buyer. `address_ref`: a vault or platform reference, no address.

    `text`: contact placeholders (`#收件人姓名#`) stay open; the sender fills them and stores a digest.
    """

    channel: Channel
    address_ref: Id
    text: Text


CareChannels = Annotated[tuple[CareChannel, ...], Meta(min_length=1, max_length=10)]


class CareProposed(CareStep, frozen=True, kw_only=True):
    """The order's or buyer's story wants this said between `not_before` and `expires_at`.

    `marketing`: asks for consent and stricter caps. `template`, `values`: what to render.
    """

    TYPE: ClassVar[str] = "care.proposed"
    VERSION: ClassVar[int] = 1

    marketing: bool
    template: Id
    values: Values = {}
    not_before: Time
    expires_at: Time
    conversation_id: Id | None = None
    case_id: Id | None = None
    review_id: Id | None = None
    campaign_id: Id | None = None


class CareDeferred(CareStep, frozen=True, kw_only=True):
    """Held until then: quiet hours (免打扰), caps, or service time; checked again when it comes."""

    TYPE: ClassVar[str] = "care.deferred"
    VERSION: ClassVar[int] = 1

    until: Time
    reason: Literal["quiet_hours", "service_time", "not_before"]


class CareSuppressed(CareStep, frozen=True, kw_only=True):
    """Never said, and why. A message ends at most once."""

    TYPE: ClassVar[str] = "care.suppressed"
    VERSION: ClassVar[int] = 1

    reason: SuppressReason
    marketing: bool = False
    detail: Short = ""


class CareRequested(CareStep, frozen=True, kw_only=True):
    """Allowed by the buyer's contact rules: to be sent now, before `expires_at`. This is what caps count.

    `mode`: `fallback` tries the channels in order until one works, `all` uses each.
    """

    TYPE: ClassVar[str] = "care.requested"
    VERSION: ClassVar[int] = 1

    marketing: bool = False
    channels: CareChannels
    mode: Literal["fallback", "all"] = "fallback"
    expires_at: Time | None = None


class CareSent(CareStep, frozen=True, kw_only=True):
    """One channel took it. `parts`: SMS parts (70, then 67 characters).

    `text_digest`: of the rendered text.
    """

    TYPE: ClassVar[str] = "care.sent"
    VERSION: ClassVar[int] = 1

    channel: Channel
    provider_id: Short | None = None
    attempts: Count
    parts: Count = 1
    text_digest: Digest | None = None


class CareFailed(CareStep, frozen=True, kw_only=True):
    """One channel refused it for good."""

    TYPE: ClassVar[str] = "care.failed"
    VERSION: ClassVar[int] = 1

    channel: Channel
    provider_id: Short | None = None
    attempts: Count
    error: Short | None = None


class CareUnknown(CareStep, frozen=True, kw_only=True):
    """The request left and no answer came: may or may not have been sent; never again by itself."""

    TYPE: ClassVar[str] = "care.unknown"
    VERSION: ClassVar[int] = 1

    channel: Channel
    provider_id: Short | None = None
    attempts: Count
    error: Short | None = None


class CareOutcomeRecorded(CareStep, frozen=True, kw_only=True):
    """What came of it: of a reminder (paid T+1 / T+4, closed, none) with the reason if known, or of a phone
    task.
    """

    TYPE: ClassVar[str] = "care.outcome_recorded"
    VERSION: ClassVar[int] = 1

    outcome: Literal["paid_t1", "paid_t4", "closed", "none", "reached", "unreachable", "refused", "done"]
    reason: Literal["price", "postage", "payment_trouble", "duplicate", "changed_mind", "unknown"] | None = None
    note: Text = ""


class CareConsentChanged(Struct, frozen=True, kw_only=True):
    """The buyer allowed or forbade a channel for a purpose.

    An opt-out (退订) ends only by the buyer's own later consent, and is written to every lane of the owner
    with the same contact digest.
    """

    TYPE: ClassVar[str] = "care.consent_changed"
    VERSION: ClassVar[int] = 1

    contact_digest: Digest | None = None
    channel: Channel
    purpose: Literal["marketing", "service", "all"]
    granted: bool
    evidence: Text
    by_buyer: bool = True


EVENTS = (
    CareProposed, CareDeferred, CareSuppressed, CareRequested, CareSent, CareFailed, CareUnknown,
    CareOutcomeRecorded, CareConsentChanged,
)  # fmt: skip
