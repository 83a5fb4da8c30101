"""`verify`: every stored state compared with the fold of the log, and folded anew where it differs.

Covered are the processes that read only EVENTS; those that read INBOX hold primary data (design.md).
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas.envelope import Event
from schemas.subjects import PARTITIONS, partition_filter
from services.kernel import bus, store
from services.kernel.history import history
from services.kernel.inputs import decode_message
from services.kernel.policybook import PolicyBook
from services.kernel.process import Process, Slot, beginning, is_own, story_of
from services.kernel.reader import message_of
from services.kernel.refold import decoded, due_anew, fold
from services.kernel.store import StoryKey

ATTEMPTS = 5

_HANDLED = "SELECT seq FROM checkpoint WHERE stream = $1 AND partition = $2"
_ROWS = "SELECT * FROM state WHERE partition = $1 AND process = ANY($2::text[]) ORDER BY process, shop, buyer, key"
_WAITING = "SELECT payload FROM outbox WHERE partition = $1 ORDER BY id"
_PARKED = "SELECT seq FROM parked WHERE stream = $1 AND partition = $2"

_canonical = msgspec.json.Encoder(order="deterministic").encode


class Difference(Struct, frozen=True, kw_only=True):
    """A stored state that is not the fold of the log. what: `state`, `counts` or `missing`."""

    process: str
    shop: str
    buyer: str
    key: str
    partition: int
    what: str
    repaired: bool = False


async def verify(
    pool: asyncpg.Pool, nats: bus.Nats, processes: Sequence[Process], *, repair: bool = False
) -> AsyncIterator[Difference]:
    """Re-fold a service's stories from the log, partition by partition; what differs, and (repair) write it anew.

    The service may run: each partition is compared in one snapshot, and repaired under the rows' locks. One
    partition's events are held in memory at a time. Raises bus.BusError, and what asyncpg raises.
    """
    covered = {process.name: process for process in processes if not process.inbox}
    for partition in range(PARTITIONS):
        for attempt in range(ATTEMPTS):
            try:
                differences = await _partition(pool, nats, covered, partition, repair=repair)
            except asyncpg.SerializationError:  # the service moved on while rows were being repaired
                if attempt + 1 == ATTEMPTS:
                    raise
            else:
                for difference in differences:
                    yield difference
                break


async def _partition(
    pool: asyncpg.Pool, nats: bus.Nats, covered: Mapping[str, Process], partition: int, *, repair: bool
) -> list[Difference]:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        policies = PolicyBook()
        await policies.guard(connection)
        handled: int = await connection.fetchval(_HANDLED, bus.EVENTS, partition) or 0
        records = await connection.fetch(_ROWS, partition, list(covered))
        waiting = decoded(row["payload"] for row in await connection.fetch(_WAITING, partition))
        parked = {row["seq"] for row in await connection.fetch(_PARKED, bus.EVENTS, partition)}
        logged = [event async for event in _log(nats, partition) if event.seq not in parked]
        rows = store.rows_of(covered, records)
        stories = _by_story(covered, logged)
        found: list[Difference] = []
        repaired: dict[StoryKey, Slot] = {}
        for key in sorted(rows.keys() | {k for k, events in stories.items() if events[0].seq <= handled}):
            process = covered[key[0]]
            row = rows.get(key)
            if row and row.version < process.version:  # folded anew when it is next touched
                continue
            told = stories.get(key, [])
            made = [event for event in waiting if story_of(process, event) == key[1:]]
            slot = row.slot if row else _counted(beginning(process, *key[1:]), process, told, made, handled)
            folded = fold(process, slot, told, made, handled)
            if what := "state" if row and row.fault else _what(slot if row else None, folded):
                repaired[key] = due_anew(process, folded, told, policies.of(key[1]))
                found.append(_difference(key, partition, what, repaired=repair))
        if repair and repaired:
            await store.lock_rows(connection, covered, repaired.keys())
            await store.write(connection, states=store.state_rows(covered, repaired))
    return found


async def _log(nats: bus.Nats, partition: int) -> AsyncIterator[Event[Any]]:
    async for msg in history(nats, bus.EVENTS, partition_filter(bus.ROOTS[bus.EVENTS], {partition})):
        for item in decode_message(message_of(bus.EVENTS, msg), {}):
            if isinstance(item.input, Event):
                yield item.input


def _by_story(covered: Mapping[str, Process], events: Sequence[Event[Any]]) -> dict[StoryKey, list[Event[Any]]]:
    stories: defaultdict[StoryKey, list[Event[Any]]] = defaultdict(list)
    for event in events:
        for process in covered.values():
            if (story := story_of(process, event)) is not None:
                stories[process.name, *story].append(event)
    return stories


def _counted(
    slot: Slot, process: Process, told: Sequence[Event[Any]], made: Sequence[Event[Any]], handled: int
) -> Slot:
    """A lost row's counts of own events: all that were ever decided, and those read back since."""
    own = {event.id: event.seq for event in (*made, *told) if is_own(process, slot, event)}
    return replace(slot, decided=len(own), reread=sum(0 < seq <= handled for seq in own.values()))


def _what(stored: Slot | None, folded: Slot) -> str:
    if stored is None:
        return "missing" if folded.inputs else ""
    if _canonical(stored.state) != _canonical(folded.state):
        return "state"
    return "counts" if stored.inputs != folded.inputs else ""


def _difference(key: StoryKey, partition: int, what: str, *, repaired: bool) -> Difference:
    process, shop, buyer, story = key
    return Difference(
        process=process, shop=shop, buyer=buyer, key=story, partition=partition, what=what, repaired=repaired
    )
