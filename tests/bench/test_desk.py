"""The whole desk: from a raw fact in INBOX to the care message it asks for, all five services running."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import psutil
import pytest
from msgspec import Struct

from schemas import subjects
from schemas.care import CareRequested
from schemas.codec import decode
from schemas.order import (
    OrderArrived,
    OrderLine,
    OrderPaid,
    OrderPickupScanned,
    OrderPlaced,
    OrderShipped,
    OrderSigned,
)
from services.chat_ingest.facts import BuyerWrote, ShopWrote
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

STAGE_ORDERS = 10

PROGRAMS = {name: ("-m", "services.cli.main", "run", name) for name in registry.NAMES}


Fact = tuple[str, str, Struct]
"""(kind of the subject, buyer, data of the fact)"""


async def test_latency_from_fact_to_care_request(own_database: Database, bus_url: str) -> None:
    """A shop's mix; then nothing but payments, each of which is thanked for (domain.md 4)."""
    async with stack_of([], own_database.dsn, bus_url) as stack, served(PROGRAMS, own_database.dsn, bus_url) as pids:
        await until(lambda: _all_own(stack), "all five own their partitions", 60)
        await _play(stack, 100, 3, _shop_day("warm"))
        memory = [_memory(pids)]
        runs = (
            ("a shop's mix of facts", 100, _shop_day("m100"), "p99 <= 100 ms"),
            ("a shop's mix of facts", 500, _shop_day("m500"), "p99 <= 100 ms"),
            ("nothing but payments", 500, _payments("p500"), "told"),
        )
        for what, rate, fact, wanted in runs:
            sent = await _play(stack, rate, SECONDS, fact)
            late = await _latencies(stack, sent)
            assert len(late) == len(sent), "each message that is due was asked for once"
            measured.append((f"INBOX fact -> care.requested, {what} at {rate}/s", quantiles(late), wanted))
            memory.append(_memory(pids))
            print(measured[-1])
    for name in PROGRAMS:
        sizes = " -> ".join(f"{each[name]:.0f}" for each in memory)
        measured.append((f"memory of {name} at the start and after each of these", f"{sizes} MiB", "flat"))


def _shop_day(name: str) -> Callable[[int], Fact]:
    """The n-th fact of orders on their way, each of another buyer: three of its eight facts ask for a message.

    The stages of one order lie STAGE_ORDERS orders apart, as in life, so that they do not share a batch.
    """

    def fact(number: int) -> Fact:
        stage, place = number % 8, number // 8 - number % 8 * STAGE_ORDERS
        if place < 0:  # so long there are no orders at this stage: somebody looks around
            return "chat", f"browser-{name}-{number}", BuyerWrote(message_id=f"{number}", text="看看")
        order = f"{name}-{place}"
        buyer, parcel, message = f"buyer-{order}", f"parcel-{order}", f"{order}-{stage}"
        stages: tuple[tuple[str, Struct], ...] = (
            ("chat", BuyerWrote(message_id=message, kind="text", text="在吗?这款有货吗")),
            ("chat", ShopWrote(message_id=message, kind="text", text="在的,有现货", agent_id="anan")),
            ("trade", _placed(order)),
            ("trade", OrderPaid(order_id=order, paid_fen=12_900)),
            ("trade", OrderShipped(order_id=order, parcel_id=parcel, carrier="顺丰", waybill=parcel)),
            ("trade", OrderPickupScanned(order_id=order, parcel_id=parcel)),
            ("trade", OrderArrived(order_id=order, parcel_id=parcel)),
            ("trade", OrderSigned(order_id=order, parcel_id=parcel, by="self")),
        )
        return stages[stage][0], buyer, stages[stage][1]

    return fact


def _payments(name: str) -> Callable[[int], Fact]:
    return lambda number: ("trade", f"buyer{number % BUYERS:05}", OrderPaid(order_id=f"{name}-{number}", paid_fen=2980))


def _placed(order: str) -> OrderPlaced:
    line = OrderLine(line_id="1", sku="sku-1", title="保温壶", quantity=1, price_fen=12_900)
    return OrderPlaced(
        order_id=order, platform="taobao", shop_kind="c_shop", lines=(line,), total_fen=12_900, postage_fen=0
    )


ASKING: dict[type[Struct], str] = {OrderPaid: "payment_thanks", OrderShipped: "shipped", OrderSigned: "signed"}
Sent = Mapping[tuple[str, str], datetime]


async def _play(stack: Stack, rate: int, seconds: float, fact: Callable[[int], Fact]) -> Sent:
    """Publish facts at a steady rate; (order, message asked for) -> when its fact went, once all is handled."""
    sent: dict[tuple[str, str], datetime] = {}

    async def send(number: int) -> None:
        kind, buyer, data = fact(number)
        now = datetime.now(UTC)
        if asked := ASKING.get(type(data)):
            sent[getattr(data, "order_id", ""), asked] = now
        await stack.nats.publish(subjects.raw("canonical", SHOP, kind), _cloud_event(f"{number}", buyer, now, data))

    await work.paced(rate, seconds, send)
    services = [registry.service(service) for service in registry.NAMES]
    await until(lambda: is_settled(stack.nats, stack.connection, services), "all is handled", 120)
    return sent


def _cloud_event(name: str, buyer: str, now: datetime, data: Any) -> bytes:
    said = {"specversion": "1.0", "id": name, "source": "bench", "type": data.TYPE, "time": now, "buyer": buyer}
    return msgspec.json.encode(said | {"data": data})


async def _latencies(stack: Stack, sent: Sent) -> list[float]:
    """From each publication until the log took the request, both by the clock of this machine; in seconds."""
    messages = [message_of(bus.EVENTS, msg) async for msg in history(stack.nats, bus.EVENTS, "evt.*.*.*.care")]
    events = [decode(m.payload, seq=m.seq, recordedtime=m.recorded) for m in messages]
    asked = [(e, (e.data.order_id or "", e.data.kind)) for e in events if isinstance(e.data, CareRequested)]
    return [(e.recordedtime - sent[what]).total_seconds() for e, what in asked if e.recordedtime and what in sent]


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
