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


StateRow = tuple[Any, ...]
"""A slot as it is stored: story, version, state, counts, basis, correlation, due and fire."""


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


Move = tuple[str, int, int, int, int, datetime]
"""A checkpoint on its way: stream, partition, its sequence and epoch now, the sequence to come and its recordedtime."""


def moves(checkpoints: Checkpoints, moved: Mapping[tuple[str, int], tuple[int, datetime]]) -> list[Move]:
    """The checkpoints to move to (sequence, recordedtime). Raises Fenced where one is not held any more.

    Only partitions that the transaction touched are named: each of its effects is fenced, and a row that did not
    change is not written.
    """
    if not moved.keys() <= checkpoints.keys():
        raise Fenced("the partitions were lost while a transaction was under way")
    held = {key: checkpoints[key] for key in sorted(moved)}
    return [(*key, mine.seq, mine.epoch, *moved[key]) for key, mine in held.items()]


def advanced(checkpoints: Checkpoints, moved: Mapping[tuple[str, int], tuple[int, datetime]]) -> Checkpoints:
    """The checkpoints after such moves were committed."""
    return checkpoints | {key: Checkpoint(seq, checkpoints[key].epoch) for key, (seq, _) in moved.items()}


_LOCK = """
WITH wanted AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[])
        AS k (process, shop, buyer, key, partition, version)
), made AS (
    INSERT INTO state (process, shop, buyer, key, partition, version)
    SELECT * FROM wanted ORDER BY process, shop, buyer, key
    ON CONFLICT DO NOTHING RETURNING *
), found AS (
    SELECT s.* FROM state s JOIN wanted w USING (process, shop, buyer, key)
    ORDER BY s.process, s.shop, s.buyer, s.key
    FOR UPDATE OF s
)
SELECT * FROM found UNION ALL SELECT * FROM made
"""
_WRITE = """
WITH written AS (
    UPDATE state s SET version = n.version, state = n.state, inputs = n.inputs, decided = n.decided,
           reread = n.reread, basis = n.basis, correlation = n.correlation, due = n.due, fire = n.fire
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bytea[], $7::bigint[], $8::bigint[],
                $9::bigint[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[])
         AS n (process, shop, buyer, key, version, state, inputs, decided, reread, basis, correlation, due, fire)
    WHERE (s.process, s.shop, s.buyer, s.key) = (n.process, n.shop, n.buyer, n.key)
), sent AS (
    INSERT INTO outbox (partition, event_id, subject, payload, shop, buyer, after)
    SELECT partition, event_id, subject, payload, shop, buyer, $20
    FROM unnest($14::int[], $15::text[], $16::text[], $17::bytea[], $18::text[], $19::text[])
         WITH ORDINALITY AS n (partition, event_id, subject, payload, shop, buyer, place)
    ORDER BY place
), moved AS (
    UPDATE checkpoint c SET seq = n.new, recorded = greatest(c.recorded, n.recorded)
    FROM unnest($21::text[], $22::int[], $23::bigint[], $24::bigint[], $25::bigint[], $26::timestamptz[])
         AS n (stream, partition, old, epoch, new, recorded)
    WHERE c.stream = n.stream AND c.partition = n.partition AND c.seq = n.old AND c.epoch = n.epoch
    RETURNING c.partition
)
SELECT count(*) FROM moved
"""
_END = """
DELETE FROM state s USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (process, shop, buyer, key)
WHERE (s.process, s.shop, s.buyer, s.key) = (k.process, k.shop, k.buyer, k.key)
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

    No deadlock comes of their order, new ones first: a partition has one owner, and what else locks stories (a
    command) locks a single one. A row that such a command makes at the same moment is seen by a second look.
    """
    rows: dict[StoryKey, Row] = {}
    while missing := sorted(keys - rows.keys()):
        partitions = [story_partition(processes[process], shop, buyer) for process, shop, buyer, _ in missing]
        versions = [processes[process].version for process, *_ in missing]
        found = await connection.fetch(_LOCK, *_columns(missing, 4), partitions, versions)
        rows |= rows_of(processes, found)
    return rows


def _columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(count)]


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


async def write(
    connection: Connection,
    *,
    states: Sequence[StateRow] = (),
    out: Sequence[Outgoing] = (),
    after: int = 0,
    moves: Sequence[Move] = (),
) -> None:
    """All that a transaction of the kernel leaves behind, in one statement: it waits once for the database.

    after: a sequence that the log had reached before `out` was decided; they will lie behind it. Raises Fenced where
    a checkpoint is no longer where it was.
    """
    if not (states or out or moves):
        return
    events = [(o.partition, o.event_id, o.subject, o.payload, o.shop, o.buyer) for o in out]
    columns = (*_columns(states, 13), *_columns(events, 6), after, *_columns(moves, 6))
    count: int = await connection.fetchval(_WRITE, *columns)
    if count != len(moves):
        raise Fenced(f"{len(moves) - count} of {len(moves)} partitions have another owner")


async def end(connection: Connection, keys: Set[StoryKey]) -> None:
    """Forget these stories."""
    if keys:
        await connection.execute(_END, *_columns(sorted(keys), 4))


def state_rows(processes: Mapping[str, Process], slots: Mapping[StoryKey, Slot]) -> list[StateRow]:
    return [
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
