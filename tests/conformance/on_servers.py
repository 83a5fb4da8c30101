"""A case through NATS and PostgreSQL, under a clock that moves only when everything is settled."""

from collections.abc import Sequence
from datetime import datetime
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
from services.replay.drive import INSTANT, Driver
from tests.conformance.steps import Ask, Break, Case, Log, Mend, Push, Retry, Seen, Start, Stop, Wait, breakable, seen
from tests.examples.services import prepare
from tests.stack import Stack, stack_of, until


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
        self._driver = Driver(stack.nats, stack.connection, self._running)
        self._answers: list[dict[str, Any]] = []

    async def play(self, case: Case) -> Seen:
        for step in case.steps:
            if isinstance(step, Push | Log | Ask):
                await self._driver.fire_before(step.at)
                await self._move(step.at)
            await self._take(step)
            await self._driver.settled()
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
                await self._driver.fire_before(step.until + INSTANT)
                await self._move(step.until)
            case Break():
                self._broken.add(step.what)
            case Mend():
                self._broken.clear()
            case Retry():
                await self._retry(step)
            case Stop():
                await stack.stop(step.service)
                self._driver.watch(self._running)
            case Start():
                await stack.start(next(s for s in stack.services if s.name == step.service))
                self._driver.watch(self._running)

    async def _publish(self, subject: str, payload: bytes, at: datetime) -> None:
        headers = {RECORDED_HEADER: max(at, self._driver.hand).isoformat()}
        await self._stack.nats.jetstream().publish(subject, payload, headers=headers)

    async def _retry(self, step: Retry) -> None:
        rows = await self._stack.rows(
            f"SELECT id FROM {step.service}.parked WHERE status IN ('failed', 'aside') ORDER BY id"
        )
        await self._stack.connection.execute(f"SET search_path = {step.service}")
        assert await parked.ask_retry(self._stack.connection, rows[step.number]["id"])

    async def _move(self, instant: datetime) -> None:
        """Move the hand, never back, and wait until every service has seen it."""
        await self._driver.move(instant)
        running = self._stack.running.values()

        async def shown() -> bool:
            return all(one.clock.now() >= self._driver.hand for one in running)

        await until(shown, f"the services see {self._driver.hand}")

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
