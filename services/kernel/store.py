"""The kernel's rows: connecting, checkpoints, states and the outbox's writing side."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import datetime
from functools import cache
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

from schemas import subjects
from schemas.codec import MAX_EVENT_BYTES, encode, entity
from schemas.envelope import Event
from services.kernel.ownership import Checkpoint, Checkpoints
from services.kernel.process import Process, Slot

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
StoryKey = tuple[str, str, str, str]
"""(process, shop, buyer, key), in the order in which rows are locked."""

STATEMENT_S = 10.0
"""Longest statement; the loop's take milliseconds. A connection that the network has lost (a router forgot it) is
given up after this long, and as long again, which asyncpg waits for the server to confirm that it was cancelled.
"""

TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.InternalServerError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""Faults of the database or the way to it, not of a message: the whole batch is tried again."""


class Fenced(Exception):
    """Another replica owns a partition of this commit: it is rolled back."""


class StateNewer(Exception):
    """A state row was written by a newer version of its process; this replica gives the partition up."""

    def __init__(self, process: str, version: int, partition: int) -> None:
        super().__init__(f"{process}: a state of version {version} in partition {partition}, newer than this code")
        self.process = process
        self.version = version
        self.partition = partition


class StateCorrupt(Exception):
    """A state row does not decode: somebody or something changed its bytes. Its stories' messages are parked."""


class TooLarge(Exception):
    """A decided event above MAX_EVENT_BYTES; its cause is parked."""


class Row(Struct, frozen=True):
    """A state row: its slot, and where it lies. fault: why its state does not decode (the slot's is the beginning)."""

    slot: Slot
    partition: int
    version: int
    fault: str = ""

    def sound(self) -> Slot:
        """Raises StateCorrupt where the state does not decode."""
        if self.fault:
            raise StateCorrupt(f"state of {self.slot.key!r}: {self.fault}; run `carebus verify --repair`, then retry")
        return self.slot


class Outgoing(Struct, frozen=True):
    """A decided event on its way to the log."""

    partition: int
    event_id: str
    subject: str
    payload: bytes
    shop: str
    buyer: str


async def connect_pool(dsn: str, service: str, name: str, size: int = 6) -> asyncpg.Pool:
    """Connections with the service's schema as search path. name: their `application_name`."""
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        timeout=5,
        command_timeout=STATEMENT_S,
        reset=_as_it_is,
        server_settings={"search_path": service, "application_name": name},
    )


async def _as_it_is(connection: Any) -> None:
    """Nothing here changes a session beyond its transactions; asyncpg's own reset costs a round trip each time."""


def story_partition(process: Process, shop: str, buyer: str) -> int:
    """The partition whose owner works on a story: the lane's, or the shop's for a process that reads INBOX."""
    return subjects.inbox_partition(shop) if process.inbox else subjects.partition(shop, buyer)


_ADVANCE = """
UPDATE checkpoint c SET seq = n.new, recorded = greatest(c.recorded, n.recorded)
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[])
     AS n (stream, partition, old, epoch, new, recorded)
WHERE c.stream = n.stream AND c.partition = n.partition AND c.seq = n.old AND c.epoch = n.epoch
"""


async def advance(
    connection: Connection, checkpoints: Checkpoints, moved: Mapping[tuple[str, int], tuple[int, datetime]]
) -> None:
    """Move checkpoints to (sequence, recordedtime), fenced by epoch and old sequence. Raises Fenced.

    Only partitions that the transaction touched are named: each of its effects is fenced, and a row that did not
    change is not written.
    """
    if not moved:
        return
    if not moved.keys() <= checkpoints.keys():
        raise Fenced("the partitions were lost while a transaction was under way")
    rows = [
        (
            stream,
            partition,
            checkpoints[stream, partition].seq,
            checkpoints[stream, partition].epoch,
            seq,
            recorded,
        )
        for (stream, partition), (seq, recorded) in sorted(moved.items())
    ]
    status = await connection.execute(_ADVANCE, *map(list, zip(*rows, strict=True)))
    if int(status.split()[1]) != len(rows):
        raise Fenced(f"{len(rows) - int(status.split()[1])} of {len(rows)} partitions have another owner")


