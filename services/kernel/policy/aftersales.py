"""After-sales cases and members (domain.md 5 and 6). Defaults, each with its rule: `defaults.toml`."""

from itertools import pairwise
from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.case import CaseKind
from schemas.types import Fen
from services.kernel.policy.units import Days, Hours, Name, Number, Positive, Window

TierName = Literal["normal", "senior", "vip", "supreme"]


class Freight(Struct, frozen=True, kw_only=True):
    """Who pays where the table of domain.md 5 leaves it to the shop."""

    no_reason_return: Literal["by_fault", "shop_pays"]
    refused_unfit: Literal["buyer", "shop"]


class Returns(Struct, frozen=True, kw_only=True):
    """Windows of returning, in days of the local calendar."""

    no_reason_days: Days
    fault_days: Days
    station_pickup_days: Days
    damage_proof_hours: Hours
    refund_within_days: Days
    no_parcel_days: Days
    close_after_reminder_days: Days


class Compensation(Struct, frozen=True, kw_only=True):
    """Limits on the sum of an order over all its cases, in fen; beyond them the next role decides."""

    agent_fen: Fen
    supervisor_fen: Fen
    supervisor_losses: Positive

    def __post_init__(self) -> None:
        if self.agent_fen > self.supervisor_fen:
            raise ValueError("agent_fen must not exceed supervisor_fen")


class ReviewRecovery(Struct, frozen=True, kw_only=True):
    """Neutral and bad reviews 中差评. open_within_days: an older review, when it is learnt, opens no case."""

    open_within_days: Days
    contact: Annotated[tuple[Window, ...], Meta(min_length=1)]
    follow_up_days: Days


class CaseDue(Struct, frozen=True, kw_only=True, rename={"return_": "return"}):
    """Hours that the next actor of a case has for the step, by kind of case."""

    trace: Hours
    change: Hours
    cancel: Hours
    return_: Hours
    exchange: Hours
    wrong_item: Hours
    missing: Hours
    damaged: Hours
    quality: Hours
    usage: Hours
    lost: Hours
    confiscated: Hours
    rejected: Hours
    invoice: Hours
    review: Hours
    complaint: Hours

    def of(self, kind: CaseKind) -> int:
        hours: int = getattr(self, "return_" if kind == "return" else kind)
        return hours


class Aftersales(Struct, frozen=True, kw_only=True):
    """Cases."""

    freight: Freight
    returns: Returns
    compensation: Compensation
    review: ReviewRecovery
    step_due_hours: CaseDue
    fold_after_days: Days


class Tier(Struct, frozen=True, kw_only=True):
    """Held from `from_fen` spent (included) up to the next tier's. benefits: the text that buyers read."""

    name: TierName
    label: Name
    from_fen: Fen
    warranty_years: Number
    benefits: Name


class Lifecycle(Struct, frozen=True, kw_only=True):
    """Life cycle 生命周期."""

    using_after_days: Days
    fan_tier: TierName
    fan_purchases: Positive


class Repurchase(Struct, frozen=True, kw_only=True):
    """Buying again, and falling silent."""

    own_intervals: Positive
    product_buyers: Positive
    dormant_cycles: Positive
    dormant_least_days: Days
    dormant_unknown_days: Days


class Members(Struct, frozen=True, kw_only=True):
    """Members 会员."""

    mode: Literal["upgrade_only", "up_and_down"]
    rolling_months: Positive
    tiers: Annotated[tuple[Tier, ...], Meta(min_length=1)]
    kpi_days: Positive
    lifecycle: Lifecycle
    repurchase: Repurchase

    def __post_init__(self) -> None:
        if any(upper.from_fen <= lower.from_fen for lower, upper in pairwise(self.tiers)):
            raise ValueError("tiers: from the lowest up, each with a higher from_fen than the last")
        if self.lifecycle.fan_tier not in {tier.name for tier in self.tiers}:
            raise ValueError(f"lifecycle.fan_tier: {self.lifecycle.fan_tier!r} is no tier of this shop")
