"""The whole desk: from a raw fact in INBOX to the care message it asks for, all five services running."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import psutil
import pytest

from schemas import subjects
from schemas.care import CareRequested
from schemas.codec import decode
from schemas.order import OrderPaid
from services.cli import registry
from services.kernel import bus
from services.kernel.history import history
from services.kernel.reader import message_of
from tests.bench import work
from tests.bench.results import measured, quantiles
from tests.bench.served import served
from tests.bench.work import BUYERS, SECONDS, SHOP
from tests.databases import Database
from tests.stack import Stack, is_settled, stack_of, until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

PROGRAMS = {name: ("-m", "services.cli.main", "run", name) for name in registry.NAMES}


async def test_latency_from_fact_to_care_request(own_database: Database, bus_url: str) -> None:
    """Payments, each of another order: thanks are due for each (domain.md 4, payment_thanks)."""
    async with stack_of([], own_database.dsn, bus_url) as stack, served(PROGRAMS, own_database.dsn, bus_url) as pids:
        await until(lambda: _all_own(stack), "all five own their partitions", 60)
        await _play(stack, 100, 3, "w")
        memory = [_memory(pids)]
        for rate in (100, 500):
            sent = await _play(stack, rate, SECONDS, f"r{rate}")
            late = await _latencies(stack, sent)
            assert len(late) == len(sent), "each payment was thanked for once"
            wanted = "p99 <= 100 ms"
            measured.append((f"INBOX fact -> care.requested at {rate}/s, all services", quantiles(late), wanted))
            memory.append(_memory(pids))
            print(measured[-1])
    for name in PROGRAMS:
        sizes = " -> ".join(f"{each[name]:.0f}" for each in memory)
        measured.append((f"memory of {name}: start, after {SECONDS:.0f} s at 100/s, at 500/s", f"{sizes} MiB", "flat"))


async def _play(stack: Stack, rate: int, seconds: float, name: str) -> Mapping[str, datetime]:
    """Publish payments at a steady rate; order -> when it was published, once all is handled."""
    sent: dict[str, datetime] = {}
    subject = subjects.raw("canonical", SHOP, "trade")

    async def send(number: int) -> None:
        order = f"{name}-{number}"
        sent[order] = now = datetime.now(UTC)
        await stack.nats.publish(subject, msgspec.json.encode(_payment(order, number, now)))

    await work.paced(rate, seconds, send)
    services = [registry.service(service) for service in registry.NAMES]
    await until(lambda: is_settled(stack.nats, stack.connection, services), "all is handled", 120)
    return sent


def _payment(order: str, number: int, now: datetime) -> Any:
    return {
        "specversion": "1.0",
        "id": order,
        "source": "bench",
        "type": OrderPaid.TYPE,
        "time": now,
        "buyer": f"buyer{number % BUYERS:05}",
        "data": OrderPaid(order_id=order, paid_fen=2980 + number % 1000),
    }


async def _latencies(stack: Stack, sent: Mapping[str, datetime]) -> list[float]:
    """From each publication until the log took the request, both by the clock of this machine; in seconds."""
    messages = [message_of(bus.EVENTS, msg) async for msg in history(stack.nats, bus.EVENTS, "evt.*.*.*.care")]
    events = [decode(m.payload, seq=m.seq, recordedtime=m.recorded) for m in messages]
    requested = [(event, event.data.order_id or "") for event in events if isinstance(event.data, CareRequested)]
    return [
        (event.recordedtime - sent[order]).total_seconds()
        for event, order in requested
        if event.recordedtime and order in sent
    ]


def _memory(pids: Mapping[str, int]) -> Mapping[str, float]:
    """Resident MiB of each process."""
    return {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in pids.items()}


async def _all_own(stack: Stack) -> bool:
    for name in registry.NAMES:
        streams = len(registry.service(name).streams)
        taken = await stack.connection.fetchval(f"SELECT count(*) FROM {name}.checkpoint WHERE epoch > 0")
        if taken < subjects.PARTITIONS * streams:
            return False
    return True
