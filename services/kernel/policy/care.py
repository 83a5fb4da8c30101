"""Care messages and escalations (domain.md 4). Defaults, each with its rule: `defaults.toml`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.care import CareKind
from schemas.escalation import EscalationKind, Severity
from schemas.types import Channel, Role
from services.kernel.policy.units import Days, Hours, Minutes, Number, Offset, Positive, Window

Anchor = Literal[
    "placed", "pay_by", "balance_opens", "balance_ends", "paid", "shipped", "arrived", "signed", "completed",
    "expected", "traced", "extended", "reviewed", "refund", "replacement", "flagged", "last_message", "cycle",
    "silence", "tier", "command",
]  # fmt: skip
"""The instant that a kind counts from: a fact, `expected` (delivery), `cycle` and `silence` (members)."""


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of care message: due `after_s` from its anchor, of no use after `expires_s` from `expires_from`.

    mode: `fallback` tries the channels in order until one is sent, `all` uses each.
    off_in_promo: not proposed while a promo period of the calendar runs.
    """

    enabled: bool
    anchor: Anchor
    after_s: Offset
    expires_from: Literal["due", "anchor", "pay_by", "balance_ends"]
    expires_s: Offset
    marketing: bool
    off_in_promo: bool
    channels: Annotated[tuple[Channel, ...], Meta(min_length=1)]
    mode: Literal["fallback", "all"]


class Kinds(Struct, frozen=True, kw_only=True):
    """All kinds of domain.md 4, by name."""

    unpaid_soft: Kind
    unpaid_12h: Kind
    unpaid_last: Kind
    presale_open: Kind
    presale_last: Kind
    payment_thanks: Kind
    shipped: Kind
    arrived: Kind
    at_station: Kind
    signed: Kind
    completed: Kind
    late_parcel: Kind
    trace_answer: Kind
    receipt_extension: Kind
    review_thanks: Kind
    bad_review: Kind
    refund_agreed: Kind
    refund_completed: Kind
    replacement_shipped: Kind
    out_of_stock: Kind
    usage_survey: Kind
    repurchase: Kind
    return_visit: Kind
    campaign: Kind
    holiday: Kind
    dormant: Kind
    tier_up: Kind
    enquiry: Kind

    def of(self, name: CareKind) -> Kind:
        kind: Kind = getattr(self, name)
        return kind


class Caps(Struct, frozen=True, kw_only=True):
    """How many `care.requested` one buyer may get in one shop, by local day, week, month."""

    transactional_a_day: Number
    marketing_a_week: Number
    marketing_a_month: Number
    exempt: tuple[CareKind, ...]


class Quiet(Struct, frozen=True, kw_only=True):
    """When the desk keeps quiet; transactional messages wait for the end and are checked again."""

    hours: Window
    phone: Window
    own_action_minutes: Minutes


class Sms(Struct, frozen=True, kw_only=True):
    """Lengths of the rendered text in characters, and when marketing by SMS may be sent at all."""

    single_characters: Positive
    part_characters: Positive
    marketing: Window


Approach = Annotated[int, Meta(ge=1, le=7)]
Approaches = Annotated[tuple[Approach, ...], Meta(min_length=1)]


class UnpaidApproaches(Struct, frozen=True, kw_only=True):
    """Numbers of the approach sentences of texts.md by buyer class, the first applicable one is used."""

    new: Approaches
    second_purchase: Approaches
    loyal: Approaches
    last_call: Approaches


class Care(Struct, frozen=True, kw_only=True):
    """Care messages to buyers."""

    caps: Caps
    quiet: Quiet
    sms: Sms
    review_thanks_characters: Number
    outcome_days: Annotated[tuple[Days, ...], Meta(min_length=1)]
    unpaid_approaches: UnpaidApproaches
    kinds: Kinds


class Escalation(Struct, frozen=True, kw_only=True):
    """One kind of escalation: the first role that must act, and how long each rung has to acknowledge it."""

    severity: Severity
    role: Role
    acknowledge_s: Positive


class EscalationKinds(Struct, frozen=True, kw_only=True):
    """All kinds of domain.md 4, "Escalations", by name."""

    reply_breach: Escalation
    bargaining: Escalation
    beyond_authority: Escalation
    forbidden_promise: Escalation
    hang_up_without_grant: Escalation
    unshipped_at_due: Escalation
    unshipped_soon: Escalation
    no_pickup_scan: Escalation
    flag_print_conflict: Escalation
    out_of_stock: Escalation
    parcel_exception: Escalation
    case_overdue: Escalation
    bad_review: Escalation
    complaint: Escalation
    service_complaint: Escalation
    promise_broken: Escalation
    grant_requested: Escalation
    parked_growing: Escalation
    feed_silent: Escalation

    def of(self, name: EscalationKind) -> Escalation:
        escalation: Escalation = getattr(self, name)
        return escalation


class FeedSilence(Struct, frozen=True, kw_only=True):
    """Silence is an alarm after `factor` x the median of the last `gaps` gaps, or `least_minutes` if more."""

    gaps: Positive
    factor: Positive
    least_minutes: Minutes


class Escalations(Struct, frozen=True, kw_only=True):
    """Who must hear of what, and how long they have."""

    late_fact_hours: Hours
    ladder: Annotated[tuple[Role, ...], Meta(min_length=1)]
    parked_growing: Positive
    feed_silence: FeedSilence
    kinds: EscalationKinds

    def __post_init__(self) -> None:
        if len(set(self.ladder)) != len(self.ladder):
            raise ValueError("ladder: each rung is climbed once, so each role stands in it once")
