"""Parked messages: what could not be handled, kept with its bytes, and the lanes that wait behind it.

failed: the message that could not be decoded or decided; its lane waits. waiting: a later message of that lane.
retry: an operator asked for it; the loop plays the lane from there. aside: blocks nobody (INBOX).
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import asyncpg
import msgspec
from msgspec import Struct

from schemas.codec import dataschema, entity
from schemas.envelope import CloudEvent, Event
from schemas.subjects import NO_BUYER
from schemas.subjects import event as event_subject
from services.kernel.bus import EVENTS
from services.kernel.clock import EPOCH
from services.kernel.inputs import Item
from services.kernel.metrics import Metrics
from services.kernel.reader import Message
from services.kernel.store import Connection
from services.kernel.telemetry import Log, Logger

MAX_DETAIL = 8_000
"""Characters of a traceback that are kept."""

REDRIVE = 500
"""Parked messages of one lane played in one transaction."""

TICK = "TICK"
"""The `stream` of a tick that could not be decided; it has no bytes."""

DISCARDED = "parked.discarded"
"""The type of what is left of a discarded message until the owner has passed over it: no type of the contract."""

Status = Literal["failed", "waiting", "aside"]

Lane = tuple[str, str, str]
"""(shop, buyer, key); the key is empty where the whole lane waits."""


class Parked(Struct, frozen=True, kw_only=True):
    """One message to park.

    lane: where it is kept in order. keys: the keys that wait behind it (on buyer `-` a message may concern several
    stories; elsewhere the whole lane waits). part: the number of the fact within an INBOX message, else 0.
    """

    message: Message
    lane: Lane
    keys: tuple[str, ...] = ()
    status: Status
    partition: int
    part: int = 0
    reason: str = ""
    detail: str = ""


_BLOCKED = "SELECT shop, buyer, key, behind FROM blocked WHERE partition = ANY($1::int[])"
_IS_BLOCKED = "SELECT EXISTS (SELECT FROM blocked WHERE shop = $1 AND buyer = $2 AND key IN ('', $3))"
_PARK = """
INSERT INTO parked (stream, seq, part, partition, shop, buyer, key, subject, recorded, payload, status, reason,
                    detail, code)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::timestamptz[], $10::bytea[], $11::text[], $12::text[], $13::text[], $14::text[])
ON CONFLICT (stream, seq, part) WHERE stream <> 'TICK' DO NOTHING
"""
_BLOCK = """
INSERT INTO blocked (shop, buyer, key, behind, partition)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[]) ON CONFLICT DO NOTHING
"""
_REDRIVABLE = """
SELECT DISTINCT shop, buyer, key FROM parked WHERE status = 'retry' AND partition = ANY($1::int[]) LIMIT 10
"""
_LANE = """
SELECT * FROM parked WHERE shop = $1 AND buyer = $2 AND key = $3 AND status <> 'aside'
ORDER BY id LIMIT $4
"""
_UNPARK = "DELETE FROM parked WHERE id = ANY($1::bigint[])"
_FAIL = "UPDATE parked SET status = $5, reason = $2, detail = $3, code = $4 WHERE id = $1"
_CALM = "UPDATE parked SET status = $4 WHERE shop = $1 AND buyer = $2 AND key = $3 AND status = 'retry'"
_AGAIN = "UPDATE parked SET status = 'retry' WHERE id = $1"
_UNBLOCK = """
DELETE FROM blocked b WHERE shop = $1 AND buyer = $2 AND behind = $3
  AND NOT EXISTS (SELECT FROM parked p WHERE (p.shop, p.buyer, p.key) = ($1, $2, $3) AND p.status <> 'aside')
"""
_LOCK = "SELECT * FROM parked WHERE id = $1 FOR UPDATE"
_GIVE_UP = """
UPDATE parked SET status = 'retry', stream = $2, seq = -id, part = 0, subject = $3, payload = $4, reason = $5,
                  detail = ''
