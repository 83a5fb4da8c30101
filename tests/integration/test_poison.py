"""Poison in the log: it is parked or skipped, its buyer waits, others go on, a retry plays the rest in order."""

import asyncio
import io
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from schemas import subjects
from schemas.codec import encode, entity
from schemas.envelope import Event
from schemas.order import OrderPaid, OrderPlaced
from services.kernel.inputs import WHOLE, decode_message
from services.kernel.metrics import Metrics
from services.kernel.parked import REDRIVE, ask_retry
from services.kernel.projection import Projector
from services.kernel.reader import Message
from services.kernel.store import connect_pool
from services.kernel.telemetry import configure
from tests.databases import Database
from tests.examples import order_ends, reminder
from tests.examples.services import ENDS, FACTS, REMIND, prepare
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def placed(order: str, buyer: str) -> Event[Any]:
    data = OrderPlaced(order_id=order, platform="taobao", shop_kind="c_shop", lines=(), total_fen=100, postage_fen=0)
    return _event(data, buyer)


def paid(order: str, buyer: str) -> Event[Any]:
    return _event(OrderPaid(order_id=order, paid_fen=100), buyer)


def _event(data: Any, buyer: str) -> Event[Any]:
    return Event(data=data, shop="s1", buyer=buyer, time=NOW, id=f"{buyer}-{data.order_id}-{data.TYPE}", source="test")


async def put(stack: Stack, event: Event[Any], payload: bytes | None = None) -> None:
    """Write to the log as a service would, perhaps with other bytes."""
    subject = subjects.event(event.shop, event.buyer, entity(event.data.TYPE))
    await stack.nats.jetstream().publish(subject, payload or encode(event), headers={"Nats-Msg-Id": event.id})


def spoilt(**changes: Any) -> bytes:
    wire = msgspec.json.decode(encode(paid("o1", "b1")))
    return msgspec.json.encode({**wire, **changes})


PARKED = {
    "bad JSON": b'{"specversion": "1.0", ',
    "wrong type": spoilt(data={"order_id": "o1", "paid_fen": "100"}),
    "wrong envelope": spoilt(time="yesterday"),
    "no time zone": spoilt(time="2026-11-24T08:00:00"),
    "unknown version": spoilt(dataschema="urn:carebus:event:order.paid:99"),
    "depth bomb": spoilt(data=1).replace(b'"data":1', b'"data":' + b"[" * 100_000 + b"]" * 100_000),
    "text beyond the limit": spoilt(data={"order_id": "x" * 201, "paid_fen": 100}),
    "NUL": spoilt(data={"order_id": "o\0", "paid_fen": 100}),
    "NUL in the envelope": spoilt(actor="a\0"),
    "lone surrogate": spoilt(data={"order_id": "o1", "paid_fen": 1}).replace(b'"o1"', b'"\\ud800"'),
    "number beyond 2^53": spoilt(data={"order_id": "o1", "paid_fen": 2**53}),
    "another buyer's envelope": spoilt(buyer="b2"),
    "not UTF-8": spoilt(data={"order_id": "o1", "paid_fen": 1}).replace(b'"o1"', b'"\xff"'),
}


@pytest.mark.parametrize("name", PARKED)
async def test_poison_is_parked_and_only_its_buyer_waits(name: str, database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND, ENDS], database.dsn, bus_url) as stack:
        await put(stack, placed("o1", "b1"))
        await put(stack, paid("o1", "b1"), PARKED[name])
        await put(stack, placed("o2", "b1"))
        await put(stack, placed("o3", "b2"))
        await put(stack, paid("o3", "b2"))
        await stack.settled()
        for service in ("ex_remind", "ex_ends"):
            rows = await stack.rows(f"SELECT status, buyer FROM {service}.parked ORDER BY id")
            assert [tuple(row) for row in rows] == [("failed", "b1"), ("waiting", "b1")], service
        await _repair(stack, "ex_remind", encode(paid("o1", "b1")))
        await stack.settled()
        rows = await stack.rows("SELECT type, about FROM ex_ends.seen WHERE buyer = 'b2' ORDER BY place")
        assert [row["type"] for row in rows] == ["order.placed", "order.paid", "care.proposed"]
        await _repair(stack, "ex_ends", encode(paid("o1", "b1")))
        await stack.settled()
        rows = await stack.rows("SELECT type FROM ex_ends.seen WHERE buyer = 'b1' ORDER BY place")
        assert [row["type"] for row in rows] == ["order.placed", "order.paid", "order.placed", "care.proposed"]


async def _repair(stack: Stack, service: str, payload: bytes) -> None:
    """Mend the parked bytes, ask for a retry, and wait until the lane is free."""
    (failed,) = await stack.rows(f"SELECT id FROM {service}.parked WHERE status = 'failed'")
    await stack.rows(f"UPDATE {service}.parked SET payload = $2 WHERE id = $1", failed["id"], payload)
    await stack.rows(f"SET search_path = {service}")
    assert await ask_retry(stack.connection, failed["id"])

    async def free() -> bool:
        left = await stack.rows(f"SELECT 1 FROM {service}.parked")
        return not left and not await stack.rows(f"SELECT 1 FROM {service}.blocked")

    await until(free, f"{service}: no lane waits")


