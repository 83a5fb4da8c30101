"""Playing a stream file through a running stack under the driven clock (`CAREBUS_CLOCK=driven`).

Each line is sent with its own `at` as recordedtime. Before it, every tick that is due earlier fires at its own
instant; and nothing goes on before everything is handled: read, decided, relayed, sent. So what comes out depends on
the file alone, not on how quick the machine is, and is what the in-memory runner would make of it.

Quiet is looked at in this order, for what happens in between to show itself:

1. how far both streams reach;
2. that no effect has an event to deal with or under way;
3. that every service has read that far, and has no outbox row, no retry and no due tick;
4. that the streams still reach no further.

One replica of each service: its furthest checkpoint is then how far it has read (the loop reads in stream order).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from services.kernel import bus
from services.kernel.clock import monotonic
from services.kernel.reader import RECORDED_HEADER
from services.kernel.service import Service
from services.kernel.store import Connection
from services.replay.send import Sender
from services.replay.stream import Entry, StreamError

INSTANT = timedelta(microseconds=1)
"""A tick fires when the clock has passed its instant, however little."""
PATIENCE_S = 30.0
"""How long the stack may take to come to rest after one line or tick."""
POLL_S = 0.003
SEEN_S = 0.25
"""In which a service has surely looked at the clock's hand: its loop does every 50 ms. Nothing tells that it has."""

_MOVE = "UPDATE public.driven_clock SET now = greatest(now, $1) RETURNING now"
_STANDS = """
SELECT '{service}' AS service,
       (SELECT max(seq) FROM {service}.checkpoint WHERE stream = 'EVENTS') AS events,
       (SELECT max(seq) FROM {service}.checkpoint WHERE stream = 'INBOX') AS inbox,
       EXISTS (SELECT FROM {service}.outbox)
           OR EXISTS (SELECT FROM {service}.parked WHERE status = 'retry') AS busy,
       (SELECT min(fire) FROM {service}.state s WHERE fire IS NOT NULL AND NOT EXISTS (
           SELECT FROM {service}.blocked b WHERE b.shop = s.shop AND b.buyer = s.buyer AND b.key IN ('', s.key)
       )) AS due
"""


class NotSettled(Exception):
    """The stack did not come to rest; the text says which service had what to do."""


class Played(Struct, frozen=True):
    """What came of a stream. ticks: instants at which ticks fired. answers: of the commands, by line."""

    facts: int
    ticks: int
    answers: Mapping[int, Mapping[str, Any]]


class Driver:
    """Moves the hand of a running stack's clock. connection: as a role that may (the database's owner).

    hand: where it is. ticks: instants at which ticks have fired.
    """

    def __init__(self, nats: Any, connection: Connection, services: Sequence[Service]) -> None:
        self.hand = datetime.min.replace(tzinfo=UTC)
        self.ticks = 0
        self._nats = nats
        self._connection = connection
        self._due: datetime | None = None
        self.watch(services)

    def watch(self, services: Sequence[Service]) -> None:
        """Look at these services from now on: those that run."""
        self._streams = {service.name: service.streams for service in services}
        self._stands_of_all = " UNION ALL ".join(_STANDS.format(service=service.name) for service in services)

    async def play(self, entries: Sequence[Entry], passed: Callable[[Entry], None] = lambda entry: None) -> Played:
        """Play every line, and the ticks before each. passed: hears of each line done.

        The entries are in order of time (`require_order`). Raises bus.BusError, NotSettled.
        """
        answers: dict[int, Mapping[str, Any]] = {}
        await self.settled()
        async with Sender(self._nats) as sender:
            for entry in entries:
                assert entry.at is not None
                await self.fire_before(entry.at)
                if entry.kind == "fact":
                    await sender.publish(entry, {RECORDED_HEADER: entry.at.astimezone(UTC).isoformat()})
                    await sender.settled()
                else:
                    await self.move(entry.at)
                    await asyncio.sleep(SEEN_S)
                    answers[entry.line] = await sender.command(entry)
                await self.settled()
                passed(entry)
        return Played(sender.stored, self.ticks, answers)

    async def fire_before(self, instant: datetime) -> None:
        """Let every tick before `instant` fire, one instant after the other. Raises NotSettled, BusError."""
        while self._due is not None and self._due < instant:
            self.ticks += 1
            await self.move(self._due + INSTANT)
            await self.settled()

    async def move(self, instant: datetime) -> None:
        """Move the hand to `instant`; it never goes back."""
        self.hand = await self._connection.fetchval(_MOVE, instant)

    async def settled(self) -> None:
        """Wait until everything is handled. Raises NotSettled, BusError."""
        end = monotonic() + PATIENCE_S
        while why := await self._unsettled():
            if monotonic() > end:
                raise NotSettled(f"not at rest within {PATIENCE_S:g} s at {self.hand:%Y-%m-%d %H:%M:%S} UTC: {why}")
            await asyncio.sleep(POLL_S)

    async def _unsettled(self) -> str:
        """What is still to do; empty when nothing is."""
        ends = await self._ends()
        if busy := await self._busy_effect():
            return f"the effect {busy} has events to deal with"
        rows = await self._connection.fetch(self._stands_of_all)
        for row in rows:
            if behind := self._to_do(row, ends):
                return f"{row['service']} {behind}"
        if await self._ends() != ends:
            return "events are being written"
        self._due = min((row["due"] for row in rows if row["due"] is not None), default=None)
        return ""

    def _to_do(self, row: Any, ends: Mapping[str, int]) -> str:
        read = {bus.EVENTS: row["events"], bus.INBOX: row["inbox"]}
        for stream in self._streams[row["service"]]:
            if (read[stream] or 0) < ends[stream]:
                return f"has read {stream} up to {read[stream] or 0} of {ends[stream]}"
        if row["busy"]:
            return "has an outbox or a retry"
        return "has a tick to fire" if row["due"] is not None and row["due"] < self.hand else ""

    async def _ends(self) -> dict[str, int]:
        return {stream: (await bus.stream_state(self._nats, stream)).last for stream in bus.ROOTS}

    async def _busy_effect(self) -> str:
        listed = await bus.request(self._nats, f"CONSUMER.LIST.{bus.EVENTS}", {"offset": 0})
        return next(
            (
                consumer["name"]
                for consumer in listed["consumers"]
                if "durable_name" in consumer["config"] and (consumer["num_pending"] or consumer["num_ack_pending"])
            ),
            "",
        )


def require_order(entries: Sequence[Entry], name: str) -> None:
    """Raises StreamError for a line without a time, or with one before the line above it. name: of the stream."""
    last = datetime.min.replace(tzinfo=UTC)
    for entry in entries:
        if entry.at is None:
            raise StreamError(name, entry.line, "at", "is missing: a line can only be played at its time")
        if entry.at < last:
            raise StreamError(name, entry.line, "at", "lies before the line above: lines are played in order of time")
        last = entry.at
