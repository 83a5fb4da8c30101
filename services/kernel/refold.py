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
from services.kernel.clock import EPOCH
from services.kernel.history import history
from services.kernel.inputs import decode_message
from services.kernel.process import PolicyInForce, Process, Slot, is_own, story_of, with_due
from services.kernel.reader import Message, message_of, stored_message
from services.kernel.store import Connection

_SEQ = "SELECT seq FROM checkpoint WHERE stream = $1 AND partition = $2"
_PARKED = "SELECT seq FROM parked WHERE stream = $1 AND shop = $2 AND buyer = $3"
_OUTBOX = "SELECT payload FROM outbox WHERE shop = $1 AND buyer = $2 ORDER BY id"


class Past:
    """The log's past, for stories that must be folded again."""

    def __init__(self, nats: bus.Nats, *, driven: bool = False) -> None:
        self._nats = nats
        self._driven = driven

    async def story(self, connection: Connection, process: Process, slot: Slot, policy: PolicyInForce) -> Slot:
        """A story folded by the present version of its process, as far as its lane was handled.

        slot: its counts are kept, its state is not looked at. Parked messages are not folded yet. Raises
        bus.BusError, and what `evolve` raises.
        """
        handled: int = await connection.fetchval(_SEQ, bus.EVENTS, partition(slot.shop, slot.buyer)) or 0
        rows = await connection.fetch(_PARKED, bus.EVENTS, slot.shop, slot.buyer)
        parked = {row["seq"] for row in rows}
        logged: list[Event[Any]] = []
        async for msg in history(self._nats, bus.EVENTS, lane_filter(slot.shop, slot.buyer)):
            for item in decode_message(message_of(bus.EVENTS, msg), {}):
                if isinstance(item.input, Event) and item.input.seq not in parked:
                    logged.append(item.input)
        waiting = decoded(row["payload"] for row in await connection.fetch(_OUTBOX, slot.shop, slot.buyer))
        folded = fold(process, slot, logged, waiting, handled)
        return due_anew(process, folded, logged, policy)

    async def fact(self, seq: int) -> Message | None:
        """A stored message of INBOX; None where it is not there any more. Raises bus.BusError."""
        found = await bus.stored(self._nats, bus.INBOX, seq)
        return None if found is None else stored_message(bus.INBOX, found, driven=self._driven)


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


def due_anew(process: Process, slot: Slot, logged: Sequence[Event[Any]], policy: PolicyInForce) -> Slot:
    """A folded story with its `due` and `fire`, as if its last input had set them."""
    at = next((event.recordedtime for event in reversed(logged) if str(event.seq) == slot.basis), None)
    learnt = at or max((event.recordedtime for event in logged if event.recordedtime), default=EPOCH)
    return with_due(process, replace(slot, due=None, fire=None), learnt, policy)
