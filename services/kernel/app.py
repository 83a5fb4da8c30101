"""One FastStream application a service, and serving it.

It holds the broker (one NATS connection), the request/reply endpoints, the running parts in its lifespan,
`/health/live`, `/health/ready` and `/metrics`, and stops gracefully.
"""

import asyncio
import gc
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import asyncpg
import uvicorn
from fast_depends.msgspec import MsgSpecSerializer
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.nats import NatsBroker
from faststream.nats.message import NatsMessage
from faststream.security import BaseSecurity
from nats.errors import Error as NatsError
from prometheus_client import CollectorRegistry, generate_latest

from schemas import subjects
from services.kernel import bus, crash
from services.kernel.commands import CommandSpec
from services.kernel.metrics import Metrics
from services.kernel.queries import QuerySpec
from services.kernel.service import VERSION, WORKERS, Running, Service
from services.kernel.settings import Settings, SettingsError
from services.kernel.store import TRANSIENT
from services.kernel.telemetry import Log, configure, route_libraries, safe_url

RECONNECT_S = 0.2
"""Pause between two attempts to reach NATS again."""
CONNECT_S = 10.0
"""How long a service that starts waits for NATS before it ends, for its supervisor to try again."""


class _Application(AsgiFastStream):
    """FastStream's routes match a whole path; what lies under the prefix of a door is that door's."""

    def __init__(self, running: Running, *brokers: NatsBroker, **options: Any) -> None:
        super().__init__(*brokers, **options)
        self._running = running

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            for prefix, answer in self._running.doors.items():
                if scope["path"].startswith(prefix):
                    return await answer(scope, receive, send)
        await super().__call__(scope, receive, send)


def application(running: Running, settings: Settings, registry: CollectorRegistry) -> AsgiFastStream:
    """The FastStream application of a service."""

    async def gone() -> None:
        running.log.say(Log.NATS_DISCONNECTED, server=safe_url(settings.nats_url))

    async def back() -> None:
        running.log.say(Log.NATS_RECONNECTED, server=safe_url(settings.nats_url))

    broker = NatsBroker(
        settings.nats(),
        name=f"carebus-{running.service.name}",
        pending_size=0,
        max_reconnect_attempts=-1,
        reconnect_time_wait=cast(int, RECONNECT_S),  # nats-py takes a float, FastStream's annotation does not
        ping_interval=5,
        max_outstanding_pings=2,
        connect_timeout=5,
        disconnected_cb=gone,
        reconnected_cb=back,
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

    return _Application(
        running,
        broker,
        lifespan=lifespan,
        after_startup=[answering],
        logger=None,
        asgi_routes=[("/health/live", live), ("/health/ready", ready), ("/metrics", metrics)],
    )


async def serve(service: Service, settings: Settings, told: Callable[[str], None] = lambda reason: None) -> int:
    """Run a service until it is told to stop (0) or cannot go on (1); 2 where it could not start.

    told: hears in one line, free of secrets, why it did not end by being told to. Raises SettingsError.
    """
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
    gc.collect()
    gc.freeze()  # what was imported and made so far stays; the collector need not look through it again
    with suppress(SystemExit):  # with which uvicorn ends where the lifespan did not start; the exit code is ours
        await server.serve()
    watcher.cancel()
    if not server.started:
        where = f"{settings.http_host}:{settings.http_port}"
        told(safe_url(running.failed) or f"cannot start: the HTTP port {where} cannot be listened on")
        return 2
    if running.failed:
        told(f"cannot go on: {safe_url(running.failed)}")
    return 1 if running.failed else 0


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

    try:
        return NatsCredentials.from_file(settings.nats_credentials_file)
    except ImportError:
        raise SettingsError("CAREBUS_NATS_CREDENTIALS_FILE: install the package nkeys, which signs the login") from None
