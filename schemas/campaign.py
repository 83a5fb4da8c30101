"""Care events of a whole shop: live or paused, and campaigns (群发). Buyer lane `-`. Source: domain.md 4."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.care import CareKind, SuppressReason
from schemas.types import Count, Id, Short, Time, Values


class CareSwitchedLive(Struct, frozen=True, kw_only=True):
    """A new shop left shadow mode; its backlog is never sent."""

    TYPE: ClassVar[str] = "care.switched_live"
    VERSION: ClassVar[int] = 1

    shop: Id
    kind: CareKind | None = None


class CarePaused(Struct, frozen=True, kw_only=True):
    """Sending was paused: of one kind, or of everything."""

    TYPE: ClassVar[str] = "care.paused"
    VERSION: ClassVar[int] = 1

    shop: Id
    kind: CareKind | None = None
    reason: Short = ""


class CareResumed(Struct, frozen=True, kw_only=True):
    """Sending goes on."""

    TYPE: ClassVar[str] = "care.resumed"
    VERSION: ClassVar[int] = 1

    shop: Id
    kind: CareKind | None = None
    reason: Short = ""


class CareCampaignStarted(Struct, frozen=True, kw_only=True):
    """A message to a segment (tier, stage, tag, product), granted by a supervisor.

    `size`: buyers in it at the start.
    """

    TYPE: ClassVar[str] = "care.campaign_started"
    VERSION: ClassVar[int] = 1

    campaign_id: Id
    kind: Literal["campaign", "holiday", "return_visit"] = "campaign"
    segment: Short
    template: Id
    values: Values = {}
    starts_at: Time
    until: Time
    size: Count
    grant_id: Id


class CareCampaignFinished(Struct, frozen=True, kw_only=True):
    """What became of a campaign: proposals made, and those held back by reason.

    `stopped`: ended by command.
    """

    TYPE: ClassVar[str] = "care.campaign_finished"
    VERSION: ClassVar[int] = 1

    campaign_id: Id
    segment: Short
    template: Id
    proposed: Count
    suppressed: Annotated[dict[SuppressReason, Count], Meta(max_length=100)] = {}
    stopped: bool = False


EVENTS = (CareSwitchedLive, CarePaused, CareResumed, CareCampaignStarted, CareCampaignFinished)
