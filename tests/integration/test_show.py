"""`carebus show` as a person at the desk uses it: tables to read, JSON to pipe, one line when something is wrong."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from schemas.envelope import Event
from services.projections.app import SERVICE
from tests.carebus import at, carebus
from tests.databases import Database
from tests.integration.test_poison import put
from tests.integration.test_read_models import (
    BUYER,
    SHOP,
    happened,
    paid,
    placed,
    received,
    replied,
    sent,
    shipped,
    signed,
)
from tests.stack import Stack, stack_of

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture
async def stack(database: Database, bus_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    monkeypatch.setenv("COLUMNS", "160")
    async with stack_of([SERVICE], database.dsn, bus_url) as running:
        yield running


async def log(stack: Stack, *events: Event[Any]) -> None:
    for event in events:
        await put(stack, event)
    await stack.settled()


async def show(stack: Stack, *arguments: str) -> tuple[int, str, str]:
    return await carebus("show", *arguments, **at(stack.settings.postgres_dsn, stack.settings.nats_url))


async def test_an_order_is_shown_with_its_history_in_shanghai_time_and_yuan(stack: Stack) -> None:
    await log(stack, happened(placed(), 0), happened(paid(), 1), happened(shipped(), 2))
    status, out, err = await show(stack, "order", SHOP, "o1")
    assert (status, err) == (0, "")
    assert "shipped 卖家已发货" in out
    assert "29.80 CNY" in out
    assert "2026-03-02 20:01:00" in out, "12:01 UTC"
    assert out.index("placed, 29.80 CNY") < out.index("parcel p1 shipped by 顺丰")
    _, out, _ = await show(stack, "order", SHOP, "o1", "--zone", "UTC")
    assert "2026-03-02 12:01:00" in out


async def test_pages_are_followed_up_to_the_limit(stack: Stack) -> None:
    await log(stack, *(happened(signed("o1", f"p{n}"), n) for n in range(5)))
    status, out, err = await show(stack, "order", SHOP, "o1", "--json", "--limit", "3")
    assert (status, err) == (0, "")
    told = msgspec.json.decode(out)
    assert [event["summary"] for event in told["events"]] == [f"parcel p{n} signed (self)" for n in range(3)]
    _, _, err = await show(stack, "order", SHOP, "o1", "--limit", "3")
    assert err == "there is more: give a larger --limit\n"
    _, _, err = await show(stack, "order", SHOP, "o1", "--limit", "5")
    assert err == ""


async def test_more_than_one_answer_holds_is_asked_for_page_by_page(stack: Stack) -> None:
    many = 1_003
    await log(stack, *(happened(received(f"m{n}", f"text {n}"), n) for n in range(many)))
    status, out, _ = await show(stack, "chat", SHOP, BUYER, "--json", "--limit", str(many + 1))
    assert status == 0
    assert [msgspec.json.decode(line)["text"] for line in out.splitlines()] == [f"text {n}" for n in range(many)]


async def test_a_buyers_orders_are_a_line_each(stack: Stack) -> None:
    await log(stack, happened(placed("o1"), 0), happened(placed("o2"), 1), happened(paid("o2"), 2))
    status, out, _ = await show(stack, "orders", SHOP, BUYER)
    assert status == 0
    assert out.index("o2") < out.index("o1")
    assert "纯棉短袖 x2" in out
    _, out, _ = await show(stack, "orders", SHOP, BUYER, "--json")
    assert [msgspec.json.decode(line)["state"] for line in out.splitlines()] == ["paid", "placed"]


async def test_what_people_wrote_moves_no_cursor_and_is_no_markup(stack: Stack) -> None:
    await log(
        stack,
        happened(received("m1", "[bold]亲[/bold]\x1b[2J\u202e在吗"), 0),
        happened(sent("m2", "您好", agent_id="bot", auto=True), 1),
    )
    status, out, _ = await show(stack, "chat", SHOP, BUYER)
    assert status == 0
    assert "[bold]亲[/bold]" in out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "bot (bot)" in out


async def test_answer_times_are_shown_for_a_period_of_local_days(stack: Stack) -> None:
    await log(
        stack,
        happened(replied(1, 6_000, first=True), 0),
        happened(replied(2, 30_000, agent_id="wu"), 1),
        happened(replied(3, 90_000, agent_id="wu"), 24 * 60),
    )
    status, out, _ = await show(stack, "answer-times", SHOP, "--from", "2026-03-02", "--to", "2026-03-02")
    assert status == 0
    shop, lin, wu = [line for line in out.splitlines() if " s " in line and "(" in line]
    assert "all people" in shop
    assert "18.0 s" in shop
    assert "1 (50%)" in shop
    assert "6.0 s" in lin
    assert "30.0 s" in wu
    _, out, _ = await show(stack, "answer-times", SHOP, "--from", "2026-03-03T19:00", "--json")
    assert [msgspec.json.decode(line)["breaches"] for line in out.splitlines()] == [1, 1]


async def test_what_nobody_knows_is_told(stack: Stack) -> None:
    status, out, err = await show(stack, "order", SHOP, "nobody's")
    assert (status, out) == (2, "")
    assert err == "shop s1 has no order nobody's: nothing in the log is about it\n"
    for asked in ("orders", "chat"):
        status, out, err = await show(stack, asked, SHOP, "nobody")
        assert (status, err, out.count("\n")) == (0, "", 1)
        assert f"of buyer nobody in shop {SHOP}: are the ids those of the shop's feeds?" in out.replace("with", "of")
    assert await show(stack, "chat", SHOP, "nobody", "--json") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("orders", SHOP, "-"), "projections refused the query at buyer (invalid_field)"),
        (("order", SHOP, "o1", "--zone", "Mars/Olympus"), "--zone Mars/Olympus: no such time zone"),
        (("answer-times", SHOP, "--from", "yesterday"), "--from yesterday: no time"),
    ],
)
async def test_a_wrong_question_is_one_line(stack: Stack, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = await show(stack, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert said in err


async def test_without_projections_it_says_how_to_start_them(database: Database, bus_url: str) -> None:
    status, out, err = await carebus("show", "order", SHOP, "o1", **at(database.dsn, bus_url))
    assert (status, out) == (2, "")
    assert err == "projections is not running: carebus up, or carebus run projections\n"


async def test_without_nats_it_is_one_line(database: Database) -> None:
    status, out, err = await carebus("show", "order", SHOP, "o1", **at(database.dsn, "nats://127.0.0.1:1"))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "nats://127.0.0.1:1" in err


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
async def test_a_time_at_the_end_of_the_calendar_is_shown(stack: Stack, time: str, zone: str) -> None:
    await log(stack, msgspec.structs.replace(happened(placed(), 0), time=datetime.fromisoformat(time)))
    for asked in (("order", SHOP, "o1"), ("orders", SHOP, BUYER)):
        status, out, err = await show(stack, *asked, "--zone", zone)
        assert (status, err) == (0, "")
        assert "placed" in out
        status, out, err = await show(stack, *asked, "--json")
        assert (status, err) == (0, "")
        assert time.removesuffix("Z") in out
