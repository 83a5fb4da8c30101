"""state = fold(log): folding a story again from the log, for a new version of its process and for `verify`.

Inputs lie at their own sequence; own events right behind the input that was the basis of their decision, in log
order among themselves (design.md, "Two kinds of code").
"""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from schemas.codec import DecodeError, decode
from schemas.envelope import Event
from schemas.subjects import lane_filter, partition
from services.kernel import bus
from services.kernel.history import history
from services.kernel.inputs import decode_message
from services.kernel.process import PolicyInForce, Process, Slot, is_own, story_of, with_due
from services.kernel.reader import message_of
from services.kernel.store import Connection

_SEQ = "SELECT seq FROM checkpoint WHERE stream = $1 AND partition = $2"
_OUTBOX = "SELECT payload FROM outbox WHERE shop = $1 AND buyer = $2 ORDER BY id"


class NotRefoldable(Exception):
    """A process that reads INBOX changed its version: its inputs may be gone, so it must read its old states."""


class Past:
    """The log's past, for stories that must be folded again."""

    def __init__(self, nats: bus.Nats) -> None:
        self._nats = nats

    async def story(self, connection: Connection, process: Process, slot: Slot, policy: PolicyInForce) -> Slot:
        """A story folded by the present version of its process, as far as its lane was handled.

        slot: its counts are kept, its state is not looked at. Raises NotRefoldable, bus.BusError.
        """
        if process.inbox:
            raise NotRefoldable(f"{process.name} reads INBOX: version {process.version} must accept the old states")
        handled: int = await connection.fetchval(_SEQ, bus.EVENTS, partition(slot.shop, slot.buyer)) or 0
        logged: list[Event[Any]] = []
        async for msg in history(self._nats, bus.EVENTS, lane_filter(slot.shop, slot.buyer)):
            for item in decode_message(message_of(bus.EVENTS, msg), {}):
                if isinstance(item.input, Event):
                    logged.append(item.input)
        waiting = decoded(row["payload"] for row in await connection.fetch(_OUTBOX, slot.shop, slot.buyer))
        folded = fold(process, slot, logged, waiting, handled)
        return with_due(process, replace(folded, due=None, fire=slot.fire), _last(folded, logged), policy)


def decoded(payloads: Iterable[bytes]) -> list[Event[Any]]:
    """The events in these outbox rows; one that this code no longer decodes is left out."""
    events: list[Event[Any]] = []
    for payload in payloads:
        try:
            events.append(decode(payload))
        except DecodeError:
            continue
    return events


def fold(
    process: Process, slot: Slot, logged: Sequence[Event[Any]], waiting: Sequence[Event[Any]], handled: int
) -> Slot:
    """The story that these events tell: inputs up to the sequence `handled`, own events as many as were decided.

    logged: its lane's events in log order. waiting: decided, perhaps not yet in the log. Of the slot only the
    names and the count `decided` are used.
    """
    name = (slot.shop, slot.buyer, slot.key)
    mine = [event for event in logged if story_of(process, event) == name]
    made = [event for event in waiting if story_of(process, event) == name]
    own = {event.id: event for event in (*mine, *made) if is_own(process, slot, event)}
    placed = [(event.seq, 0, 0, event) for event in mine if event.id not in own and event.seq <= handled]
    placed += [(_basis(event), 1, number, event) for number, event in enumerate(own.values()) if number < slot.decided]
    placed.sort(key=lambda place: place[:3])
    state, basis, correlation = process.state(), "0", ""
    for _, kind, _, event in placed:
        state = process.evolve(state, event)
        if kind == 0:
            basis, correlation = str(event.seq), event.correlationid or event.id
    return replace(slot, state=state, inputs=len(placed), basis=basis, correlation=correlation)


def _basis(event: Event[Any]) -> int:
    return int(event.basis) if event.basis.isdecimal() else 0


def _last(slot: Slot, logged: Sequence[Event[Any]]) -> Any:
    """When the story last learnt something: the anchor of a `due` that has passed."""
    at = next((e.recordedtime for e in reversed(logged) if str(e.seq) == slot.basis), None)
    return at or (logged[-1].recordedtime if logged else slot.fire)
