"""A service put together: what it is made of, and its parts while it runs (`app` serves them)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct
from nats.errors import Error as NatsError

from services.kernel import bus
from services.kernel.clock import Clock, DrivenClock, WallClock
from services.kernel.commands import Commands, CommandSpec
from services.kernel.decider import Decider
from services.kernel.doors import Answer, Door, DoorMeans
from services.kernel.effects import Effect, Hearing, Means, ensure_consumers
from services.kernel.ids import replica_name
from services.kernel.inputs import Source
from services.kernel.loop import Loop, Worker
from services.kernel.metrics import Metrics
from services.kernel.outbox import Relay
from services.kernel.ownership import Ownership, session_name
from services.kernel.policybook import PolicyBook
from services.kernel.process import Process
from services.kernel.projection import Projection, Projector
from services.kernel.queries import Queries, QuerySpec
from services.kernel.refold import Past
from services.kernel.restored import LogRestored
from services.kernel.settings import Settings
from services.kernel.store import TRANSIENT, connect_pool
from services.kernel.telemetry import Log, Logger, safe_url
from services.kernel.vault import NO_KEYS, read_keys

HOUSE_S = 10.0
WORKERS = 8
"""Commands or queries of one name that are worked on at once in one replica."""
EFFECT_CONNECTIONS = 8
"""For each effect: what it begins is one transaction, what it goes on with are several."""

VERSION = version("carebus")


Chore = Callable[[bus.Nats, Settings, Logger], Awaitable[None]]
"""Something that every replica does again and again, every HOUSE_S; it may raise BusError and NatsError."""


class Service(Struct, frozen=True, kw_only=True):
    """What a service is made of: processes (with sources, commands, effects) or projections (with queries)."""

    name: str
    processes: Sequence[Process] = ()
    sources: Mapping[str, Source] = msgspec.field(default_factory=dict[str, Source])
    commands: Sequence[CommandSpec] = ()
    projections: Sequence[Projection] = ()
    queries: Sequence[QuerySpec] = ()
    effects: Sequence[Effect] = ()
    doors: Sequence[Door] = ()
    chores: Sequence[Chore] = ()
    reads_events: bool = True

    @property
    def streams(self) -> list[str]:
        return [bus.EVENTS] * self.reads_events + [bus.INBOX] * bool(self.sources)


class Running:
    """The parts of a running service, made in `start` and ended in `stop`."""

    def __init__(
        self, service: Service, settings: Settings, log: Logger, metrics: Metrics, clock: Clock | None = None
    ) -> None:
        if service.processes and service.projections:
            raise ValueError(f"{service.name}: a service has processes or projections, not both")
        self.service = service
        self.log = log
        self.clock: Clock = clock or (DrivenClock() if settings.clock == "driven" else WallClock())
        self.failed = ""
        self.answering = False
        self.doors: dict[str, Answer] = {}
        self.ended = asyncio.Event()
        self.replica = replica_name()
        self._settings = settings
        self._metrics = metrics
        self._dsn = settings.dsn()
        self._tasks: list[asyncio.Task[None]] = []
        self._held = AsyncExitStack()
        self._stopping = False

    async def start(self, nats: Any) -> None:
        """Begin to work on this connection. Raises BusError, and what asyncpg raises."""
        service, settings, log, metrics = self.service, self._settings, self.log, self._metrics
        found = nats.connected_server_version
        bus.check_server(found.major, found.minor)
        await bus.ensure_streams(nats, settings)
        await ensure_consumers(nats, service.name, service.effects)
        means = DoorMeans(settings, nats, log, metrics)
        self.doors = {door.prefix: door.open(means) for door in service.doors}
        self.pool: asyncpg.Pool = await connect_pool(
            self._dsn,
            service.name,
            session_name(self.replica, "pool"),
            4 + WORKERS + EFFECT_CONNECTIONS * len(service.effects),
        )
        self._ownership = Ownership(settings, self._dsn, service.name, service.streams, self.replica, log)
        driven = settings.clock == "driven"
        self.relay = Relay(
            self.pool, nats, self._ownership, log, metrics, self.clock, driven=driven, restored=settings.restored
        )
        self._decider = Decider(
            service.name,
            service.processes,
            PolicyBook(),
            Past(nats, driven=driven),
            log,
            metrics,
            VERSION,
            lambda: self.relay.log_end,
        )
        keys = read_keys(settings) if service.sources else NO_KEYS
        projector = Projector(service.projections, log, metrics, VERSION)
        worker: Worker = projector if service.projections else self._decider
        self.loop = Loop(
            settings,
            self.pool,
            nats,
            self._ownership,
            self.relay,
            worker,
            service.sources,
            keys,
            service.streams,
            self.clock,
            log,
            metrics,
        )
        self.commands = Commands(self.pool, self._decider, self.relay, self.clock, log, metrics)
        self.queries = Queries(self.pool, nats, log, metrics)
        self._nats = nats
        hearings = [await self._hearing(effect) for effect in service.effects]
        await self._ownership.start()
        self._tasks = [
            asyncio.create_task(self._guarded(self._ownership.run), name=f"{service.name}-heartbeat"),
            asyncio.create_task(self._guarded(self.loop.run), name=f"{service.name}-loop"),
            asyncio.create_task(self._guarded(self.relay.run), name=f"{service.name}-relay"),
            asyncio.create_task(self._keep_house(), name=f"{service.name}-house"),
        ]
        for effect, hearing in zip(service.effects, hearings, strict=True):
            await hearing.subscribe(nats)
            self._tasks.append(asyncio.create_task(self._guarded(hearing.run), name=f"{service.name}-{effect.name}"))

    def cannot_start(self, error: Exception, settings: Settings) -> None:
        """Say in one line why the service does not start."""
        where = f"NATS {safe_url(settings.nats_url)}, PostgreSQL {safe_url(settings.postgres_dsn)}"
        self._fail(f"cannot start ({where}): {type(error).__name__}: {error}")
        self.log.say(Log.SERVICE_STOPPED, replica=self.replica, reason=self.failed, error=error)

    async def stop(self) -> None:
        """End the loop and the relay between two transactions, give the partitions up, close the connections."""
        self._stopping = True
        await asyncio.gather(*map(_end, self._tasks))
        await self._held.aclose()
        await self._ownership.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.pool.close(), 5)
        self.log.say(Log.SERVICE_STOPPED, replica=self.replica, reason=self.failed or None)

    @property
    def not_ready(self) -> str:
        """Why the service is not ready; empty when it is."""
        return self.failed or self.loop.stuck or ("" if self.answering else "not yet subscribed")

    async def _hearing(self, effect: Effect) -> Hearing:
        """An effect with all it works with, opened here until the service stops. Raises SettingsError."""
        held = await self._held.enter_async_context(effect.hold(self._settings))
        means = Means(effect.name, self.pool, self._nats, self.relay, self.clock, self.log, held)
        return Hearing(self.service.name, effect, means)

    def _fail(self, why: str) -> None:
        self.failed = why
        self.ended.set()

    async def _guarded(self, run: Callable[[], Any]) -> None:
        try:
            await run()
        except LogRestored as error:
            self._fail(str(error))
        except asyncio.CancelledError:
            if not self._stopping:
                self._fail("cancelled from within")
            raise
        except Exception as error:  # a bug; its text may quote data, the log says where it was raised
            self._fail(type(error).__name__)
            self.log.say(Log.SERVICE_FAILED, error=error, replica=self.replica)

    async def _keep_house(self) -> None:
        """Every HOUSE_S: forget old commands, count the lanes that wait, make sure of the effects' consumers."""
        while True:
            with suppress(*TRANSIENT):
                await self.commands.expire()
                self._metrics.waiting.set(await self.pool.fetchval("SELECT count(*) FROM blocked"))
            with suppress(bus.BusError, NatsError):
                await ensure_consumers(self._nats, self.service.name, self.service.effects)
                for chore in self.service.chores:
                    await chore(self._nats, self._settings, self.log)
            await asyncio.sleep(HOUSE_S)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it is over: a cancellation is lost where something else is raised while it passes.

    Such as the ROLLBACK on a connection that it has just ended, or `asyncio.wait_for` of Python 3.11.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1)
