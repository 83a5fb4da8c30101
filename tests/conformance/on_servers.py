"""A case through NATS and PostgreSQL, under a clock that moves only when everything is settled."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from schemas import subjects
from schemas.codec import encode, entity
from schemas.envelope import Event
from services.kernel import bus, parked
from services.kernel.history import history
from services.kernel.inputs import decode_message
from services.kernel.parked import kind_of
from services.kernel.reader import RECORDED_HEADER, message_of
from services.kernel.service import Service
from services.kernel.store import rows_of
from tests.conformance.steps import Ask, Break, Case, Log, Mend, Push, Retry, Seen, Start, Stop, Wait, breakable, seen
from tests.examples.services import prepare
from tests.stack import Stack, stack_of, until

INSTANT = timedelta(microseconds=1)

_STANDS = """
SELECT (SELECT array_agg(ARRAY[stream, top::text]) FROM
         (SELECT stream, max(seq) AS top FROM {service}.checkpoint GROUP BY stream) AS c) AS read,
       (SELECT count(*) FROM {service}.outbox) AS outbox,
       (SELECT count(*) FROM {service}.parked WHERE status = 'retry') AS retries,
       (SELECT min(fire) FROM {service}.state s WHERE NOT EXISTS (SELECT FROM {service}.blocked b
         WHERE b.shop = s.shop AND b.buyer = s.buyer AND b.key IN ('', s.key))) AS due
"""


async def on_servers(case: Case, dsn: str, bus_url: str) -> Seen:
    await prepare(dsn)
    services, broken = breakable()
    async with stack_of(services, dsn, bus_url, clock="driven") as stack:
        return await _Driver(stack, broken).play(case)


class _Driver:
    """Moves the hand to each step, and on the way to a microsecond behind each tick."""

    def __init__(self, stack: Stack, broken: set[str]) -> None:
        self._stack = stack
        self._broken = broken
        self._hand = datetime.min
        self._answers: list[dict[str, Any]] = []

    async def play(self, case: Case) -> Seen:
        for step in case.steps:
            if isinstance(step, Push | Log | Ask):
                await self._pass(step.at - INSTANT)
                await self._move(step.at)
            await self._take(step)
            await self._settled()
        return await self._seen()

    async def _take(self, step: Any) -> None:
        stack = self._stack
        match step:
            case Push():
                body = step.body if isinstance(step.body, bytes) else msgspec.json.encode(step.body)
                await self._publish(subjects.raw(step.source, "s1", "order"), body, step.at)
            case Log(event=Event() as event):
                subject = subjects.event(event.shop, event.buyer, entity(event.data.TYPE))
                await self._publish(subject, encode(event), step.at)
            case Log(event=(subject, payload)):
                await self._publish(subject, payload, step.at)
            case Ask():
                body = msgspec.json.encode(step.command)
                self._answers.append(await stack.ask(subjects.command("ex_remind", "cancel_care"), body))
            case Wait():
                await self._pass(step.until)
                await self._move(step.until)
            case Break():
                self._broken.add(step.what)
            case Mend():
                self._broken.clear()
            case Retry():
                await self._retry(step)
            case Stop():
                await stack.stop(step.service)
            case Start():
                await stack.start(next(s for s in stack.services if s.name == step.service))

    async def _publish(self, subject: str, payload: bytes, at: datetime) -> None:
        headers = {RECORDED_HEADER: max(at, self._hand).isoformat()}
        await self._stack.nats.jetstream().publish(subject, payload, headers=headers)

    async def _retry(self, step: Retry) -> None:
        rows = await self._stack.rows(
            f"SELECT id FROM {step.service}.parked WHERE status IN ('failed', 'aside') ORDER BY id"
        )
        await self._stack.connection.execute(f"SET search_path = {step.service}")
        assert await parked.ask_retry(self._stack.connection, rows[step.number]["id"])

    async def _pass(self, target: datetime) -> None:
        """Let every tick up to and including `target` fire, one instant after the other."""
        while (due := await self._next_due()) is not None and due <= target:
            await self._move(due + INSTANT)
            await self._settled()

    async def _move(self, instant: datetime) -> None:
        """Move the hand, never back, and wait until every service has seen it."""
        self._hand = instant if self._hand == datetime.min else max(self._hand, instant)
        await self._stack.connection.execute("UPDATE public.driven_clock SET now = $1", self._hand)
        running = self._stack.running.values()

        async def shown() -> bool:
            return all(one.clock.now() >= self._hand for one in running)

        await until(shown, f"the services see {self._hand}")

    async def _next_due(self) -> datetime | None:
        stands = [await self._stands(service) for service in self._running]
        return min((row["due"] for row in stands if row["due"] is not None), default=None)

    async def _settled(self) -> None:
        """Wait until all is read, relayed, retried and fired.

        The database is looked at before the streams: what it had decided by then is in the outbox or in the streams.
        """

        async def quiet() -> bool:
            stands = [(service, await self._stands(service)) for service in self._running]
            last = {stream: (await bus.stream_state(self._stack.nats, stream)).last for stream in bus.ROOTS}
            return all(self._is_quiet(service, row, last) for service, row in stands)

        await until(quiet, "all services settled")

    def _is_quiet(self, service: Service, row: Any, last: dict[str, int]) -> bool:
        read = {stream: int(top) for stream, top in row["read"] or ()}
        if row["outbox"] or row["retries"] or any(read.get(stream, 0) < last[stream] for stream in service.streams):
            return False
        return self._hand == datetime.min or row["due"] is None or row["due"] >= self._hand

    async def _stands(self, service: Service) -> Any:
        return await self._stack.connection.fetchrow(_STANDS.format(service=service.name))

    @property
    def _running(self) -> Sequence[Service]:
        return [service for service in self._stack.services if service.name in self._stack.running]

    async def _seen(self) -> Seen:
        stack = self._stack
        log = [
            item.input
            async for msg in history(stack.nats, bus.EVENTS, "evt.>")
            for item in decode_message(message_of(bus.EVENTS, msg), {})
            if isinstance(item.input, Event)
        ]
        slots, rows = {}, []
        for service in stack.services:
            processes = {process.name: process for process in service.processes}
            records = await stack.rows(f"SELECT * FROM {service.name}.state")
            slots |= {key: row.slot for key, row in rows_of(processes, records).items()}
            rows += [
                (
                    service.name,
                    r["stream"],
                    r["part"],
                    r["shop"],
                    r["buyer"],
                    r["key"],
                    r["status"],
                    kind_of(r["reason"]),
                )
                for r in await stack.rows(f"SELECT * FROM {service.name}.parked ORDER BY id")
            ]
        return seen(log, slots, rows, self._answers)
