"""Raw messages of a platform into the log, beside the kernel's own loop over events that need no translation."""

import asyncio
import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from schemas import subjects
from services.cli.secret_files import key_files
from services.kernel import bus
from services.trade_ingest.app import SERVICE
from tests.bench import work
from tests.bench.results import measured
from tests.bench.test_bench import empty, filled, kernel_rate
from tests.bench.work import BUYERS, EVENTS, ROUNDS
from tests.databases import Database
from tests.stack import stack_of, until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

COUNT = EVENTS // 6


async def test_raw_taobao_messages(own_database: Database, nats_server: Any, tmp_path: Path) -> None:
    """A payment a message: two facts, of which one is new to its order and one to its buyer's first message only."""
    keys: dict[str, Any] = {name.removeprefix("CAREBUS_").lower(): path for name, path in key_files(tmp_path).items()}
    loops: list[float] = []
    async with filled(own_database, nats_server.url, COUNT) as (_, connection):
        await empty(connection, work.TALLIES)
        loops.append(await kernel_rate(own_database, nats_server.url, work.TALLIES, connection, COUNT))
    rates = [await _rate(own_database, nats_server.url, keys, number) for number in range(ROUNDS)]
    rate, loop = statistics.median(rates), statistics.median(loops)
    what = "raw Taobao messages -> events in the log, beside the process loop"
    measured.append((what, f"{rate:,.0f}/s; loop {loop:,.0f}/s; ratio {rate / loop:.2f}", ">= 0.5"))
    print(measured[-1], [round(rate) for rate in rates])


async def _rate(database: Database, bus_url: str, keys: dict[str, Any], number: int) -> float:
    """Messages a second: published while the service is away, from its start until the last event is in the log."""
    loop = asyncio.get_running_loop()
    async with stack_of([], database.dsn, bus_url) as stack:
        before = (await bus.stream_state(stack.nats, bus.EVENTS)).last
        place, js = subjects.raw("taobao", f"feed{number}", "tmc"), stack.nats.jetstream()
        for start in range(0, COUNT, 500):
            await asyncio.gather(*(js.publish(place, _payment(n)) for n in range(start, start + 500)))
    started = loop.time()
    async with stack_of([SERVICE], database.dsn, bus_url, **keys) as stack:

        async def done() -> bool:
            return (await bus.stream_state(stack.nats, bus.EVENTS)).last >= before + COUNT + BUYERS

        await until(done, "every payment is told, and every buyer linked", 300)
        return COUNT / (loop.time() - started)


def _payment(number: int) -> bytes:
    buyer = {"buyer_nick": f"买家{number % BUYERS}", "buyer_open_uid": f"AAF{number % BUYERS}"}
    order = 4611686018427387905 + number
    content = {**buyer, "tid": order, "oid": order, "payment": "29.80", "seller_nick": "店", "type": "guarantee_trade"}
    envelope = {
        "id": number,
        "topic": "taobao_trade_TradeBuyerPay",
        "time": "2026-11-11 00:00:03",
        "content": json.dumps(content, ensure_ascii=False),
    }
    return json.dumps(envelope, ensure_ascii=False).encode()
