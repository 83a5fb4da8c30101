"""Member events (会员): tier, life cycle, repurchase.

They are about the lane's buyer. Source: domain.md 6.
"""

from typing import ClassVar, Literal

from msgspec import Struct

from schemas.types import Count, Days, Fen, Id, Time

Tier = Literal["none", "normal", "senior", "vip", "supreme"]
"""Not a member, 普通, 高级, VIP, 至尊VIP."""
Stage = Literal[
    "potential", "consulting", "paid", "received", "completed", "using", "repurchase_due", "dormant",
    "returning", "fan",
]  # fmt: skip
"""潜在, 咨询, paid, 新客, completed, using, 回购, 休眠, 老客户, 粉丝."""


class MemberJoined(Struct, frozen=True, kw_only=True):
    """One completed order with something kept made the buyer a member.

    `total_fen`: total spent, postage apart.
    """

    TYPE: ClassVar[str] = "member.joined"
    VERSION: ClassVar[int] = 1

    order_id: Id
    tier: Tier
    total_fen: Fen


class MemberTierChanged(Struct, frozen=True, kw_only=True):
    """The tier rose by a completed order, or was withdrawn by a refund or (升降级) by passing time."""

    TYPE: ClassVar[str] = "member.tier_changed"
    VERSION: ClassVar[int] = 1

    from_tier: Tier
    to_tier: Tier
    total_fen: Fen
    cause: Literal["completed", "refunded", "passing_time", "policy"]
    order_id: Id | None = None


class MemberStageChanged(Struct, frozen=True, kw_only=True):
    """A step of the life cycle (生命周期), forward, or back after a full refund.

    `purchases`: paid orders kept.
    """

    TYPE: ClassVar[str] = "member.stage_changed"
    VERSION: ClassVar[int] = 1

    from_stage: Stage
    to_stage: Stage
    purchases: Count = 0
    order_id: Id | None = None


class MemberRepurchaseDue(Struct, frozen=True, kw_only=True):
    """The repurchase cycle (回购周期) since the last payment is over.

    `basis`: the buyer's own, or the product's.
    """

    TYPE: ClassVar[str] = "member.repurchase_due"
    VERSION: ClassVar[int] = 1

    cycle_days: Days
    basis: Literal["own", "product"]
    last_paid_at: Time
    sku: Id | None = None
    order_id: Id | None = None


class MemberDormant(Struct, frozen=True, kw_only=True):
    """Silent for 2 x the own cycle, at least 90 days; 180 if the cycle is unknown (休眠)."""

    TYPE: ClassVar[str] = "member.dormant"
    VERSION: ClassVar[int] = 1

    silent_days: Days
    cycle_days: Days | None = None
    last_paid_at: Time


class ProductIntervalMeasured(Struct, frozen=True, kw_only=True):
    """Days between two of one buyer's paid days for a SKU, told to the lane `-` without saying whose."""

    TYPE: ClassVar[str] = "product.interval_measured"
    VERSION: ClassVar[int] = 1

    sku: Id
    days: Days


class ProductCycleChanged(Struct, frozen=True, kw_only=True):
    """The product's repurchase cycle: the median over at least 5 buyers' intervals. Buyer lane `-`."""

    TYPE: ClassVar[str] = "product.cycle_changed"
    VERSION: ClassVar[int] = 1

    sku: Id
    cycle_days: Days
    buyers: Count


EVENTS = (
    MemberJoined, MemberTierChanged, MemberStageChanged, MemberRepurchaseDue, MemberDormant,
    ProductIntervalMeasured, ProductCycleChanged,
)  # fmt: skip
