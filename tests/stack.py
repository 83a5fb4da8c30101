"""The example services on real servers, inside the test's own process."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec
import nats
from faststream.asgi import AsgiFastStream
from prometheus_client import CollectorRegistry

from schemas import subjects
from services.kernel import bus
from services.kernel.app import application
from services.kernel.metrics import Metrics
from services.kernel.service import Running, Service
from services.kernel.settings import Settings
from services.kernel.telemetry import configure

PATIENCE_S = 20.0


def settings_for(dsn: str, bus_url: str, **more: Any) -> Settings:
    """Settings of a test: small streams, a dedupe window so short that it proves nothing by itself."""
    small: dict[str, Any] = {"log_max_bytes": 2**31, "inbox_max_bytes": 2**31, "duplicate_window_s": 2}
    return Settings(nats_url=bus_url, postgres_dsn=dsn, **(small | more))


async def until(condition: Callable[[], Awaitable[Any]], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait for a condition, with a limit; what it returned when it came true."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience_s
    while True:
        if found := await condition():
            return found
        if loop.time() > end:
            raise AssertionError(f"not within {patience_s} s: {what}")
        await asyncio.sleep(0.02)


async def is_settled(nats_client: Any, connection: Any, services: Sequence[Service]) -> bool:
    """Whether every service has handled all of its streams and relayed all that it decided."""
    for service in services:
        for stream in service.streams:
            for number in range(subjects.PARTITIONS):
                last = await _last(nats_client, stream, f"{bus.ROOTS[stream]}.{number}.>")
                seq = await connection.fetchval(
                    f"SELECT seq FROM {service.name}.checkpoint WHERE stream = $1 AND partition = $2",
                    stream,
                    number,
                )
                if (seq or 0) < last:
                    return False
        if await connection.fetchval(f"SELECT count(*) FROM {service.name}.outbox"):
            return False
    return True


async def _last(nats_client: Any, stream: str, subject: str) -> int:
    try:
        reply = await bus.request(nats_client, f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
    except bus.BusError as error:
        if error.code in (10037, 10059):
            return 0
        raise
    return int(reply["message"]["seq"])


@dataclass
class Stack:
    """Running services, and a client's view of them."""

    settings: Settings
    services: Sequence[Service]
    nats: Any
    connection: Any
    running: dict[str, Running] = field(default_factory=dict)
    registries: dict[str, CollectorRegistry] = field(default_factory=dict)
    logs: dict[str, io.StringIO] = field(default_factory=dict)
    _lifespans: dict[str, "_Lifespan"] = field(default_factory=dict)

    async def start(self, service: Service) -> Running:
        registry, file = CollectorRegistry(), io.StringIO()
        metrics = Metrics(service.name, registry)
        log = configure(service.name, level="debug", style="json", strict=True, file=file)
        running = Running(service, self.settings, log, metrics)
        lifespan = _Lifespan(application(running, self.settings, registry))
        await lifespan.start()
        self.running[service.name], self._lifespans[service.name] = running, lifespan
        self.registries[service.name], self.logs[service.name] = registry, file

        async def ready() -> bool:
            return not running.not_ready

        await until(ready, f"{service.name} is ready")
        return running

    async def stop(self, name: str) -> None:
        await self._lifespans.pop(name).stop()
        del self.running[name]

    async def stop_all(self) -> None:
        for name in list(self._lifespans):
            await self.stop(name)

    async def get(self, name: str, path: str) -> tuple[int, str]:
        """Status and body of a service's HTTP door."""
        return await self._lifespans[name].get(path)

    async def publish(self, source: str, shop: str, kind: str, *facts: Any) -> None:
        """Put raw facts into INBOX, one message each (bytes are published as they are)."""
        js = self.nats.jetstream()
        for fact in facts:
            payload = fact if isinstance(fact, bytes) else msgspec.json.encode(fact)
            await js.publish(subjects.raw(source, shop, kind), payload)

    async def settled(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until everything published is handled and everything decided is in the log and handled too."""

        async def quiet() -> bool:
            return await is_settled(self.nats, self.connection, self.services)

        await until(quiet, "all services settled", patience_s)

    async def command(self, service: str, name: str, **fields: Any) -> dict[str, Any]:
        """A command's answer; fields are those of the envelope, `data` among them."""
        body = {"shop": "s1", "actor": {"id": "a1", "role": "agent"}, **fields}
        return await self.ask(subjects.command(service, name), body)

    async def ask(self, subject: str, body: Any) -> dict[str, Any]:
        payload = body if isinstance(body, bytes) else msgspec.json.encode(body)
        reply = await self.nats.request(subject, payload, timeout=10)
        return msgspec.json.decode(reply.data)

    async def rows(self, sql: str, *arguments: Any) -> list[Any]:
        return await self.connection.fetch(sql, *arguments)


class _Lifespan:
    """An application's life in a task of its own, as it has under uvicorn: started and stopped in any order."""

    def __init__(self, app: AsgiFastStream) -> None:
        self._app = app
        self._stop = asyncio.Event()

    async def start(self) -> None:
        started = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(started))
        await asyncio.wait([started, self._task], return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        self._stop.set()
        await self._task

    async def get(self, path: str) -> tuple[int, str]:
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
        await self._app(scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent).decode()

    async def _live(self, started: asyncio.Future[None]) -> None:
        async with self._app.start_lifespan_context():
            started.set_result(None)
            await self._stop.wait()


@asynccontextmanager
async def stack_of(services: Sequence[Service], dsn: str, bus_url: str, **settings: Any) -> AsyncIterator[Stack]:
    """Start these services; stop them at the end."""
    client = await nats.connect(bus_url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    connection = await asyncpg.connect(dsn)
    stack = Stack(settings_for(dsn, bus_url, **settings), services, client, connection)
    try:
        for service in services:
            await stack.start(service)
        yield stack
    finally:
        await stack.stop_all()
        await connection.close()
        await client.close()
