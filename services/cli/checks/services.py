"""Each service: does it run, does it keep up, does anything wait for a person?"""

import asyncio
import http.client
from datetime import datetime

import asyncpg
from nats.aio.client import Client

from schemas.subjects import PARTITIONS
from services.cli import registry
from services.cli.checks import lag
from services.cli.checks.check import LIMIT_S, Check, bounded, fail, ok, one_line, skipped, warn
from services.cli.service_process import get
from services.cli.stackfile import Place, Stack
from services.kernel import bus
from services.kernel.clock import WallClock
from services.kernel.settings import Settings

SLOW_S, STUCK_S = 10.0, 300.0
"""Something that waits longer than this is told of; and is taken for stuck."""
HTTP_S = 2.0

_IN_POSTGRES = ("runs", "partitions", "outbox", "parked")
_IN_BOTH = ("lag", "log")

_SEARCH = "SELECT set_config('search_path', $1, false)"
_REPLICAS = """
SELECT count(*) FILTER (WHERE heartbeat > clock_timestamp() - make_interval(secs => $1)) AS alive,
       extract(epoch FROM clock_timestamp() - max(heartbeat))::float8 AS age FROM replica
"""
_OWNED = """
SELECT count(DISTINCT objid) FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database()
WHERE locktype = 'advisory' AND granted AND classid = hashtext(current_schema())::oid AND objsubid = 2
  AND objid::bigint < $1
"""
_OUTBOX = """
SELECT count(*) AS rows, extract(epoch FROM clock_timestamp() - min(created))::float8 AS age FROM outbox
"""
_PARKED = "SELECT status, count(*) AS rows FROM parked GROUP BY status ORDER BY status"
_BLOCKED = "SELECT count(*) FROM blocked"
_CHECKPOINTS = "SELECT stream, partition, seq FROM checkpoint"
_STREAMS = "SELECT stream, created FROM stream"


async def look(
    settings: Settings, stack: Stack | None, postgres: asyncpg.Connection | None, nats: Client | None
) -> list[Check]:
    """The checks of every service. postgres, nats: None where that server cannot be used."""
    ends, why = await _ends(nats)
    checks: list[Check] = []
    for name in registry.NAMES:
        if postgres is None:
            names = [f"{name} {what}" for what in (*_IN_POSTGRES, *_IN_BOTH)]
            checks += skipped(names, "PostgreSQL is not reachable")
        else:
            checks += await _rows_of(name, settings, postgres)
            if nats is None or why:
                checks += skipped([f"{name} {what}" for what in _IN_BOTH], why)
            else:
                checks.append(await bounded(f"{name} lag", _lag(name, postgres, nats, ends)))
                checks.append(await bounded(f"{name} log", _log(name, postgres, nats)))
        if stack is not None and name in stack.services:
            checks.append(await bounded(f"{name} ready", _ready(name, stack.services[name])))
    return checks


async def _ends(nats: Client | None) -> tuple[lag.Ends, str]:
    """The ends of both streams' partitions, or why they cannot be told."""
    if nats is None:
        return {}, "JetStream is not reachable"
    try:
        async with asyncio.timeout(LIMIT_S):
            return await lag.ends(nats, bus.EVENTS) | await lag.ends(nats, bus.INBOX), ""
    except (bus.BusError, TimeoutError) as error:
        return {}, f"the streams cannot be read ({one_line(error)})"


async def _rows_of(name: str, settings: Settings, postgres: asyncpg.Connection) -> list[Check]:
    """What the service's own tables tell."""
    return [
        await bounded(f"{name} runs", _runs(name, settings, postgres)),
        await bounded(f"{name} partitions", _partitions(name, settings, postgres)),
        await bounded(f"{name} outbox", _outbox(name, postgres)),
        await bounded(f"{name} parked", _parked(name, postgres)),
    ]


async def _runs(name: str, settings: Settings, postgres: asyncpg.Connection) -> Check:
    """Whether a replica's heartbeat is fresh."""
    await postgres.execute(_SEARCH, name)
    [row] = await postgres.fetch(_REPLICAS, settings.stale_s)
    if row["alive"]:
        return ok(f"{name} runs", f"{row['alive']} replica{'s' * (row['alive'] > 1)}")
    last = "no replica" if row["age"] is None else f"no heartbeat for {row['age']:.0f} s"
    return fail(f"{name} runs", last, f"start it: `carebus up`, or `carebus run {name}`; its log says why it ended")


async def _partitions(name: str, settings: Settings, postgres: asyncpg.Connection) -> Check:
    """Whether somebody works on every partition."""
    await postgres.execute(_SEARCH, name)
    owned = await postgres.fetchval(_OWNED, PARTITIONS)
    if owned == PARTITIONS:
        return ok(f"{name} partitions", f"all {PARTITIONS} owned")
    return warn(
        f"{name} partitions",
        f"{owned} of {PARTITIONS} owned; what concerns the others waits",
        f"look again in {settings.stale_s:g} s, which a take-over needs; if it stays: start a replica, or see"
        " partition_lost and state_newer in the service's log",
    )