WHERE id = $1
"""
_ASK_RETRY = "UPDATE parked SET status = 'retry' WHERE id = $1 AND status IN ('failed', 'aside') RETURNING id"


async def blocked_lanes(connection: Connection, partitions: Collection[int]) -> dict[Lane, Lane]:
    """The lanes of these partitions that wait, each with the lane that it waits behind."""
    return lanes(await connection.fetch(_BLOCKED, list(partitions)))


def lanes(blocked: Iterable[asyncpg.Record]) -> dict[Lane, Lane]:
    """Rows of `blocked` as lanes, each with the lane that it waits behind."""
    return {(r["shop"], r["buyer"], r["key"]): (r["shop"], r["buyer"], r["behind"]) for r in blocked}


async def is_blocked(connection: Connection, shop: str, buyer: str, key: str) -> bool:
    return bool(await connection.fetchval(_IS_BLOCKED, shop, buyer, key))


async def park(connection: Connection, parked: Iterable[Parked], code: str) -> None:
    """Keep these messages, and block the lanes of the failed ones. code: the version of the code that failed."""
    rows = list(parked)
    if not rows:
        return
    fields = [
        (
            p.message.stream,
            p.message.seq,
            p.part,
            p.partition,
            *p.lane,
            p.message.subject,
            p.message.recorded,
            p.message.payload,
            p.status,
            p.reason.replace("\0", "\\0"),
            _kept(p.detail),
            code,
        )
        for p in rows
    ]
    await connection.execute(_PARK, *map(list, zip(*fields, strict=True)))
    lanes = sorted({(*p.lane[:2], key, p.lane[2], p.partition) for p in rows if p.status != "aside" for key in p.keys})
    if lanes:
        await connection.execute(_BLOCK, *map(list, zip(*lanes, strict=True)))


async def lanes_to_retry(connection: Connection, owned: Collection[int]) -> list[Lane]:
    """The lanes that an operator wants played again."""
    return [(r["shop"], r["buyer"], r["key"]) for r in await connection.fetch(_REDRIVABLE, list(owned))]


async def lane_rows(connection: Connection, lane: Lane, limit: int) -> list[asyncpg.Record]:
    """The parked messages of one lane, in the order in which they came."""
    return await connection.fetch(_LANE, *lane, limit)


async def settle(
    connection: Connection,
    lane: Lane,
    done: Sequence[int],
    failed: tuple[int, str, str] | None,
    more: int | None,
    code: str,
) -> None:
    """After a lane was played: forget what succeeded, note what failed again, or go on with `more` next time.

    What failed again waits for another word of an operator, and so does the rest of its lane.
    """
    await connection.execute(_UNPARK, list(done))
    if failed:
        row, reason, detail = failed
        status = "failed" if lane[1] != NO_BUYER or lane[2] else "aside"
        await connection.execute(_FAIL, row, reason.replace("\0", "\\0"), _kept(detail), code, status)
        await connection.execute(_CALM, *lane, status)
    elif more is not None:
        await connection.execute(_AGAIN, more)
    await connection.execute(_UNBLOCK, *lane)


async def ask_retry(connection: Connection, row: int) -> bool:
    """Have the owner play a failed message and those behind it again; False: no such failed message."""
    return await connection.fetchval(_ASK_RETRY, row) is not None


async def discard(connection: Connection, row: int) -> str:
    """Give a parked message up. The status that it had (`TICK` for a tick, empty for no such row); only `aside` and
    `failed` are given up, all others stay as they are.

    One that blocks nobody is deleted. One that its lane waits behind is not: a message that parks at the same moment
    would be left behind, unblocked. It becomes an event of a type that nobody knows, which every service skips, and
    the owner is asked to play the lane: it goes, those behind it are played in order, the lane is unblocked.
    """
    async with connection.transaction():
        found = await connection.fetchrow(_LOCK, row)
        if found is None:
            return ""
        if found["stream"] == TICK:
            return TICK
        if found["status"] == "aside":
            await connection.execute(_UNPARK, [row])
        elif found["status"] == "failed":
            subject = event_subject(found["shop"], found["buyer"], entity(DISCARDED))
            nothing = _nothing(found["shop"], found["buyer"])
            await connection.execute(_GIVE_UP, row, EVENTS, subject, nothing, DISCARDED)
        return found["status"]


def _nothing(shop: str, buyer: str) -> bytes:
    return msgspec.json.encode(
        CloudEvent(
            id=DISCARDED,
            source="carebus",
            type=DISCARDED,
            subject=DISCARDED,
            time=EPOCH,
            dataschema=dataschema(DISCARDED, 1),
            shop=shop,
            buyer=buyer,
            data=msgspec.Raw(b"{}"),
        )
    )


def message_of(row: asyncpg.Record) -> Message:
    return Message(row["stream"], row["seq"], row["subject"], row["recorded"], row["payload"])


def park_failed(item: Item, keys: Iterable[str], reason: str, detail: str) -> Parked:
    """A failed input: its lane waits; on buyer `-` its keys alone, and nobody where they are not known."""
    shop, buyer = item.lane
    waiting = ("",) if buyer != NO_BUYER else tuple(dict.fromkeys(keys))
    if item.aside or not waiting:
        return _parked(item, (shop, buyer, ""), "aside", (), reason, detail)
    return _parked(item, (shop, buyer, waiting[0]), "failed", waiting, reason, detail)


def park_waiting(item: Item, behind: Lane, keys: Iterable[str]) -> Parked:
    """An input that waits behind a parked one, and makes those wait that concern the same stories."""
    waiting = ("",) if behind[1] != NO_BUYER else tuple(dict.fromkeys(keys))
    return _parked(item, behind, "waiting", waiting)


def _parked(
    item: Item, lane: Lane, status: Status, keys: tuple[str, ...], reason: str = "", detail: str = ""
) -> Parked:
    return Parked(
        message=item.message,
        lane=lane,
        keys=keys,
        status=status,
        partition=item.partition,
        part=item.part,
        reason=reason,
        detail=detail,
    )


def _kept(detail: str) -> str:
    return detail.replace("\0", "\\0")[-MAX_DETAIL:]


def kind_of(reason: str) -> str:
    """The word before the colon: fit for logs and labels, where the rest may quote data."""
    return reason.partition(":")[0][:60]


def say_parked(item: Item, reason: str, log: Logger, metrics: Metrics) -> None:
    metrics.parked.labels(kind_of(reason)).inc()
    event = item.input if isinstance(item.input, Event) else None
    log.say(
        Log.MESSAGE_PARKED,
        stream=item.message.stream,
        partition=item.partition,
        shop=item.lane[0],
        seq=item.message.seq,
        type=event.data.TYPE if event else None,
        correlation=event.correlationid if event else None,
        causation=event.causationid if event else None,
        reason=kind_of(reason),
    )
