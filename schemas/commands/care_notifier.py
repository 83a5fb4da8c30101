"""Commands of care_notifier: escalations, grants, consent, campaigns, sending. Source: domain.md 3, 4."""

from typing import ClassVar, Literal

from msgspec import Struct

from schemas.care import CareKind
from schemas.types import BuyerId, Channel, Count, Fen, Id, Short, Text, Time, Values


class Acknowledge(Struct, frozen=True, kw_only=True):
    """Take an escalation on."""

    NAME: ClassVar[str] = "acknowledge"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("wrong_role", "closed")

    escalation_id: Id
    note: Text = ""


class ResolveEscalation(Struct, frozen=True, kw_only=True):
    """Say that an escalation is done."""

    NAME: ClassVar[str] = "resolve_escalation"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("wrong_role", "closed")

    escalation_id: Id
    note: Text = ""


class DecideGrant(Struct, frozen=True, kw_only=True):
    """Give or refuse what an escalation asks for, within one's own limit. `gifts`: how many."""

    NAME: ClassVar[str] = "decide_grant"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("over_own_limit",)

    escalation_id: Id
    granted: bool
    limit_fen: Fen | None = None
    gifts: Count | None = None
    expires_at: Time
    note: Text = ""


class SetConsent(Struct, frozen=True, kw_only=True):
    """Write down that a buyer allowed or forbade a channel.

    An opt-out ends only by the buyer's own later consent.
    """

    NAME: ClassVar[str] = "set_consent"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("opt_out_final", "no_evidence")

    buyer: BuyerId
    channel: Channel
    purpose: Literal["marketing", "service", "all"]
    granted: bool
    evidence: Text = ""
    by_buyer: bool = False


class StartCampaign(Struct, frozen=True, kw_only=True):
    """Write to a segment (群发), between two instants."""

    NAME: ClassVar[str] = "start_campaign"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("empty_segment", "template_refused")

    campaign_id: Id
    kind: Literal["campaign", "holiday", "return_visit"] = "campaign"
    segment: Short
    template: Id
    values: Values = {}
    starts_at: Time
    until: Time
    grant_id: Id


class StopCampaign(Struct, frozen=True, kw_only=True):
    """Stop proposing; what was requested is sent."""

    NAME: ClassVar[str] = "stop_campaign"
    REJECTIONS: ClassVar[tuple[str, ...]] = ()

    campaign_id: Id


class CancelCare(Struct, frozen=True, kw_only=True):
    """Never send a proposed message."""

    NAME: ClassVar[str] = "cancel_care"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("already_requested",)

    care_id: Id


class SettleUnknown(Struct, frozen=True, kw_only=True):
    """Say what became of a message whose answer never came, or send it again."""

    NAME: ClassVar[str] = "settle_unknown"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("not_unknown",)

    care_id: Id
    decision: Literal["sent", "not_sent", "resend"]


class FinishTask(Struct, frozen=True, kw_only=True):
    """End a phone task (电话任务)."""

    NAME: ClassVar[str] = "finish_task"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("not_a_task",)

    care_id: Id
    outcome: Literal["reached", "unreachable", "refused", "done"]
    note: Text = ""


class PauseSending(Struct, frozen=True, kw_only=True):
    """Stop sending in the envelope's shop: one kind, or all."""

    NAME: ClassVar[str] = "pause_sending"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("already",)

    kind: CareKind | None = None
    reason: Short


class ResumeSending(Struct, frozen=True, kw_only=True):
    """Send again."""

    NAME: ClassVar[str] = "resume_sending"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("already",)

    kind: CareKind | None = None
    reason: Short


class SwitchLive(Struct, frozen=True, kw_only=True):
    """Take the envelope's shop out of shadow mode; the backlog is not sent."""

    NAME: ClassVar[str] = "switch_live"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("already",)


COMMANDS = (
    Acknowledge, ResolveEscalation, DecideGrant, SetConsent, StartCampaign, StopCampaign, CancelCare,
    SettleUnknown, FinishTask, PauseSending, ResumeSending, SwitchLive,
)  # fmt: skip
