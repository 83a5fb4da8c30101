"""`carebus import orders`: an export through the real CLI, INBOX and trade_ingest into the log."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.errors import TimeoutError as NatsTimeout

from schemas.codec import decode
from schemas.envelope import Event
from schemas.ops import OpsMessageRefused
from schemas.order import OrderLine, OrderPaid, OrderPlaced
from services.cli import imports
from services.cli.servers import NatsServer
from services.kernel import bus
from services.kernel.history import history
from services.trade_ingest.app import SERVICE
from tests.carebus import at, carebus
from tests.databases import Database
from tests.examples import olist
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration

MAPPING = """
shop = "s1"
platform = "taobao"
shop_kind = "c_shop"
time_zone = "Asia/Shanghai"
money = "yuan"
encoding = "gb18030"
[statuses]
open = ["交易成功", "卖家已发货"]
[orders]
file = "orders.csv"
columns = { order_id = "订单编号", buyer_id = "买家", status = "订单状态", placed = "创建时间", paid = "付款时间" }
[lines]
file = "lines.csv"
[lines.columns]
order_id = "订单编号"
line_id = "子订单"
sku = "商家编码"
title = "标题"
price = "价格"
quantity = "数量"
"""
ORDERS = """订单编号,买家,订单状态,创建时间,付款时间
="4611686018427387905",张三的小店,交易成功,2026-03-02 10:00:00,2026-03-02 10:05:00
,李四13812341234,交易成功,2026-03-02 10:00:00,2026-03-02 10:05:00
4611686018427387907,b3,卖家已发货,3月2日 13812341234,2026-03-02 10:05:00
4611686018427387908,b4,卖家已发货,2026-03-02 11:00:00,2026-03-02 11:05:00
"""
LINES = """订单编号,子订单,商家编码,标题,价格,数量
4611686018427387905,1,K1,"纯棉T恤, 白色",29.80,2
4611686018427387907,1,K1,T恤,29.80,1
4611686018427387908,1,K2,帽子,-5.00,1
4611686018427387999,1,K2,帽子,5.00,1
"""
REFUSED = [
    ("lines.csv row 4", "price"),
    ("lines.csv row 5", "order_id"),
    ("orders.csv row 3", "order_id"),
    ("orders.csv row 4", "placed"),
]
TYPES = {
    "placed": "order.placed", "paid": "order.paid", "shipped": "order.shipped", "signed": "order.signed",
    "closed": "order.closed", "reviewed": "review.posted",
}  # fmt: skip
_PARKED = "SELECT status, reason, detail FROM trade_ingest.parked ORDER BY detail, id"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_bytes(ORDERS.encode("gb18030"))
    (tmp_path / "lines.csv").write_bytes(LINES.encode("gb18030"))
    (tmp_path / "shop.toml").write_text(MAPPING, encoding="utf-8")
    return tmp_path


async def log_of(stack: Stack) -> list[Event[Any]]:
    return [decode(msg.data) async for msg in history(stack.nats, bus.EVENTS, "evt.>")]


async def test_an_export_becomes_events_and_its_wrong_rows_are_kept_with_file_row_and_field(
    export: Path, database: Database, bus_url: str
) -> None:
    command = ("import", "orders", str(export), "--mapping", str(export / "shop.toml"))
    async with stack_of([SERVICE], database.dsn, bus_url) as stack:
        status, out, err = await carebus(*command, **at(database.dsn, bus_url))
        assert (status, err) == (0, "")
        assert out.startswith("3 orders of shop s1 (8 rows) published as 5 messages, 2 of them rows that belong to no")
        await stack.settled()

        log = await log_of(stack)
        told = {(e.data.order_id[-1], e.buyer, e.data.TYPE) for e in log if hasattr(e.data, "order_id")}
        assert told == {
            ("5", "张三的小店", "order.placed"),
            ("5", "张三的小店", "order.paid"),
            ("7", "b3", "order.paid"),
        }, "no placing without its date; neither placing nor paying without a price that is part of their sum"
        parked = await stack.rows(_PARKED)
        assert [row["detail"] for row in parked] == [f"{place}, {field}" for place, field in REFUSED]
        assert {row["status"] for row in parked} == {"aside"}, "nobody waits"
        refusals = [event.data for event in log if isinstance(event.data, OpsMessageRefused)]
        assert sorted(one.field or "" for one in refusals) == sorted(field for _, field in REFUSED)
        said = "".join([*(row["reason"] for row in parked), *(one.reason for one in refusals)])
        logged = stack.logs[SERVICE.name].getvalue()
        for personal in ("13812341234", "张三", "T恤", "K2"):
            assert personal not in said + logged

        status, out, _ = await carebus(*command, "--json", **at(database.dsn, bus_url))
        again = msgspec.json.decode(out)
        assert (again["orders"], again["messages"], again["stray"]) == (3, 5, 2)
        await stack.settled()
        assert [e.id for e in await log_of(stack) if hasattr(e.data, "order_id")] == [
            e.id for e in log if hasattr(e.data, "order_id")
        ], "a second import adds no fact"


async def test_a_mended_export_adds_what_was_held_back_and_nothing_else(
    export: Path, database: Database, bus_url: str
) -> None:
    command = ("import", "orders", str(export), "--mapping", str(export / "shop.toml"))
    async with stack_of([SERVICE], database.dsn, bus_url) as stack:
        await carebus(*command, **at(database.dsn, bus_url))
        await stack.settled()
        before = {event.id for event in await log_of(stack)}
        (export / "lines.csv").write_bytes(LINES.replace("-5.00", "5.00").encode("gb18030"))
        await carebus(*command, **at(database.dsn, bus_url))
        await stack.settled()
        new = [event for event in await log_of(stack) if event.id not in before]
        facts = [event for event in new if not isinstance(event.data, OpsMessageRefused)]
        order = "4611686018427387908"
        assert [event.data for event in facts] == [
            OrderPlaced(
                order_id=order,
                platform="taobao",
                shop_kind="c_shop",
                lines=(OrderLine(line_id="1", sku="K2", title="帽子", quantity=1, price_fen=500),),
                total_fen=500,
                postage_fen=0,
            ),
            OrderPaid(order_id=order, paid_fen=500),
        ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{dir}", "--mapping", "taobao"), "mapping taobao: No such file or directory; give a TOML file, or one of:"),
        (("{dir}", "--mapping", "olist"), "orders.csv: not utf-8-sig"),
        (("{dir}/none", "--mapping", "{dir}/shop.toml"), "orders.csv: No such file or directory; [orders]"),
        (("{dir}", "--mapping", "{dir}/shop.toml"), "INBOX at nats://127.0.0.1"),
    ],
)
async def test_what_is_wrong_with_an_import_is_one_line_and_a_status(
    export: Path, bus_url: str, arguments: tuple[str, ...], said: str
) -> None:
    given = [argument.format(dir=export) for argument in arguments]
    status, out, err = await carebus("import", "orders", *given, **at("postgresql://127.0.0.1:1/none", bus_url))
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert said in err
    assert "nothing was published" in err


async def test_an_import_without_a_server_says_where_it_looked(export: Path) -> None:
    command = ("import", "orders", str(export), "--mapping", str(export / "shop.toml"))
    status, _, err = await carebus(*command, **at("postgresql://127.0.0.1:1/none", "nats://u:hidden@127.0.0.1:1"))
    assert (status, err.count("\n")) == (2, 1), err
    assert "127.0.0.1:1" in err
    assert "hidden" not in err


async def test_a_record_whose_acknowledgement_does_not_come_is_published_again_up_to_a_limit() -> None:
    class Deaf:
        """JetStream that stores but does not answer in time, the first `times` times."""

        def __init__(self, times: int) -> None:
            self.left, self.stored = times, list[bytes]()

        async def publish(self, subject: str, payload: bytes, **_: Any) -> None:
            self.stored.append(payload)
            if self.left:
                self.left -= 1
                raise NatsTimeout

    once, never = Deaf(1), Deaf(imports.ATTEMPTS)
    await imports._publish(once, "in.csv.s1.orders", b"{}")
    assert once.stored == [b"{}", b"{}"]
    with pytest.raises(NatsTimeout):
        await imports._publish(never, "in.csv.s1.orders", b"{}")
    assert len(never.stored) == imports.ATTEMPTS


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_an_import_that_breaks_off_is_done_again_and_every_fact_is_there_once(
    tmp_path: Path, database: Database, nats_server: NatsServer
) -> None:
    number = 10_000
    rows = "".join(f"o{n},b{n % 500},卖家已发货,2026-03-02 10:00:00,\n" for n in range(number))
    (tmp_path / "orders.csv").write_bytes((ORDERS.partition("\n")[0] + "\n" + rows).encode("gb18030"))
    (tmp_path / "shop.toml").write_text(MAPPING.partition("[lines]")[0], encoding="utf-8")
    command = ("import", "orders", str(tmp_path), "--mapping", str(tmp_path / "shop.toml"))
    async with stack_of([SERVICE], database.dsn, nats_server.url) as stack:
        running = asyncio.create_task(carebus(*command, **at(database.dsn, nats_server.url)))

        async def under_way() -> bool:
            return (await bus.stream_state(stack.nats, bus.INBOX)).last > 500

        await until(under_way, "the import is under way")
        nats_server.kill()
        status, out, err = await asyncio.wait_for(running, 5)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert "the import broke off" in err
        nats_server.start_again()

        async def reachable() -> bool:
            return stack.nats.is_connected

        await until(reachable, "the test's own client is back")
        assert (await carebus(*command, **at(database.dsn, nats_server.url)))[0] == 0
        await stack.settled(90)
        placed = Counter(event.data.order_id for event in await log_of(stack))
        assert placed == Counter(f"o{n}" for n in range(number))


@pytest.mark.timeout(240)
@pytest.mark.skipif(not olist.DATA.is_dir(), reason=f"the data is not there: {olist.DATA}")
async def test_four_thousand_real_orders_are_the_facts_that_plain_python_counts_and_a_second_import_adds_none(
    database: Database, bus_url: str, record_property: Any
) -> None:
    command = ("import", "orders", str(olist.DATA), "--mapping", "olist", "--json")
    expected = {TYPES[fact]: count for fact, count in olist.expected().facts.items()}
    async with stack_of([SERVICE], database.dsn, bus_url) as stack:
        begun = time.monotonic()
        status, out, err = await carebus(*command, **at(database.dsn, bus_url))
        assert (status, err) == (0, "")
        await stack.settled(120)
        record_property("facts a second", round(sum(expected.values()) / (time.monotonic() - begun)))
        told = msgspec.json.decode(out)
        assert (told["shop"], told["orders"], told["messages"], told["stray"]) == (olist.SHOP, 4000, 4000, 0)
        log = await log_of(stack)
        assert Counter(event.data.TYPE for event in log) == expected
        assert not await stack.rows(_PARKED)

        await carebus(*command, **at(database.dsn, bus_url))
        await stack.settled(120)
        assert (await bus.stream_state(stack.nats, bus.EVENTS)).last == len(log)