async def _outbox(name: str, postgres: asyncpg.Connection) -> Check:
    """Whether what was decided reaches the log."""
    await postgres.execute(_SEARCH, name)
    [row] = await postgres.fetch(_OUTBOX)
    if not row["rows"]:
        return ok(f"{name} outbox", "empty")
    found = f"{row['rows']} decided and not yet in the log, the oldest for {row['age']:.0f} s"
    cure = "see outbox_retry in the service's log: is NATS reachable, does EVENTS have room, does the service run?"
    return _judged(f"{name} outbox", row["age"], found, cure)


async def _parked(name: str, postgres: asyncpg.Connection) -> Check:
    """Whether messages that could not be handled wait for a person."""
    await postgres.execute(_SEARCH, name)
    rows = {row["status"]: row["rows"] for row in await postgres.fetch(_PARKED)}
    blocked = await postgres.fetchval(_BLOCKED)
    if not rows and not blocked:
        return ok(f"{name} parked", "nothing")
    cure = f"`carebus parked list {name}` gives reasons; mend the cause, then `carebus parked retry {name} ID`"
    if "aside" in rows:
        cure += (
            f", or give it up: `carebus parked discard {name} ID --reason WHY`. Nothing waits behind those set aside"
        )
    found = ", ".join(f"{count} {status}" for status, count in rows.items()) + f"; lanes blocked: {blocked}"
    return warn(f"{name} parked", found, cure)


async def _lag(name: str, postgres: asyncpg.Connection, nats: Client, ends: lag.Ends) -> Check:
    """How far its checkpoints are behind the streams it reads."""
    try:
        streams = registry.service(name).streams
    except ImportError as error:
        return fail(f"{name} lag", f"services.{name} cannot be imported: {error}", "install carebus again")
    await postgres.execute(_SEARCH, name)
    checkpoints = {(row["stream"], row["partition"]): row["seq"] for row in await postgres.fetch(_CHECKPOINTS)}
    worst, told = 0.0, list[str]()
    for stream in streams:
        found = await lag.lag(nats, stream, ends, checkpoints)
        age = (WallClock().now() - found.since).total_seconds() if found.since else 0.0
        worst = max(worst, age)
        if found.behind:
            told.append(f"{stream} {found.behind} sequences, {age:.0f} s behind")
    cure = "does the service run and own its partitions? See batch_failed in its log; more replicas share the work"
    return _judged(f"{name} lag", worst, "; ".join(told) or "none", cure)


async def _log(name: str, postgres: asyncpg.Connection, nats: Client) -> Check:
    """Whether the streams are still those that the checkpoints speak of (`services.kernel.restored` refuses others)."""
    await postgres.execute(_SEARCH, name)
    created: dict[str, datetime] = {row["stream"]: row["created"] for row in await postgres.fetch(_STREAMS)}
    furthest = dict[str, int]()
    for row in await postgres.fetch(_CHECKPOINTS):  # before the streams' ends, or a checkpoint may overtake them
        furthest[row["stream"]] = max(furthest.get(row["stream"], 0), row["seq"])
    for stream, instant in created.items():
        state = await bus.stream_state(nats, stream)
        cure = "restore database and log from backups of one time, database first; or use a new database for a new log"
        if state.created != instant:
            found = f"{stream} was made {state.created:%F %T}, the checkpoints are of one made {instant:%F %T}"
            return fail(f"{name} log", found, cure)
        if furthest.get(stream, 0) > state.last:
            found = f"{stream} ends at {state.last}, but was handled up to {furthest[stream]}: it was restored"
            return fail(f"{name} log", found, cure)
    return ok(f"{name} log", "the one that the checkpoints speak of" if created else "not yet read")


async def _ready(name: str, place: Place) -> Check:
    """What the service says of itself at its HTTP door."""
    url = f"{place.url}/health/ready"
    try:
        status, body = await asyncio.to_thread(get, url, HTTP_S)
    except (OSError, http.client.HTTPException) as error:
        return fail(f"{name} ready", f"{url}: {one_line(error)}", f"`carebus up`; its log is {place.log}")
    if status != http.HTTPStatus.OK:
        return fail(f"{name} ready", f"{url}: {body or status}", f"its log is {place.log}")
    return ok(f"{name} ready", url)


def _judged(name: str, age_s: float, found: str, cure: str) -> Check:
    if age_s > STUCK_S:
        return fail(name, found, cure)
    return warn(name, found, cure) if age_s > SLOW_S else ok(name, found)
