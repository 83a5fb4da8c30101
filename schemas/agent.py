"""Agent events (客服): presence, shifts, rosters, load. All in the buyer lane `-`. Source: domain.md 3."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.types import MAX_ITEMS, Count, Day, Id, Millis, Short, Text, Time

Shift = Literal["day", "half_day", "evening"]
"""9:00-17:30, 10:00-15:30, 17:00-23:30."""


class RosterRow(Struct, frozen=True):
    """One agent's one day: a shift, a rest day (休息), or leave (请假)."""

    agent_id: Id
    day: Day
    shift: Literal["day", "half_day", "evening", "rest", "leave"]
    full_time: bool = True


RosterRows = Annotated[tuple[RosterRow, ...], Meta(max_length=5 * MAX_ITEMS)]


class AgentSignedIn(Struct, frozen=True, kw_only=True):
    """An agent signed in under a sub-account (子帐号) of a main account (主号)."""

    TYPE: ClassVar[str] = "agent.signed_in"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id


class AgentSignedOut(Struct, frozen=True, kw_only=True):
    """An agent signed out; everything unfinished had been handed over."""

    TYPE: ClassVar[str] = "agent.signed_out"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id


class AgentHungUp(Struct, frozen=True, kw_only=True):
    """An agent left the routing (挂起). Without a grant `approved_by` is absent, and it is escalated."""

    TYPE: ClassVar[str] = "agent.hung_up"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id
    reason: Short
    approved_by: Id | None = None
    grant_id: Id | None = None


class AgentResumed(Struct, frozen=True, kw_only=True):
    """A hung-up agent takes buyers again."""

    TYPE: ClassVar[str] = "agent.resumed"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id


class AgentShiftStarted(Struct, frozen=True, kw_only=True):
    """A shift of the roster began; `ends_at` is its planned end."""

    TYPE: ClassVar[str] = "agent.shift_started"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id
    shift: Shift
    starts_at: Time
    ends_at: Time


class AgentShiftExtended(Struct, frozen=True, kw_only=True):
    """A shift went on by itself because a buyer was still being served; `ends_at` is its new end."""

    TYPE: ClassVar[str] = "agent.shift_extended"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id
    ends_at: Time
    reason: Short = ""


class AgentShiftEnded(Struct, frozen=True, kw_only=True):
    """A shift ended. `worked_ms`: from sign-in to now, breaks by hang-up included."""

    TYPE: ClassVar[str] = "agent.shift_ended"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id
    shift: Shift
    worked_ms: Millis | None = None


class AgentRosterPublished(Struct, frozen=True, kw_only=True):
    """A main account's roster (排班) took effect; it replaces earlier rows of the same agents and days.

    `override_reason`: why broken rules were accepted. `late_days`: days changed less than 3 days ahead.
    """

    TYPE: ClassVar[str] = "agent.roster_published"
    VERSION: ClassVar[int] = 1

    main_account: Id
    rows: RosterRows
    override_reason: Short | None = None
    late_days: Annotated[tuple[Day, ...], Meta(max_length=MAX_ITEMS)] = ()


class AgentRosterBroken(Struct, frozen=True, kw_only=True):
    """A roster that was published breaks this rule (domain.md 3, Shifts).

    `agent_id`, `day`: whose and when.
    """

    TYPE: ClassVar[str] = "agent.roster_broken"
    VERSION: ClassVar[int] = 1

    main_account: Id
    rule: Literal[
        "day_after_evening", "too_few_on_duty", "rest_days_a_month", "rest_day_a_week", "uneven_hours",
        "late_change",
    ]  # fmt: skip
    agent_id: Id | None = None
    day: Day | None = None
    detail: Short = ""


class AgentLeaveGranted(Struct, frozen=True, kw_only=True):
    """Leave (请假) was granted from `starts_at` until `ends_at`."""

    TYPE: ClassVar[str] = "agent.leave_granted"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id
    starts_at: Time
    ends_at: Time
    granted_by: Id


class AgentLate(Struct, frozen=True, kw_only=True):
    """An agent had not signed in, or signed in late, for a shift of the roster."""

    TYPE: ClassVar[str] = "agent.late"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id
    shift_starts_at: Time
    late_ms: Millis


class AgentComplainedAbout(Struct, frozen=True, kw_only=True):
    """A buyer complained about an agent (态度投诉).

    `recent`: complaints within a month, this one included.
    """

    TYPE: ClassVar[str] = "agent.complained_about"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id | None = None
    conversation_id: Id | None = None
    message_id: Id | None = None
    phrase: Text = ""
    recent: Count = 1


class AgentLoadChanged(Struct, frozen=True, kw_only=True):
    """One piece of an agent's work changed state, told by the buyer's lane to the agent's.

    `waiting`: a buyer waits for this agent; `open`: unfinished, must be handed over; `done`: no longer his.
    """

    TYPE: ClassVar[str] = "agent.load_changed"
    VERSION: ClassVar[int] = 1

    agent_id: Id
    main_account: Id | None = None
    item_kind: Literal["conversation", "order", "case", "promise", "escalation"]
    item_id: Id
    state: Literal["waiting", "open", "done"]


EVENTS = (
    AgentSignedIn, AgentSignedOut, AgentHungUp, AgentResumed, AgentShiftStarted, AgentShiftExtended,
    AgentShiftEnded, AgentRosterPublished, AgentRosterBroken, AgentLeaveGranted, AgentLate,
    AgentComplainedAbout, AgentLoadChanged,
)  # fmt: skip