async def test_an_unknown_type_is_skipped_and_counted(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND, ENDS], database.dsn, bus_url) as stack:
        newer = {"type": "order.teleported", "dataschema": "urn:carebus:event:order.teleported:1"}
        await put(stack, paid("o1", "b1"), spoilt(**newer))
        await put(stack, paid("o2", "b1"))
        await stack.settled()
        assert await stack.rows("SELECT 1 FROM ex_remind.parked") == []
        counted = stack.registries["ex_remind"].get_sample_value(
            "carebus_messages_skipped_total", {"service": "ex_remind", "reason": "unknown_type"}
        )
        assert counted == 1
        assert len(await stack.rows("SELECT 1 FROM ex_ends.seen WHERE type = 'care.proposed'")) == 1


async def test_a_process_that_raises_parks_the_message_and_a_command_is_told(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    broken = True

    def evolve(state: Any, event: Any) -> Any:
        if broken and isinstance(event.data, OrderPaid) and event.data.order_id == "o1":
            raise ZeroDivisionError("a bug")
        return reminder.evolve(state, event)

    process = msgspec.structs.replace(REMIND.processes[0], evolve=evolve)
    service = msgspec.structs.replace(REMIND, processes=[process])
    async with stack_of([service, ENDS], database.dsn, bus_url) as stack:
        for event in (placed("o1", "b1"), paid("o1", "b1"), paid("o2", "b1"), paid("o3", "b2")):
            await put(stack, event)
        await stack.settled()
        rows = await stack.rows("SELECT status, reason, detail FROM ex_remind.parked ORDER BY id")
        assert [(row["status"], row["reason"]) for row in rows] == [
            ("failed", "ZeroDivisionError: a bug"), ("waiting", ""),
        ]  # fmt: skip
        assert "in evolve" in rows[0]["detail"]
        told = await stack.command("ex_remind", "cancel_care", command_id="c1", data={"care_id": "b1:x"})
        assert (told["result"], told["code"]) == ("rejected", "lane_blocked")
        told = await stack.command(
            "ex_remind", "cancel_care", command_id="c2", data={"care_id": "b2:payment_thanks:o3"}
        )
        assert told["result"] == "accepted"

        await stack.rows("SET search_path = ex_remind")
        (failed,) = await stack.rows("SELECT id FROM parked WHERE status = 'failed'")
        assert await ask_retry(stack.connection, failed["id"])

        async def failed_again() -> bool:
            return bool(await stack.rows("SELECT 1 FROM parked WHERE status = 'failed'"))

        await until(failed_again, "the retry has failed as before")
        assert len(await stack.rows("SELECT 1 FROM parked")) == 2
        broken = False
        await _repair(stack, "ex_remind", encode(paid("o1", "b1")))
        await stack.settled()
        rows = await stack.rows(
            "SELECT about FROM ex_ends.seen WHERE type = 'care.proposed' AND buyer = 'b1' ORDER BY place"
        )
        assert [row["about"] for row in rows] == ["b1:payment_thanks:o1", "b1:payment_thanks:o2"]
        told = await stack.command(
            "ex_remind", "cancel_care", command_id="c1", data={"care_id": "b1:payment_thanks:o1"}
        )
        assert told["result"] == "accepted", "an answer lane_blocked is not kept"


async def test_a_failing_projection_is_bisected_and_parks_one_event(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)

    async def apply(connection: Any, events: Any) -> None:
        await order_ends.apply(connection, events)
        for event in events:
            if isinstance(event.data, OrderPaid) and event.data.order_id == "o7":
                await connection.execute("SELECT 1 / 0")

    service = msgspec.structs.replace(ENDS, projections=[msgspec.structs.replace(ENDS.projections[0], apply=apply)])
    async with stack_of([service], database.dsn, bus_url) as stack:
        for n in range(20):
            await put(stack, placed(f"o{n}", f"b{n}"))
            await put(stack, paid(f"o{n}", f"b{n}"))
        await put(stack, placed("o21", "b7"))
        await stack.settled()
        rows = await stack.rows("SELECT status, buyer FROM ex_ends.parked ORDER BY id")
        assert [tuple(row) for row in rows] == [("failed", "b7"), ("waiting", "b7")]
        assert len(await stack.rows("SELECT 1 FROM ex_ends.seen")) == 39
        assert len(await stack.rows("SELECT 1 FROM ex_ends.order_end WHERE rank = 2")) == 19


async def test_a_long_lane_is_played_again_in_pages_each_event_once(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    broken = True

    async def apply(connection: Any, events: Any) -> None:
        if broken and any(event.buyer == "b1" for event in events):
            raise ZeroDivisionError("a bug")
        await order_ends.apply(connection, events)

    service = msgspec.structs.replace(ENDS, projections=[msgspec.structs.replace(ENDS.projections[0], apply=apply)])
    many = REDRIVE + REDRIVE // 2
    async with stack_of([service], database.dsn, bus_url) as stack:
        await asyncio.gather(*(put(stack, paid(f"o{n}", "b1")) for n in range(many)))
        await stack.settled()
        assert len(await stack.rows("SELECT 1 FROM ex_ends.parked")) == many
        broken = False
        await stack.rows("SET search_path = ex_ends")
        (failed,) = await stack.rows("SELECT id FROM parked WHERE status = 'failed'")
        assert await ask_retry(stack.connection, failed["id"])

        async def free() -> bool:
            return not await stack.rows("SELECT 1 FROM parked") and not await stack.rows("SELECT 1 FROM blocked")

        await until(free, "the lane is played")
        assert [row["seq"] for row in await stack.rows("SELECT seq FROM seen ORDER BY place")] == list(
            range(1, many + 1)
        )


async def test_what_a_bisection_parks_is_kept_in_the_order_of_the_log(database: Database) -> None:
    """In a batch of b fine, c poison, b undecodable, the bisection meets the first of b last."""

    async def apply(connection: Any, events: Any) -> None:
        if any(event.buyer == "c" for event in events):
            raise ZeroDivisionError("a bug")

    await prepare(database.dsn)
    projection = msgspec.structs.replace(ENDS.projections[0], apply=apply)
    projector = Projector([projection], configure("test", file=io.StringIO()), Metrics("test", CollectorRegistry()), "")
    items = [
        decode_message(Message("EVENTS", seq, subjects.event("s1", event.buyer, "order"), NOW, payload), {})[0]
        for seq, event, payload in (
            (3, paid("o1", "b"), encode(paid("o1", "b"))),
            (4, paid("o1", "c"), encode(paid("o1", "c"))),
            (5, paid("o2", "b"), b"{}"),
        )
    ]
    pool = await connect_pool(database.dsn, ENDS.name, "test", 1)
    async with pool, pool.acquire() as connection, connection.transaction():
        await projector.handle(connection, items, ())
        rows = await connection.fetch("SELECT seq, buyer, status FROM parked ORDER BY id")
    assert [row["seq"] for row in rows if row["buyer"] == "b"] == [3, 5]


async def test_a_fact_of_another_shop_is_refused(database: Database, bus_url: str) -> None:
    def translate(raw: Any) -> Any:
        for fact in FACTS.sources["shop"](raw):
            yield msgspec.structs.replace(fact, shop="s2")

    await prepare(database.dsn)
    service = msgspec.structs.replace(FACTS, sources={"shop": translate})
    async with stack_of([service, ENDS], database.dsn, bus_url) as stack:
        await stack.publish("shop", "s1", "order", {"fact": "paid", "order_id": "o", "buyer": "b", "time": NOW})
        await stack.settled()
        assert [row["type"] for row in await stack.rows("SELECT type FROM ex_ends.seen")] == ["ops.message_refused"]


async def test_a_refused_fact_does_not_hold_up_its_neighbours_and_its_sender_is_told(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, ENDS], database.dsn, bus_url) as stack:
        notices = await stack.nats.subscribe(subjects.notice("shop", "s1"))
        good = {"fact": "paid", "order_id": "o1", "buyer": "b1", "time": NOW.isoformat()}
        push = [good, {**good, "fact": "stolen"}, {**good, "order_id": "o2"}]
        await stack.publish("shop", "s1", "order", push, b"{")
        await stack.settled()
        rows = await stack.rows("SELECT type, about FROM ex_ends.seen ORDER BY place")
        assert sorted(tuple(row) for row in rows) == [
            ("ops.message_refused", "shop"),
            ("ops.message_refused", "shop"),
            ("order.paid", "o1"),
            ("order.paid", "o2"),
        ]
        rows = await stack.rows("SELECT status, part, reason FROM ex_facts.parked ORDER BY id")
        assert [(row["status"], row["part"]) for row in rows] == [("aside", 1), ("aside", WHOLE)]
        assert await stack.rows("SELECT 1 FROM ex_facts.blocked") == []
        told = msgspec.json.decode((await notices.next_msg(timeout=5)).data)
        assert (told["field"], told["inbox_seq"]) == ("$.fact", 1)


async def test_a_subject_that_is_not_of_the_grammar_is_refused_under_the_shop_that_was_meant(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, ENDS], database.dsn, bus_url) as stack:
        notices = await stack.nats.subscribe(subjects.notice("shop", "店铺"))
        for shop in ("店铺", "=AA"):  # no token, and one of NUL
            await stack.nats.jetstream().publish(f"in.shop.{shop}.order", b"{}")
        await stack.settled()
        seen = [row["type"] for row in await stack.rows("SELECT type FROM ex_ends.seen")]
        assert seen == ["ops.message_refused"] * 2
        parked = await stack.rows("SELECT shop, status FROM ex_facts.parked ORDER BY seq")
        assert [tuple(row) for row in parked] == [("店铺", "aside"), ("=AA", "aside")]
        assert msgspec.json.decode((await notices.next_msg(timeout=5)).data)["field"] == "subject"
