"""Escalation events: who must hear of what, and until when. Source: domain.md 4, Escalations."""

from typing import ClassVar, Literal

from msgspec import Struct

from schemas.types import Id, Millis, Refs, Role, Text, Time

EscalationKind = Literal[
    "reply_breach", "bargaining", "beyond_authority", "forbidden_promise", "hang_up_without_grant",
    "unshipped_at_due", "unshipped_soon", "no_pickup_scan", "flag_print_conflict", "out_of_stock",
    "parcel_exception", "case_overdue", "bad_review", "complaint", "service_complaint", "promise_broken",
    "grant_requested", "parked_growing", "feed_silent",
]  # fmt: skip
Severity = Literal["info", "warning", "critical"]


class EscalationRaised(Struct, frozen=True, kw_only=True):
    """`role` must acknowledge by `due_at`, or it climbs. `agent_id`: whom it is about or who must act."""

    TYPE: ClassVar[str] = "escalation.raised"
    VERSION: ClassVar[int] = 1

    escalation_id: Id
    kind: EscalationKind
    severity: Severity
    role: Role
    due_at: Time
    refs: Refs = ()
    agent_id: Id | None = None
    note: Text = ""


class EscalationMissed(Struct, frozen=True, kw_only=True):
    """Would have been raised, but was learnt too late to help: `late_ms` after its cause. Nobody was told."""

    TYPE: ClassVar[str] = "escalation.missed"
    VERSION: ClassVar[int] = 1

    escalation_id: Id
    kind: EscalationKind
    severity: Severity
    role: Role
    refs: Refs = ()
    late_ms: Millis


class EscalationAcknowledged(Struct, frozen=True, kw_only=True):
    """Someone of the role took it on."""

    TYPE: ClassVar[str] = "escalation.acknowledged"
    VERSION: ClassVar[int] = 1

    escalation_id: Id
    by: Id
    note: Text = ""


class EscalationClimbed(Struct, frozen=True, kw_only=True):
    """Not acknowledged in time: the next rung (agent -> supervisor -> owner), each once."""

    TYPE: ClassVar[str] = "escalation.climbed"
    VERSION: ClassVar[int] = 1

    escalation_id: Id
    from_role: Role
    role: Role
    due_at: Time


class EscalationResolved(Struct, frozen=True, kw_only=True):
    """Done, by a person (`by`), or by itself because its cause is gone.

    `decision` where one was asked for.
    """

    TYPE: ClassVar[str] = "escalation.resolved"
    VERSION: ClassVar[int] = 1

    escalation_id: Id
    decision: Literal["granted", "refused"] | None = None
    by: Id | None = None
    note: Text = ""


EVENTS = (EscalationRaised, EscalationMissed, EscalationAcknowledged, EscalationClimbed, EscalationResolved)