def advanced(checkpoints: Checkpoints, moved: Mapping[tuple[str, int], tuple[int, datetime]]) -> Checkpoints:
    """The checkpoints after `advance` was committed."""
    return checkpoints | {key: Checkpoint(seq, checkpoints[key].epoch) for key, (seq, _) in moved.items()}


_INSERT_MISSING = """
INSERT INTO state (process, shop, buyer, key, partition, version)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[])
ORDER BY 1, 2, 3, 4
ON CONFLICT DO NOTHING
"""
_LOCK = """
SELECT s.* FROM state s
JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (process, shop, buyer, key)
USING (process, shop, buyer, key)
ORDER BY s.process, s.shop, s.buyer, s.key
FOR UPDATE OF s
"""
_WRITE = """
UPDATE state s SET version = n.version, state = n.state, inputs = n.inputs, decided = n.decided, reread = n.reread,
       basis = n.basis, correlation = n.correlation, due = n.due, fire = n.fire
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bytea[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[])
     AS n (process, shop, buyer, key, version, state, inputs, decided, reread, basis, correlation, due, fire)
WHERE (s.process, s.shop, s.buyer, s.key) = (n.process, n.shop, n.buyer, n.key)
"""
_DUE = """
SELECT s.* FROM state s
WHERE s.fire < $1 AND s.partition = ANY($2::int[]) AND s.process = ANY($4::text[])
  AND NOT EXISTS (SELECT FROM blocked b WHERE b.shop = s.shop AND b.buyer = s.buyer AND b.key IN ('', s.key))
ORDER BY s.fire LIMIT $3
FOR UPDATE OF s
"""


_OLD = """
SELECT s.* FROM state s JOIN unnest($1::text[], $2::int[]) AS p (process, current) ON p.process = s.process
WHERE s.version < p.current AND s.partition = ANY($3::int[])
  AND (s.process, s.shop, s.buyer, s.key) > ($4, $5, $6, $7)
ORDER BY s.process, s.shop, s.buyer, s.key LIMIT $8
FOR UPDATE OF s
"""
FIRST: StoryKey = ("", "", "", "")
"""Before every story."""


async def lock_old(
    connection: Connection, processes: Mapping[str, Process], owned: Collection[int], after: StoryKey, limit: int
) -> dict[StoryKey, Row]:
    """Stories of owned partitions whose state is of an older version, in order, from behind a story on."""
    names, versions = list(processes), [process.version for process in processes.values()]
    return rows_of(processes, await connection.fetch(_OLD, names, versions, list(owned), *after, limit))


async def lock_rows(
    connection: Connection, processes: Mapping[str, Process], keys: Set[StoryKey]
) -> dict[StoryKey, Row]:
    """The rows of these stories, made where they are missing. Raises StateNewer.

    Those that are there are locked first, in one order: most are, and it saves the insertion. No deadlock comes of
    it: a partition has one owner, and what else locks stories (a command) locks a single one.
    """
    if not keys:
        return {}
    rows = await _lock(connection, processes, keys)
    if missing := keys - rows.keys():
        ordered = sorted(missing)
        partitions = [story_partition(processes[process], shop, buyer) for process, shop, buyer, _ in ordered]
        versions = [processes[process].version for process, *_ in ordered]
        await connection.execute(_INSERT_MISSING, *_columns(ordered), partitions, versions)
        rows |= await _lock(connection, processes, missing)
    return rows


async def _lock(
    connection: Connection, processes: Mapping[str, Process], keys: Collection[StoryKey]
) -> dict[StoryKey, Row]:
    return rows_of(processes, await connection.fetch(_LOCK, *_columns(sorted(keys))))


