"""What a case is made of: steps that both runners can take, and what is seen afterwards."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, structs

from schemas.codec import about
from schemas.commands.care_notifier import CancelCare
from schemas.envelope import Actor, Command, Event
from services.kernel.inputs import RawFact, Source
from services.kernel.process import Process, Slot, Tick
from services.kernel.service import Service
from services.replay.telling import clock
from tests.examples.services import FACTS, REMIND


class Push(Struct, frozen=True, kw_only=True):
    """One message to INBOX, taken `at`: a list of facts, or bytes."""

    at: datetime
    body: Any
    source: str = "shop"


class Log(Struct, frozen=True, kw_only=True):
    """A message straight into the log: an event, or (subject, bytes)."""

    at: datetime
    event: Event[Any] | tuple[str, bytes]


class Ask(Struct, frozen=True, kw_only=True):
    """The command `cancel_care`."""

    at: datetime
    id: str
    care: str

    @property
    def command(self) -> Command[CancelCare]:
        return Command(
            command_id=self.id,
            shop="s1",
            actor=Actor(id="a1", role="agent"),
            data=CancelCare(care_id=self.care),
        )


class Wait(Struct, frozen=True):
    """Time passes, up to and including this instant."""

    until: datetime


class Break(Struct, frozen=True):
    """From here on something raises: `reminder o1` on this order, `reminder tick` on every tick, `source` on all."""

    what: str


class Mend(Struct, frozen=True):
    """What was broken works again."""


class Retry(Struct, frozen=True):
    """Play one of the service's failed or refused messages, and its lane, again; by default the first."""

    service: str
    number: int = 0


class Stop(Struct, frozen=True):
    """The service ends."""

    service: str


class Start(Struct, frozen=True):
    """It runs again."""

    service: str


Step = Push | Log | Ask | Wait | Break | Mend | Retry | Stop | Start


class Case(Struct, frozen=True, kw_only=True):
    """Steps and what must be seen: lines as `line` writes them, by buyer, in the order of the log.

    reminders: what the reminder decided. facts: what came of INBOX (empty: not looked at by hand). parked: (buyer,
    key, status, kind of reason). answers: the results of the commands, or the codes of their rejections.
    """

    name: str
    steps: Sequence[Step]
    reminders: Sequence[str] = ()
    facts: Sequence[str] = ()
    parked: Sequence[tuple[str, str, str, str]] = ()
    answers: Sequence[str] = ()


class Seen(Struct, frozen=True, kw_only=True):
    """All that a run left. decided: (source, shop, buyer) -> its events in log order, without their sequences."""

    decided: Mapping[tuple[str, str, str], Sequence[Mapping[str, Any]]]
    lines: Mapping[str, Sequence[str]]
    states: Mapping[tuple[str, ...], Slot]
    parked: Sequence[tuple[Any, ...]]
    answers: Sequence[Mapping[str, Any]]


def line(event: Event[Any]) -> str:
    """`b1 10:30:00 care.proposed unpaid_soft:o1`"""
    return f"{event.buyer} {clock(event.time)} {event.data.TYPE} {about(event)}"


def seen(
    log: Iterable[Event[Any]],
    slots: Mapping[tuple[str, ...], Slot],
    parked: Sequence[tuple[Any, ...]],
    answers: Sequence[Mapping[str, Any]],
) -> Seen:
    """What both runners show, in the same words. Only what services decided counts of the log."""
    own = sorted((e for e in log if e.source.startswith("carebus/")), key=lambda e: (e.source, e.shop, e.buyer))
    decided: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    lines: dict[str, list[str]] = {}
    for event in own:
        plain = structs.replace(event, seq=0, recordedtime=None, basis="")
        decided.setdefault((event.source, event.shop, event.buyer), []).append(msgspec.to_builtins(plain))
        lines.setdefault(event.source.removeprefix("carebus/"), []).append(line(event))
    states = {key: structs.replace(slot, basis="") for key, slot in slots.items() if slot.inputs}
    return Seen(decided=decided, lines=lines, states=states, parked=parked, answers=answers)


def breakable() -> tuple[list[Service], set[str]]:
    """The example services, and the set of what they raise on."""
    broken: set[str] = set()
    return [_service(service, broken) for service in (FACTS, REMIND)], broken


def _service(service: Service, broken: set[str]) -> Service:
    return structs.replace(
        service,
        processes=[_process(process, broken) for process in service.processes],
        sources={name: _source(source, broken) for name, source in service.sources.items()},
    )


def _source(source: Source, broken: set[str]) -> Source:
    def raising(raw: RawFact) -> Iterable[Any]:
        if "source" in broken:
            raise LookupError("the source is broken")
        return source(raw)

    return raising


def _process(process: Process, broken: set[str]) -> Process:
    decide: Callable[..., Any] = process.decide

    def raising(state: Any, cause: Any, now: datetime, policy: Any) -> Any:
        what = "tick" if isinstance(cause, Tick) else getattr(cause.data, "order_id", "")
        if f"{process.name} {what}" in broken:
            raise LookupError(f"{process.name} is broken for {what}")
        return decide(state, cause, now, policy)

    return structs.replace(process, decide=raising)
