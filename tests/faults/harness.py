"""One run: servers, replicas under a supervisor, a feed, a fault meanwhile; then the verdict."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg

from schemas.codec import decode
from services.cli.servers import NatsServer
from services.kernel import bus
from services.kernel.history import history
from services.kernel.reader import message_of
from services.kernel.settings import Settings
from tests.databases import Database
from tests.examples.services import SERVICES, prepare
from tests.faults.feed import Feed, make_feed
from tests.faults.outside import Outside, connect
from tests.faults.replicas import AGAIN_S, Replica
from tests.faults.verdict import Traces, differences
from tests.proxy import Proxy
from tests.stack import is_settled, settings_for

FACTS = 400
RATE = 150.0
"""Pushes a second."""
HEARTBEAT_S, STALE_S = 0.3, 1.0
SETTLE_S = 45.0

Fault = Callable[["World"], Awaitable[None]]


@dataclass
class World:
    """Servers and replicas of one run. `directory` holds the replicas' logs."""

    server: NatsServer
    database: Database
    directory: Path
    settings: Settings
    environment: dict[str, str]
    outside: Outside
    replicas: dict[str, list[Replica]] = field(default_factory=dict)

    async def start(self, service: str, armed: Sequence[str] = ()) -> Replica:
        """One more replica of this service; armed as `Replica.start` says."""
        replica = Replica(service, self.environment, self.directory)
        self.replicas.setdefault(service, []).append(replica)
        await replica.start(armed)
        return replica

    @property
    def all(self) -> list[Replica]:
        return [replica for replicas in self.replicas.values() for replica in replicas]

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """Rows, over a connection of its own: the server may have been away."""
        connection = await asyncpg.connect(self.database.dsn, timeout=5)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def ready(self) -> None:
        """Wait until every replica has taken its share of the partitions."""
        for replica in self.all:
            await replica.owns()

    async def settled(self, total: int = 0) -> None:
        """Wait until the view has this many events, and all is handled and relayed. Raises TimeoutError.

        What is missing then is told by the verdict, not here.
        """
        async with asyncio.timeout(SETTLE_S):
            connection = await asyncpg.connect(self.database.dsn, timeout=5)
            try:
                while await connection.fetchval("SELECT count(*) FROM ex_ends.seen") < total or not (
                    await is_settled(self.outside.client, connection, list(SERVICES.values()))
                ):
                    await asyncio.sleep(0.05)
            finally:
                await connection.close()

    async def traces(self) -> Traces:
        log = [
            decode(message.payload, seq=message.seq, recordedtime=message.recorded)
            async for msg in history(self.outside.client, bus.EVENTS, "evt.>")
            for message in [message_of(bus.EVENTS, msg)]
        ]
        info = await bus.request(self.outside.client, f"STREAM.INFO.{bus.EVENTS}", {})
        assert info["state"]["messages"] == len(log) == info["state"]["last_seq"], "the log was read as a whole"
        left = {
            f"{service}.{table}": (await self.fetch(f"SELECT count(*) FROM {service}.{table}"))[0][0]
            for service in SERVICES
            for table in ("outbox", "parked", "blocked")
        }
        received = await self.fetch("SELECT command_id, received FROM ex_remind.command")
        return Traces(
            log,
            await self.fetch("SELECT * FROM ex_ends.seen ORDER BY place"),
            await self.fetch("SELECT * FROM ex_ends.order_end"),
            left,
            {row["command_id"]: row["received"] for row in received},
            self.outside.answers,
        )

    async def stop(self) -> None:
        for replica in self.all:
            await replica.kill()


@dataclass(frozen=True)
class Run:
    """What the matrix says of a run, and what was fed."""

    feed: Feed
    restarts: int
    seconds: float


@asynccontextmanager
async def world_of(
    server: NatsServer,
    database: Database,
    directory: Path,
    *,
    nats_proxy: Proxy | None = None,
    postgres_proxy: Proxy | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """Streams and tables, no replicas yet. With a proxy the replicas (not the outside) go through it."""
    dsn, url = database.dsn, server.url
    mine = settings_for(dsn, url, heartbeat_s=HEARTBEAT_S, stale_s=STALE_S, **settings)
    environment = {
        "PATH": os.defpath,
        "CAREBUS_NATS_URL": f"nats://127.0.0.1:{nats_proxy.port}" if nats_proxy else url,
        "CAREBUS_POSTGRES_DSN": (
            dsn.replace(f":{database.server.port}/", f":{postgres_proxy.port}/") if postgres_proxy else dsn
        ),
        "CAREBUS_LOG_LEVEL": "debug",
        **{
            f"CAREBUS_{name.upper()}": str(getattr(mine, name))
            for name in (
                "heartbeat_s", "stale_s", "duplicate_window_s", "log_max_bytes", "inbox_max_bytes", "http_port",
            )
        },
    }  # fmt: skip
    async with AsyncExitStack() as stack:
        await prepare(dsn)
        client = await connect(url)
        stack.push_async_callback(client.close)
        await bus.ensure_streams(client, mine)
        world = World(server, database, directory, mine, environment, Outside(client, lambda sql: world.fetch(sql)))
        stack.push_async_callback(world.stop)
        yield world


async def run(
    world: World,
    seed: int,
    fault: Fault,
    *,
    facts: int = FACTS,
    rate: float = RATE,
    armed: Mapping[str, Sequence[str]] = MappingProxyType({}),
    replicas: Sequence[str] = tuple(SERVICES),
    again_s: float = AGAIN_S,
) -> Run:
    """Start the replicas, feed them, do the fault meanwhile, wait until all has settled, and judge.

    armed: service -> how its first replica's lives end (crash.py). again_s: when one that died is started again.
    Raises AssertionError that says what differs and where the logs are.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    orders = dict(armed)
    for name in replicas:
        (await world.start(name, orders.pop(name, ()))).again_s = again_s
    await world.ready()
    feed = make_feed(seed, datetime.now(UTC), facts)
    done = asyncio.gather(world.outside.feed(feed, rate), world.outside.cancel_all(feed))
    try:
        await fault(world)
        async with asyncio.timeout(SETTLE_S):
            await done
    except TimeoutError:
        unanswered = [c.first for c in feed.cancels if c.second not in world.outside.answers][:5]
        await _judge(world, feed, f"feed: {world.outside.published} of {len(feed.pushes)}, waiting: {unanswered}")
    finally:
        done.cancel()
        await asyncio.gather(done, return_exceptions=True)
    try:
        await world.settled(sum(feed.lines.values()))
    except TimeoutError:
        await _judge(world, feed, f"not settled within {SETTLE_S} s")
    await world.outside.cancel_all_again(feed)
    await _judge(world, feed)
    restarts = sum(len(replica.exits) for replica in world.all)
    return Run(feed, restarts, loop.time() - began)


async def _judge(world: World, feed: Feed, trouble: str = "") -> None:
    found = [trouble] * bool(trouble) + differences(feed, await world.traces()) + world.outside.odd
    if found:
        exits = {replica.log.name: replica.exits for replica in world.all}
        raise AssertionError(
            "\n".join([f"seed {feed.seed}: {len(found)} differences", *found, f"exits: {exits}",
                       f"logs: {world.directory}"])
        )  # fmt: skip