def _columns(keys: Sequence[StoryKey]) -> list[list[str]]:
    return [list(column) for column in zip(*keys, strict=True)]


async def lock_due(
    connection: Connection,
    processes: Mapping[str, Process],
    owned: Collection[int],
    until: datetime,
    limit: int,
) -> dict[StoryKey, Row]:
    """The stories of owned partitions whose tick has come, except those that wait behind a parked message."""
    return rows_of(processes, await connection.fetch(_DUE, until, list(owned), limit, list(processes)))


def rows_of(processes: Mapping[str, Process], records: Iterable[asyncpg.Record]) -> dict[StoryKey, Row]:
    """State rows by story; rows of processes that the service no longer has are left out. Raises StateNewer."""
    rows: dict[StoryKey, Row] = {}
    for record in records:
        process = processes.get(record["process"])
        if process is None:
            continue
        if record["version"] > process.version:
            raise StateNewer(process.name, record["version"], record["partition"])
        rows[process.name, record["shop"], record["buyer"], record["key"]] = _row(process, record)
    return rows


def _row(process: Process, record: asyncpg.Record) -> Row:
    """A state of an older version, or one that does not decode, comes back as the beginning, with its counts.

    Not so for a process that reads INBOX: its inputs may be gone, so each version must read the states before it.
    """
    raw: bytes | None = record["state"]
    state, fault = process.state(), ""
    if raw is not None and (process.inbox or record["version"] == process.version):
        try:
            state = _decoder(process.state).decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            fault = str(error)
    slot = Slot(
        shop=record["shop"],
        buyer=record["buyer"],
        key=record["key"],
        state=state,
        inputs=record["inputs"],
        decided=record["decided"],
        reread=record["reread"],
        basis=record["basis"] or "0",
        correlation=record["correlation"],
        due=record["due"],
        fire=record["fire"],
    )
    return Row(slot, record["partition"], record["version"], fault)


@cache
def _decoder(state: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(state)


_encode_state = msgspec.json.Encoder().encode


async def write_slots(connection: Connection, processes: Mapping[str, Process], slots: Mapping[StoryKey, Slot]) -> None:
    if not slots:
        return
    rows = [
        (
            *key,
            processes[key[0]].version,
            _encode_state(slot.state),
            slot.inputs,
            slot.decided,
            slot.reread,
            slot.basis,
            slot.correlation,
            slot.due,
            slot.fire,
        )
        for key, slot in slots.items()
    ]
    await connection.execute(_WRITE, *map(list, zip(*rows, strict=True)))


_OUTBOX = """
INSERT INTO outbox (partition, event_id, subject, payload, shop, buyer, after)
SELECT partition, event_id, subject, payload, shop, buyer, $7
FROM unnest($1::int[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[])
     WITH ORDINALITY AS n (partition, event_id, subject, payload, shop, buyer, place)
ORDER BY place
"""


def outgoing(partition: int, events: Sequence[Event[Any]]) -> list[Outgoing]:
    """The decided events as they will be published. Raises TooLarge."""
    out: list[Outgoing] = []
    for event in events:
        payload = encode(event)
        subject = subjects.event(event.shop, event.buyer, entity(event.data.TYPE))
        if len(payload) + len(subject) + 512 > MAX_EVENT_BYTES:
            raise TooLarge(f"{event.data.TYPE}: {len(payload)} bytes, at most {MAX_EVENT_BYTES} with headers")
        out.append(Outgoing(partition, event.id, subject, payload, event.shop, event.buyer))
    return out


async def insert_outbox(connection: Connection, rows: Sequence[Outgoing], after: int) -> None:
    """after: a sequence that the log had reached before these were decided; they will lie behind it."""
    if not rows:
        return
    fields = [(r.partition, r.event_id, r.subject, r.payload, r.shop, r.buyer) for r in rows]
    await connection.execute(_OUTBOX, *map(list, zip(*fields, strict=True)), after)
