"""A service put together: what it is made of, and one FastStream application that runs it.

The application holds the broker (one NATS connection), the request/reply endpoints, the loop and the relay in its
lifespan, `/health/live`, `/health/ready` and `/metrics`, and stops gracefully.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any, cast

import asyncpg
import msgspec
import uvicorn
from fast_depends.msgspec import MsgSpecSerializer
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.nats import NatsBroker
from faststream.nats.message import NatsMessage
from faststream.security import BaseSecurity
from msgspec import Struct
from nats.errors import Error as NatsError
from prometheus_client import CollectorRegistry, generate_latest

from schemas import subjects
from services.kernel import bus, crash
from services.kernel.clock import Clock, DrivenClock, WallClock
from services.kernel.commands import Commands, CommandSpec
from services.kernel.decider import Decider
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
from services.kernel.settings import Settings, SettingsError
from services.kernel.store import TRANSIENT, connect_pool
from services.kernel.telemetry import Log, Logger, configure, route_libraries, safe_url

RECONNECT_S = 0.2
"""Pause between two attempts to reach NATS again."""
CONNECT_S = 10.0
"""How long a service that starts waits for NATS before it ends, for its supervisor to try again."""
HOUSE_S = 10.0
WORKERS = 8
"""Commands or queries of one name that are worked on at once in one replica."""

VERSION = version("carebus")


class Service(Struct, frozen=True, kw_only=True):
    """What a service is made of: either processes (with sources and commands) or projections (with queries)."""

    name: str
    processes: Sequence[Process] = ()
    sources: Mapping[str, Source] = msgspec.field(default_factory=dict[str, Source])
    commands: Sequence[CommandSpec] = ()
    projections: Sequence[Projection] = ()
    queries: Sequence[QuerySpec] = ()
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
        self.ended = asyncio.Event()
        self.replica = replica_name()
        self._settings = settings
        self._metrics = metrics
        self._dsn = settings.dsn()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self, nats: Any) -> None:
        """Begin to work on this connection. Raises BusError, and what asyncpg raises."""
        service, settings, log, metrics = self.service, self._settings, self.log, self._metrics
        found = nats.connected_server_version
        bus.check_server(found.major, found.minor)
        await bus.ensure_streams(nats, settings)
        self.pool: asyncpg.Pool = await connect_pool(
            self._dsn, service.name, session_name(self.replica, "pool"), 4 + WORKERS
        )
        self._ownership = Ownership(settings, self._dsn, service.name, service.streams, self.replica, log)
        driven = settings.clock == "driven"
        self.relay = Relay(self.pool, nats, self._ownership, log, metrics, self.clock, driven=driven)
        self._decider = Decider(
            service.name,
            service.processes,
            PolicyBook(),
            Past(nats),
            log,
            metrics,
            VERSION,
            lambda: self.relay.log_end,
        )
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
            service.streams,
            self.clock,
            log,
            metrics,
        )
        self.commands = Commands(self.pool, self._decider, self.relay, self.clock, log, metrics)
        self.queries = Queries(self.pool, nats, log, metrics)
        await self._ownership.start()
        self._tasks = [
            asyncio.create_task(self._guarded(self._ownership.run), name=f"{service.name}-heartbeat"),
            asyncio.create_task(self._guarded(self.loop.run), name=f"{service.name}-loop"),
            asyncio.create_task(self._guarded(self.relay.run), name=f"{service.name}-relay"),
            asyncio.create_task(self._keep_house(), name=f"{service.name}-house"),
        ]

    def cannot_start(self, error: Exception, settings: Settings) -> None:
        """Say in one line why the service does not start."""
        where = f"NATS {safe_url(settings.nats_url)}, PostgreSQL {safe_url(settings.postgres_dsn)}"
        self._fail(f"cannot start ({where}): {type(error).__name__}: {error}")
        self.log.say(Log.SERVICE_STOPPED, replica=self.replica, reason=self.failed, error=error)

    async def stop(self) -> None:
        """End the loop and the relay between two transactions, give the partitions up, close the connections."""
        self._stopping = True
        await asyncio.gather(*map(_end, self._tasks))
        await self._ownership.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.pool.close(), 5)
        self.log.say(Log.SERVICE_STOPPED, replica=self.replica, reason=self.failed or None)

    @property
    def not_ready(self) -> str:
        """Why the service is not ready; empty when it is."""
        return self.failed or self.loop.stuck or ("" if self.answering else "not yet subscribed")

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
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
            self.log.say(Log.BATCH_FAILED, error=error)

    async def _keep_house(self) -> None:
        """Every HOUSE_S: forget old commands, count the lanes that wait."""
        while True:
            with suppress(*TRANSIENT):
                await self.commands.expire()
                self._metrics.waiting.set(await self.pool.fetchval("SELECT count(*) FROM blocked"))
            await asyncio.sleep(HOUSE_S)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it is over: a cancellation is lost where something else is raised while it passes.

    Such as the ROLLBACK on a connection that it has just ended, or `asyncio.wait_for` of Python 3.11.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1)


def application(running: Running, settings: Settings, registry: CollectorRegistry) -> AsgiFastStream:
    """The FastStream application of a service."""
    broker = NatsBroker(
        settings.nats(),
        name=f"carebus-{running.service.name}",
        pending_size=0,
        max_reconnect_attempts=-1,
        reconnect_time_wait=cast(int, RECONNECT_S),  # nats-py takes a float, FastStream's annotation does not
        ping_interval=5,
        max_outstanding_pings=2,
        connect_timeout=5,
        security=_security(settings),
        serializer=MsgSpecSerializer(use_fastdepends_errors=False),
        logger=None,
    )
    for command in running.service.commands:
        _endpoint(broker, running, subjects.command(running.service.name, command.name), _carry(running, command))
    for query in running.service.queries:
        _endpoint(broker, running, subjects.query(query.model, query.name), _ask(running, query))

    @asynccontextmanager
    async def lifespan() -> AsyncGenerator[None, None]:
        try:
            await running.start(await _connected(broker))
        except (bus.BusError, NatsError, SettingsError, asyncpg.PostgresError, *TRANSIENT) as error:
            running.cannot_start(error, settings)
            raise
        try:
            yield
        finally:
            await running.stop()

    @get
    async def live(scope: Any) -> AsgiResponse:
        return AsgiResponse(b"", 503) if running.failed else AsgiResponse(b"", 204)

    @get
    async def ready(scope: Any) -> AsgiResponse:
        reason = running.not_ready
        return AsgiResponse(reason.encode(), 503 if reason else 200, {"content-type": "text/plain"})

    @get
    async def metrics(scope: Any) -> AsgiResponse:
        return AsgiResponse(generate_latest(registry), 200, {"content-type": "text/plain; version=0.0.4"})

    async def answering() -> None:
        running.answering = True

    return AsgiFastStream(
        broker,
        lifespan=lifespan,
        after_startup=[answering],
        logger=None,
        asgi_routes=[("/health/live", live), ("/health/ready", ready), ("/metrics", metrics)],
    )


async def serve(service: Service, settings: Settings) -> int:
    """Run a service until it is told to stop (0) or cannot go on (1)."""
    registry = CollectorRegistry()
    metrics = Metrics(service.name, registry, VERSION)
    log = configure(
        service.name,
        level=settings.log_level,
        style=settings.log_format,
        strict=settings.strict_logs,
        on_dropped=metrics.log_field_dropped,
    )
    route_libraries(log)
    crash.arm(settings.crash_at)
    running = Running(service, settings, log, metrics)
    app = application(running, settings, registry)
    server = uvicorn.Server(uvicorn.Config(app, settings.http_host, settings.http_port, log_config=None, lifespan="on"))
    log.say(
        Log.SERVICE_STARTED,
        version=VERSION,
        replica=running.replica,
        port=settings.http_port,
        server=safe_url(settings.nats_url),
    )
    if settings.clock == "driven":
        log.say(Log.CLOCK_DRIVEN)
    watcher = asyncio.create_task(_watch(running, server))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handled)
    with suppress(SystemExit):  # with which uvicorn ends where the lifespan did not start; the exit code is ours
        await server.serve()
    watcher.cancel()
    return 1 if running.failed or not server.started else 0


def _handled(_number: int, _frame: object) -> None:
    """uvicorn ends at a signal and then raises it again; the exit code is ours."""


async def _connected(broker: NatsBroker) -> Any:
    """The first connection. nats-py would try for ever without a word; raises BusError after CONNECT_S."""
    try:
        return await asyncio.wait_for(broker.connect(), CONNECT_S)
    except TimeoutError:
        raise bus.BusError(f"NATS was not reached within {CONNECT_S} s") from None


async def _watch(running: Running, server: uvicorn.Server) -> None:
    """A service that cannot go on ends, for its supervisor to see."""
    await running.ended.wait()
    server.should_exit = True


def _endpoint(broker: NatsBroker, running: Running, subject: str, answer: Any) -> None:
    broker.subscriber(subject, queue=running.service.name, max_workers=WORKERS, decoder=_raw)(answer)


def _carry(running: Running, spec: CommandSpec) -> Any:
    async def command(body: bytes) -> bytes:
        return await running.commands.answer(spec, body)

    return command


def _ask(running: Running, spec: QuerySpec) -> Any:
    async def query(body: bytes) -> bytes:
        return await running.queries.answer(spec, body)

    return query


async def _raw(message: NatsMessage) -> bytes:
    return message.body


def _security(settings: Settings) -> BaseSecurity | None:
    if not settings.nats_credentials_file:
        return None
    from faststream.nats.security import NatsCredentials

    return NatsCredentials.from_file(settings.nats_credentials_file)
