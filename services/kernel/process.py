"""What a process is, and the one way a cause becomes a new state and events. Pure: no clock, no I/O.

The live loop and the in-memory runner both call `handle` and `fire_before`; there is no second meaning.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from schemas.envelope import Command, Event, EventData, Rejected
from schemas.subjects import NO_BUYER
from services.kernel.ids import event_id
from services.kernel.vault import Deposit

LATE_TICK = timedelta(seconds=5)
"""A due that was learnt when it had passed fires this long after it was learnt (design.md, "Time")."""

MAX_TICKS = 1_000
"""Ticks of one key before one input; more is a process that never comes to rest."""

T = TypeVar("T")


class Fact(Struct, Generic[T], frozen=True, kw_only=True):
    """A statement from outside, translated by a source: not an event until a process decides that it is new.

    id: `in:<INBOX sequence>:<number within the message>`. time: when it happened. recordedtime: when INBOX took it.
    """

    data: T
    shop: str
    buyer: str = NO_BUYER
    time: datetime
    id: str = ""
    actor: str = ""
    correlationid: str = ""
    seq: int = 0
    recordedtime: datetime | None = None


class Tick(Struct, frozen=True):
    """The instant a process asked for has come."""

    due: datetime


class Emit(Struct, frozen=True, kw_only=True):
    """A decided event that differs from its cause in time, lane or actor."""

    data: EventData
    time: datetime | None = None
    shop: str = ""
    buyer: str = ""
    actor: str = ""
    deposit: Deposit | None = None
    """A sealed contact that goes into the vault with the event (a process that reads INBOX, in trade_ingest alone)."""


class SetAside(Struct, frozen=True):
    """Decided by a tick: a fact that has waited long enough is parked with its message, and its sender told why.

    fact: its id, `in:<INBOX sequence>:<number within the message>`.
    """

    fact: str
    reason: str


class Ended(Struct, frozen=True):
    """Decided by a tick, alone: the story is forgotten. Only of a process that reads INBOX: no log tells it again."""


Input = Event[Any] | Fact[Any]
Cause = Event[Any] | Fact[Any] | Command[Any] | Tick
Decision = Any
"""What `decide` yields: the data of an event, an `Emit`, or (for a command only, alone) a `Rejected`; a process that
reads INBOX on a tick also `SetAside`, and (alone) `Ended`.
"""


class Process(Struct, frozen=True, kw_only=True):
    """The five parts of a process under its name (design.md, "Two kinds of code").

    version: raised when the meaning of the state changes; stored states are then folded again from the log.
    inbox: it reads INBOX, so its inputs are gone after 14 days and `verify` does not cover it.
    """

    name: str
    version: int
    state: Callable[[], Any]
    key: Callable[[Any], str | None]
    evolve: Callable[[Any, Any], Any]
    decide: Callable[[Any, Any, datetime, Any], Iterable[Decision]]
    due: Callable[[Any, Any], datetime | None]
    inbox: bool = False

    @property
    def source(self) -> str:
        """The CloudEvents `source` of what it decides."""
        return f"carebus/{self.name}"


def process_of(module: ModuleType) -> Process:
    """The process a module describes: `State`, `VERSION`, `key`, `evolve`, `decide`, `due`, perhaps `INBOX`."""
    return Process(
        name=module.__name__.rpartition(".")[2],
        version=module.VERSION,
        state=module.State,
        key=module.key,
        evolve=module.evolve,
        decide=module.decide,
        due=module.due,
        inbox=getattr(module, "INBOX", False),
    )


class Slot(Struct, frozen=True, kw_only=True):
    """One story of one process, as a state row holds it.

    inputs: events folded, own ones too. decided: own events folded when they were made; reread: those seen again
    in the log. basis: the last input folded. due: what the process asks for; fire: the instant its tick has.
    """

    shop: str
    buyer: str
    key: str
    state: Any
    inputs: int = 0
    decided: int = 0
    reread: int = 0
    basis: str = "0"
    correlation: str = ""
    due: datetime | None = None
    fire: datetime | None = None


class Outcome(Struct, frozen=True):
    """What becomes of a cause: the new slot, and the events in their order.

    deposits: (shop, buyer, contact) for the vault. aside: facts to be parked. ended: the story is to be forgotten; its
    slot is the beginning.
    """

    slot: Slot
    events: tuple[Event[Any], ...] = ()
    rejected: Rejected | None = None
    deposits: tuple[tuple[str, str, Deposit], ...] = ()
    aside: tuple[SetAside, ...] = ()
    ended: bool = False

    def then(self, later: "Outcome") -> "Outcome":
        """Both, one after the other."""
        return replace(
            later,
            events=self.events + later.events,
            deposits=self.deposits + later.deposits,
            aside=self.aside + later.aside,
        )


class StuckTick(Exception):
    """A tick changed nothing and would fire again at once: a bug in the process, parked."""


class PolicyInForce(Struct, frozen=True):
    """The policy that a decision is made under, and the digest its events carry."""

    values: Any
    digest: str = ""


def story_of(process: Process, item: Input) -> tuple[str, str, str] | None:
    """(shop, buyer, key) of the story an input belongs to; None: not this process's.

    A story lives within one buyer's lane; that of a process which reads INBOX within the shop, whose facts often
    name no buyer.
    """
    key = process.key(item)
    return None if key is None else (item.shop, NO_BUYER if process.inbox else item.buyer, key)


def beginning(process: Process, shop: str, buyer: str, key: str) -> Slot:
    return Slot(shop=shop, buyer=buyer, key=key, state=process.state())


def handle(process: Process, slot: Slot, cause: Cause, now: datetime, policy: PolicyInForce) -> Outcome:
    """Fold a cause into a story and decide: the new slot and the events, their envelopes filled in.

    now: recordedtime of an input, reception of a command, fire instant of a tick. An own event read back from the
    log is skipped if it was folded when it was made, else folded; it is never decided upon. Raises StuckTick, and
    whatever the process raises.
    """
    if isinstance(cause, Event) and is_own(process, slot, cause):
        return Outcome(_reread(process, slot, cause, now, policy))
    folded = slot
    if isinstance(cause, Event | Fact):
        folded = replace(
            slot,
            state=process.evolve(slot.state, cause),
            inputs=slot.inputs + 1,
            basis=str(cause.seq) if isinstance(cause, Event) else f"in:{cause.seq}",
            correlation=cause.correlationid or cause.id,
        )
    outcome = _decide(process, folded, cause, now, policy)
    if outcome.rejected or outcome.ended:
        return outcome
    due = process.due(outcome.slot.state, policy.values)
    if isinstance(cause, Tick) and outcome.slot.inputs == slot.inputs and due is not None and due <= now:
        raise StuckTick(f"{process.name}: the tick of {cause.due.isoformat()} changed nothing and is still due")
    fire = _fire(slot, due, now, isinstance(cause, Tick))
    return replace(outcome, slot=replace(outcome.slot, due=due, fire=fire))


def fire_before(process: Process, slot: Slot, instant: datetime, policy: PolicyInForce) -> Outcome:
    """Fire the ticks whose fire instant lies before `instant`, each at its own `now`.

    Raises StuckTick, also when there are more than MAX_TICKS of them.
    """
    fired = Outcome(slot)
    for _ in range(MAX_TICKS):
        slot = fired.slot
        if slot.fire is None or slot.due is None or slot.fire >= instant:
            return fired
        fired = fired.then(handle(process, slot, Tick(slot.due), slot.fire, policy))
    raise StuckTick(f"{process.name}: more than {MAX_TICKS} ticks before {instant.isoformat()}")


def is_own(process: Process, slot: Slot, event: Event[Any]) -> bool:
    """Whether this very story decided the event: only then is its id the one this story would have given it."""
    return event.source == process.source and event.id == event_id(
        process.source, slot.shop, slot.buyer, slot.key, event.causationid, event.ordinal
    )


def cause_id(slot: Slot, cause: Cause) -> str:
    match cause:
        case Tick():
            return f"tick:{cause.due.isoformat()}:{slot.inputs}"
        case Command():
            return cause.command_id
        case _:
            return cause.id


def with_due(process: Process, slot: Slot, now: datetime, policy: PolicyInForce) -> Slot:
    """The slot with `due` computed anew: after a change of policy or a re-fold."""
    due = process.due(slot.state, policy.values)
    return replace(slot, due=due, fire=_fire(slot, due, now, False))


def _reread(process: Process, slot: Slot, event: Event[Any], now: datetime, policy: PolicyInForce) -> Slot:
    if slot.reread < slot.decided:
        return replace(slot, reread=slot.reread + 1)
    folded = replace(
        slot,
        state=process.evolve(slot.state, event),
        inputs=slot.inputs + 1,
        decided=slot.decided + 1,
        reread=slot.reread + 1,
    )
    return with_due(process, folded, now, policy)


def _decide(process: Process, slot: Slot, cause: Cause, now: datetime, policy: PolicyInForce) -> Outcome:
    why = cause_id(slot, cause)
    correlation = slot.correlation
    actor = ""
    if isinstance(cause, Command):
        correlation, actor = cause.correlation_id or cause.command_id, cause.actor.id
    elif isinstance(cause, Event | Fact):
        actor = cause.actor if isinstance(cause, Fact) else ""
    events: list[Event[Any]] = []
    deposits: list[tuple[str, str, Deposit]] = []
    aside: list[SetAside] = []
    state, inputs, decided = slot.state, slot.inputs, slot.decided
    for ordinal, decision in enumerate(process.decide(slot.state, cause, now, policy.values)):
        if isinstance(decision, Rejected):
            if not isinstance(cause, Command) or events:
                raise TypeError(f"{process.name}: only a command can be rejected, and before anything is decided")
            return Outcome(slot, (), decision)
        if isinstance(decision, Ended):
            if not (process.inbox and isinstance(cause, Tick)) or events or aside:
                raise TypeError(f"{process.name}: a story ends by a tick alone, and only one that reads INBOX")
            return Outcome(beginning(process, slot.shop, slot.buyer, slot.key), ended=True)
        if isinstance(decision, SetAside):
            if not (process.inbox and isinstance(cause, Tick)):
                raise TypeError(
                    f"{process.name}: facts are set aside by a tick, and only by a process that reads INBOX"
                )
            aside.append(decision)
            state, inputs = process.evolve(state, decision), inputs + 1
            continue
        emit = decision if isinstance(decision, Emit) else Emit(data=decision)
        event: Event[Any] = Event(
            data=emit.data,
            shop=emit.shop or slot.shop,
            buyer=emit.buyer or slot.buyer,
            time=emit.time or now,
            id=event_id(process.source, slot.shop, slot.buyer, slot.key, why, ordinal),
            source=process.source,
            actor=emit.actor or actor or process.name,
            correlationid=correlation,
            causationid=why,
            basis=slot.basis,
            ordinal=ordinal,
            policy=policy.digest,
        )
        events.append(event)
        if emit.deposit is not None:
            deposits.append((event.shop, event.buyer, emit.deposit))
        if story_of(process, event) == (slot.shop, slot.buyer, slot.key):
            state, inputs, decided = process.evolve(state, event), inputs + 1, decided + 1
    return Outcome(
        replace(slot, state=state, inputs=inputs, decided=decided),
        tuple(events),
        deposits=tuple(deposits),
        aside=tuple(aside),
    )


def _fire(before: Slot, due: datetime | None, learnt: datetime, ticked: bool) -> datetime | None:
    if due is None:
        return None
    if due == before.due and before.fire is not None and not ticked:
        return before.fire
    return due if due > learnt else learnt + LATE_TICK
