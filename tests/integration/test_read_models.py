"""The read models on real PostgreSQL: what they hold after any order of events, and how they are asked."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from schemas import order
from schemas.case import CaseOpened, CaseResolved
from schemas.chat import ConversationOpened, MessageRecalled, MessageReceived, MessageSent, ReplyRecorded
from schemas.codec import about
from schemas.envelope import Event
from schemas.flag import OrderFlagged
from schemas.review import ReviewPosted
from services.chat_ingest.app import SERVICE as CHAT_INGEST
from services.projections import order_timeline
from services.projections.app import SERVICE
from services.replay.given import at
from tests.databases import Database
from tests.integration.test_poison import put
from tests.stack import Stack, stack_of

pytestmark = pytest.mark.integration

SHOP, BUYER = "s1", "b1"
TABLES = ("order_state", "order_event", "order_case", "chat_message", "chat_conversation", "chat_reply")
MINUTE = timedelta(minutes=1)
NOON = at("12:00:00")


@pytest_asyncio.fixture
async def stack(database: Database, bus_url: str) -> AsyncIterator[Stack]:
    """projections alone, under its own role."""
    async with stack_of([SERVICE], database.dsn_for("carebus_projections"), bus_url) as running:
        yield running


def happened(data: Any, minute: float = 0, *, buyer: str = BUYER) -> Event[Any]:
    event = Event(data=data, shop=SHOP, buyer=buyer, time=NOON + minute * MINUTE, source="test")
    return replace(event, id=f"{buyer}:{data.TYPE}:{about(event)}:{minute}")


def placed(name: str = "o1", fen: int = 2980) -> order.OrderPlaced:
    line = order.OrderLine(line_id="1", sku="k1", title="纯棉短袖", quantity=2, price_fen=1490)
    return order.OrderPlaced(
        order_id=name, platform="taobao", shop_kind="c_shop", lines=(line,), total_fen=fen, postage_fen=0
    )


def paid(name: str = "o1", fen: int = 2980) -> order.OrderPaid:
    return order.OrderPaid(order_id=name, paid_fen=fen)


def shipped(name: str = "o1", parcel: str = "p1") -> order.OrderShipped:
    return order.OrderShipped(order_id=name, parcel_id=parcel, carrier="顺丰", waybill=parcel)


def signed(name: str = "o1", parcel: str = "p1") -> order.OrderSigned:
    return order.OrderSigned(order_id=name, parcel_id=parcel, by="self")


def completed(name: str = "o1") -> order.OrderCompleted:
    return order.OrderCompleted(order_id=name, cause="buyer")


def closed(name: str = "o1") -> order.OrderClosed:
    return order.OrderClosed(order_id=name, reason="缺货", paid=False)


async def ask(stack: Stack, model: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return await stack.ask(f"query.{model}", {"shop": SHOP, "data": data, **more})


async def pages(stack: Stack, model: str, data: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """The answers page by page, as a client follows them."""
    found = [await ask(stack, model, data, limit=limit)]
    while cursor := found[-1]["next_cursor"]:
        found.append(await ask(stack, model, data, limit=limit, cursor=cursor))
    return found


async def test_the_same_facts_in_any_order_end_in_the_same_state(stack: Stack) -> None:
    facts = (placed, paid, shipped, signed, completed)
    for number, told in enumerate(permutations(range(len(facts)))):
        for step in told:
            await put(stack, happened(facts[step](f"o{number}"), step))
    await stack.settled()
    rows = await stack.rows(
        "SELECT DISTINCT state, placed_at, paid_at, shipped_at, signed_at, completed_at, closed_at, total_fen,"
        " paid_fen, parcels, lines, goods, first_at, last_at FROM order_state"
    )
    times = [NOON + step * MINUTE for step in range(5)]
    assert [tuple(row) for row in rows] == [
        ("completed", *times, None, 2980, 2980, 1, 1, "纯棉短袖 x2", times[0], times[-1])
    ]
    assert (await stack.rows("SELECT count(*) FROM order_state"))[0][0] == 120


def random_facts(seed: int, count: int) -> list[Event[Any]]:
    """Facts of a few orders and parcels at distinct times, in any order; some are told again at another time."""
    rng = random.Random(seed)
    minutes = rng.sample(range(10_000), count)
    orders = [f"o{n}" for n in range(8)]
    kinds = [
        lambda name: placed(name, rng.randrange(1, 9999)), lambda name: paid(name, rng.randrange(1, 9999)),
        lambda name: shipped(name, f"p{rng.randrange(3)}"), lambda name: signed(name, f"p{rng.randrange(3)}"),
        completed, closed,
    ]  # fmt: skip
    weights = [4, 4, 5, 8, 1, 1]
    found: list[Event[Any]] = []
    for seq, minute in enumerate(minutes, 1):
        number = rng.randrange(len(orders))
        data = rng.choices(kinds, weights)[0](orders[number])
        event = happened(data, minute, buyer=f"b{number % 3}")
        found.append(replace(event, seq=seq, recordedtime=NOON + seq * MINUTE, id=str(seq)))
    return found


def plain(events: Sequence[Event[Any]]) -> dict[str, tuple[Any, ...]]:
    """What the rows must say, in plain Python over all facts of an order at once."""
    found: dict[str, tuple[Any, ...]] = {}
    for name in {event.data.order_id for event in events}:
        mine = sorted((e for e in events if e.data.order_id == name), key=lambda e: e.time)

        def times(kind: type[Any], mine: list[Event[Any]] = mine) -> list[datetime]:
            return [e.time for e in mine if isinstance(e.data, kind)]

        parcels = {e.data.parcel_id for e in mine if isinstance(e.data, order.OrderShipped | order.OrderSigned)}
        first_signed = {
            parcel: [e.time for e in mine if isinstance(e.data, order.OrderSigned) and e.data.parcel_id == parcel][:1]
            for parcel in parcels
        }
        whole = max(min(one) for one in first_signed.values()) if parcels and all(first_signed.values()) else None
        done, ended = times(order.OrderCompleted), times(order.OrderClosed)
        if done and (not ended or done[0] < ended[0]):
            state = "completed"
        elif ended:
            state = "closed"
        elif whole:
            state = "signed"
        elif parcels:
            state = "shipped"
        else:
            state = "paid" if times(order.OrderPaid) else "placed"
        totals = [e.data.total_fen for e in mine if isinstance(e.data, order.OrderPlaced)]
        sums = [e.data.paid_fen for e in mine if isinstance(e.data, order.OrderPaid)]
        found[name] = (
            state, *(next(iter(times(kind)), None) for kind in (order.OrderPlaced, order.OrderPaid)),
            next(iter(times(order.OrderShipped)), None), whole, next(iter(done), None), next(iter(ended), None),
            totals[-1] if totals else None, sums[-1] if sums else None, len(parcels), mine[0].time, mine[-1].time,
            len(mine),
        )  # fmt: skip
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_the_rows_are_what_plain_python_makes_of_the_facts(database: Database, seed: int) -> None:
    events = random_facts(seed, 120)
    connection = await asyncpg.connect(database.dsn_for("carebus_projections"))
    try:
        async with connection.transaction():
            for start in range(0, len(events), 50):
                await order_timeline.apply(connection, events[start : start + 50])
        rows = await connection.fetch(
            "SELECT order_id, state, placed_at, paid_at, shipped_at, signed_at, completed_at, closed_at, total_fen,"
            " paid_fen, parcels, first_at, last_at, (SELECT count(*) FROM order_event e WHERE e.order_id = o.order_id)"
            " FROM order_state o"
        )
        assert {row["order_id"]: tuple(row)[1:] for row in rows} == plain(events)
    finally:
        await connection.close()


async def test_the_rows_do_not_depend_on_how_the_log_was_cut_into_batches(database: Database) -> None:
    chats = [
        *(happened(received(f"m{n}", f"第{n}句"), n) for n in range(20)),
        *(happened(replied(n, 1_000 * n), n + 0.5) for n in range(20)),
        *(happened(ConversationOpened(conversation_id=f"c{n}", channel="feige"), n) for n in range(5)),
        happened(CaseOpened(case_id="x", kind="quality", order_id="o1", reason="r", opened_by="lin"), 1),
        happened(CaseResolved(case_id="x", reason="r", by="lin"), 2),
    ]
    events = [*random_facts(7, 150), *chats]
    events = [replace(e, seq=seq, recordedtime=NOON + seq * MINUTE) for seq, e in enumerate(events, 1)]
    connection = await asyncpg.connect(database.dsn_for("carebus_projections"))
    found: list[Any] = []
    try:
        for size in (1, 7, len(events)):
            transaction = connection.transaction()
            await transaction.start()
            for start in range(0, len(events), size):
                for projection in SERVICE.projections:
                    await projection.apply(connection, events[start : start + size])
            found.append([await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in TABLES])
            await transaction.rollback()
    finally:
        await connection.close()
    assert found[0] == found[1] == found[2]
    assert all(found[0]), "each table has rows"


async def test_an_order_is_told_with_its_events_in_order_of_time_page_by_page(stack: Stack) -> None:
    flag = OrderFlagged(order_id="o1", colour="red", memo="发顺丰 13800000000", memo_version=1)
    review = ReviewPosted(review_id="r1", order_id="o1", rating="good", score=5, text="很好")
    for minute, data in ((3, shipped()), (0, placed()), (1, paid()), (2, flag), (9, review), (5, signed())):
        await put(stack, happened(data, minute))
    await put(stack, happened(placed("another"), 0))
    await stack.settled()

    (page,) = await pages(stack, "order_timeline.order", {"order_id": "o1"}, 100)
    (row,) = page["rows"]
    assert (row["order"]["state"], row["order"]["buyer"], row["order"]["total_fen"]) == ("signed", BUYER, 2980)
    assert [event["summary"] for event in row["events"]] == [
        "placed, 29.80 CNY with 0.00 CNY postage",
        "paid 29.80 CNY",
        "red flag raised",
        "parcel p1 shipped by 顺丰, waybill p1",
        "parcel p1 signed (self)",
        "good review (5 of 5)",
    ]
    by_two = await pages(stack, "order_timeline.order", {"order_id": "o1"}, 2)
    assert [len(page["rows"][0]["events"]) for page in by_two] == [2, 2, 2]
    assert [event for page in by_two for event in page["rows"][0]["events"]] == row["events"]
    assert (await ask(stack, "order_timeline.order", {"order_id": "nobody's"}))["rows"] == []


async def test_what_becomes_of_a_case_is_told_with_the_order_it_was_opened_for(stack: Stack) -> None:
    opened = CaseOpened(case_id="x1", kind="quality", order_id="o1", reason="r", opened_by="lin")
    await put(stack, happened(opened, 1))
    await stack.settled()
    await put(stack, happened(CaseResolved(case_id="x1", reason="r", by="lin"), 2))
    await put(stack, happened(CaseResolved(case_id="of no order", reason="r", by="lin"), 3))
    await stack.settled()
    (row,) = (await ask(stack, "order_timeline.order", {"order_id": "o1"}))["rows"]
    assert [event["type"] for event in row["events"]] == ["case.opened", "case.resolved"]
    assert row["order"]["state"] == "unknown"


async def test_a_buyers_orders_come_the_newest_first(stack: Stack) -> None:
    for number in (3, 1, 5, 2, 4):
        await put(stack, happened(placed(f"o{number}"), number))
    await put(stack, happened(placed("not-theirs"), 9, buyer="b2"))
    await stack.settled()
    found = await pages(stack, "order_timeline.of_buyer", {"buyer": BUYER}, 2)
    assert [[row["order_id"] for row in page["rows"]] for page in found] == [["o5", "o4"], ["o3", "o2"], ["o1"]]


async def test_an_order_that_two_buyers_have_is_told_apart_by_the_buyer(stack: Stack) -> None:
    await put(stack, happened(placed(), 0))
    await put(stack, happened(paid(), 5, buyer="b2"))
    await stack.settled()
    (last,) = (await ask(stack, "order_timeline.order", {"order_id": "o1"}))["rows"]
    (first,) = (await ask(stack, "order_timeline.order", {"order_id": "o1", "buyer": BUYER}))["rows"]
    assert (last["order"]["buyer"], first["order"]["buyer"]) == ("b2", BUYER)
    assert len(first["events"]) == 1


def received(message_id: str, text: str, conversation: str = "c1") -> MessageReceived:
    return MessageReceived(message_id=message_id, conversation_id=conversation, text=text)


def sent(message_id: str, text: str, **more: Any) -> MessageSent:
    return MessageSent(**{"message_id": message_id, "conversation_id": "c1", "text": text, "agent_id": "lin", **more})


def replied(cycle: int, latency_ms: int, **more: Any) -> ReplyRecorded:
    fields = {"conversation_id": "c1", "agent_id": "lin", "by_bot": False, "first": False, **more}
    return ReplyRecorded(cycle=cycle, latency_ms=latency_ms, **fields)


async def test_a_chat_is_told_in_order_of_time_page_by_page(stack: Stack) -> None:
    opened = ConversationOpened(conversation_id="c1", channel="wangwang")
    told = (opened, received("m1", "在吗"), sent("m2", "您好", agent_id="bot", auto=True), sent("m3", "在的"))
    for minute, data in reversed(list(enumerate(told))):
        await put(stack, happened(data, minute))
    await put(stack, happened(received("m9", "别人的"), 1, buyer="b2"))
    await stack.settled()
    by_two = await pages(stack, "chat_history.of_buyer", {"buyer": BUYER}, 2)
    assert [len(page["rows"]) for page in by_two] == [2, 1]
    rows = [row for page in by_two for row in page["rows"]]
    assert [(row["who"], row["agent_id"], row["text"], row["channel"]) for row in rows] == [
        ("buyer", None, "在吗", "wangwang"),
        ("bot", "bot", "您好", "wangwang"),
        ("agent", "lin", "在的", "wangwang"),
    ]


async def test_a_page_holds_no_more_than_one_answer_can_carry(stack: Stack) -> None:
    for number in range(40):
        await put(stack, happened(received(f"m{number}", "字" * 20_000), number))
    await stack.settled()
    found = await pages(stack, "chat_history.of_buyer", {"buyer": BUYER}, 1_000)
    assert len(found) == 3, "2.4 MB of text, 1 MiB in an answer"
    assert [row["message_id"] for page in found for row in page["rows"]] == [f"m{n}" for n in range(40)]


@pytest.mark.parametrize("late", [False, True], ids=["message first", "recall first"])
async def test_a_recall_marks_the_last_message_of_its_id_and_side(stack: Stack, late: bool) -> None:
    recall = happened(MessageRecalled(conversation_id="c1", message_id="m1", by="buyer"), 4)
    said = [
        happened(received("m1", "used before"), 1),
        happened(received("m1", "taken back"), 2),
        happened(sent("m1", "the shop's"), 3),
        happened(received("m1", "used again"), 5),
    ]
    for event in [recall, *said] if late else [*said, recall]:
        await put(stack, event)
    await stack.settled()
    rows = (await ask(stack, "chat_history.of_buyer", {"buyer": BUYER}))["rows"]
    assert [row["text"] for row in rows if row["recalled"]] == ["taken back"]
    assert len(rows) == 4


async def test_a_recall_that_names_no_message_is_a_line_of_its_own(stack: Stack) -> None:
    await put(stack, happened(received("m1", "a"), 1))
    await put(stack, happened(MessageRecalled(conversation_id="c1", by="shop"), 2))
    await stack.settled()
    rows = (await ask(stack, "chat_history.of_buyer", {"buyer": BUYER}))["rows"]
    assert [(row["kind"], row["who"], row["recalled"]) for row in rows] == [
        ("text", "buyer", False), ("recall", "agent", False),
    ]  # fmt: skip


async def test_answer_times_are_told_of_the_shop_and_of_each_agent_and_bots_apart(stack: Stack) -> None:
    for minute, data in enumerate(
        (
            replied(1, 6_000, first=True), replied(2, 19_999), replied(3, 20_000), replied(4, 60_000, agent_id="wu"),
            replied(5, 100, agent_id="bot", by_bot=True),
        )
    ):  # fmt: skip
        await put(stack, happened(data, minute, buyer=f"b{minute}"))
    await stack.settled()
    (page,) = await pages(stack, "chat_history.answer_times", {}, 100)
    named = {(row["by_bot"], row["agent_id"]): row for row in page["rows"]}
    assert list(named) == [(False, None), (False, "lin"), (False, "wu"), (True, None), (True, "bot")]
    shop = named[False, None]
    assert (shop["answered"], shop["golden"], shop["good"], shop["breaches"]) == (4, 1, 2, 1)
    assert (shop["average_ms"], shop["longest_ms"]) == (26_500, 60_000)
    lin, wu = named[False, "lin"], named[False, "wu"]
    assert (lin["conversations"], lin["first_average_ms"], lin["average_ms"]) == (1, 6_000, 15_333)
    assert (wu["conversations"], wu["first_average_ms"]) == (0, None)
    assert named[True, "bot"]["answered"] == 1

    by_two = await pages(stack, "chat_history.answer_times", {}, 2)
    assert [row for page in by_two for row in page["rows"]] == page["rows"]
    part = {"since": (NOON + MINUTE).isoformat(), "until": (NOON + 3 * MINUTE).isoformat(), "good_ms": 20_001}
    (page,) = await pages(stack, "chat_history.answer_times", part, 100)
    assert [(row["agent_id"], row["answered"], row["good"]) for row in page["rows"]] == [(None, 2, 2), ("lin", 2, 2)]


@pytest.mark.parametrize(
    ("model", "data"),
    [
        ("order_timeline.order", {"order_id": "o1"}), ("order_timeline.of_buyer", {"buyer": BUYER}),
        ("chat_history.of_buyer", {"buyer": BUYER}), ("chat_history.answer_times", {}),
    ],
)  # fmt: skip
async def test_a_cursor_that_no_answer_gave_is_refused(stack: Stack, model: str, data: dict[str, Any]) -> None:
    noon = "2026-11-24T12:00:00"
    for cursor in ("x", f"{noon},1", f"{noon}Z,-1", f"{noon}Z,{2**63}", "9999-12-31T23:59:59-10:00,1"):
        answer = await ask(stack, model, data, cursor=cursor)
        assert (answer["result"], answer["code"], answer["field"]) == ("rejected", "invalid_field", "cursor")


async def test_a_chat_that_a_platform_pushes_can_be_read_and_its_reply_is_measured(
    database: Database, bus_url: str
) -> None:
    def fact(kind: str, second: int, **data: Any) -> dict[str, Any]:
        time = f"2026-11-24T10:00:{second:02}+08:00"
        envelope = {"specversion": "1.0", "id": f"f{second}", "source": "test", "buyer": BUYER}
        return {**envelope, "type": f"chat.message_{kind}", "time": time, "data": data}

    push = [
        fact("received", 0, message_id="m1", text="在吗", channel="wangwang"),
        fact("sent", 5, message_id="m2", text="亲,在的", agent_id="lin"),
    ]
    async with stack_of([CHAT_INGEST, SERVICE], database.dsn, bus_url) as stack:
        await stack.publish("canonical", SHOP, "chat", push, push)
        await stack.settled()
        rows = (await ask(stack, "chat_history.of_buyer", {"buyer": BUYER}))["rows"]
        times = (await ask(stack, "chat_history.answer_times", {}))["rows"]
    assert [(row["text"], row["channel"]) for row in rows] == [("在吗", "wangwang"), ("亲,在的", "wangwang")]
    assert [(row["agent_id"], row["answered"], row["average_ms"]) for row in times] == [
        (None, 1, 5000),
        ("lin", 1, 5000),
    ]
