"""`carebus publish` and `carebus tail` as an operator uses them: what is stored, what is shown, what is said."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.cli.servers import NatsServer
from services.kernel import bus
from services.kernel.history import history
from tests.carebus import at, carebus, started
from tests.databases import Database
from tests.examples.services import FACTS, REMIND, prepare
from tests.integration.test_poison import paid, placed, put
from tests.stack import stack_of, until

pytestmark = pytest.mark.integration


def fact(order: str, buyer: str = "b1", **more: Any) -> dict[str, Any]:
    """A line of the example feed."""
    told = {"fact": "placed", "order_id": order, "buyer": buyer, "time": "2026-11-24T16:00:00+08:00", **more}
    return {"at": "2026-11-24T16:00:01+08:00", "subject": "in.shop.s1.order", "data": told}


def cancel(command_id: str, care_id: str) -> dict[str, Any]:
    data = {"command_id": command_id, "shop": "s1", "actor": {"id": "a", "role": "agent"}, "data": {"care_id": care_id}}
    return {"subject": "cmd.ex_remind.cancel_care", "data": data}


def stream_file(directory: Path, *lines: Any) -> str:
    path = directory / "day.jsonl"
    texts = [line if isinstance(line, str) else msgspec.json.encode(line).decode() for line in lines]
    path.write_text("# a stream\n" + "\n".join(texts) + "\n")
    return str(path)


async def stored(client: Any, stream: str) -> list[bytes]:
    return [msg.data async for msg in history(client, stream, ">")]


async def test_facts_are_stored_in_their_order_and_commands_wait_for_them(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND], database.dsn, bus_url) as stack:
        facts = [fact(f"o{number}", f"b{number}") for number in range(600)]
        file = stream_file(tmp_path, *facts, cancel("c1", "nobody:o1"))
        status, out, err = await carebus("publish", file, **at(database.dsn, bus_url))
        assert err == ""
        assert out.startswith("600 facts published, 0 commands accepted, 1 rejected:\n")
        assert "line 602  cmd.ex_remind.cancel_care  already_requested: " in out
        assert status == 1
        assert await stored(stack.nats, bus.INBOX) == [msgspec.json.encode(one["data"]) for one in facts]

        status, out, _ = await carebus(
            "publish", stream_file(tmp_path, facts[0]), "--json", **at(database.dsn, bus_url)
        )
        assert status == 0
        assert msgspec.json.decode(out) == {"published": 1, "accepted": 0, "rejected": [], "fault": ""}


async def test_nothing_is_published_while_a_line_is_wrong(database: Database, bus_url: str, tmp_path: Path) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS], database.dsn, bus_url) as stack:
        file = stream_file(tmp_path, fact("o1"), fact("o2") | {"at": "16:00"})
        status, out, err = await carebus("publish", file, **at(database.dsn, bus_url))
        assert (status, out) == (2, "")
        assert err == f"{file}:3: at: Invalid RFC3339 encoded datetime (nothing was published)\n"
        assert await stored(stack.nats, bus.INBOX) == []


async def test_a_stream_is_read_from_the_standard_input_too(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS], database.dsn, bus_url):
        process = await started(["publish", "-"], at(database.dsn, bus_url), stdin=asyncio.subprocess.PIPE)
        out, err = await process.communicate(msgspec.json.encode(fact("o1")))
        assert (process.returncode, out, err) == (0, b"1 facts published\n", b"")


async def test_a_full_stream_is_said_with_how_much_of_the_file_it_took(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS], database.dsn, bus_url, inbox_max_bytes=1_048_576):
        file = stream_file(tmp_path, *[fact(f"o{number}", note="x" * 200_000) for number in range(10)])
        status, out, err = await carebus("publish", file, **at(database.dsn, bus_url))
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert "line 7: in.shop.s1.order: INBOX is full (maximum bytes exceeded)" in err
        assert err.endswith("5 of 10 facts were stored\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (fact("o1"), "in.shop.s1.order: no stream takes it; the services make INBOX when they start"),
        (cancel("c1", "b1:o1"), "line 2: no service answers cmd.ex_remind.cancel_care: is it running?"),
    ],
)
async def test_where_nobody_takes_it_one_line_says_so(
    bus_url: str, tmp_path: Path, line: dict[str, Any], said: str
) -> None:
    status, out, err = await carebus(
        "publish", stream_file(tmp_path, line), **at("postgresql://127.0.0.1:1/none", bus_url)
    )
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert said in err


@pytest.mark.parametrize("command", [("publish", "tests/streams/day.jsonl"), ("tail",)])
async def test_where_nats_is_away_one_line_says_so(command: tuple[str, ...]) -> None:
    status, out, err = await carebus(*command, **at("postgresql://127.0.0.1:1/none", "nats://u:hidden@127.0.0.1:1"))
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert "NATS at nats://***@127.0.0.1:1 cannot be connected to" in err
    assert "hidden" not in err


async def test_tail_shows_what_is_wanted_of_the_log(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS], database.dsn, bus_url) as stack:
        for number in range(30):
            await put(stack, placed(f"o{number}", "b1"))
        await put(stack, paid("o1", "b1"))
        await put(stack, placed("p1", "b2"))
        await put(stack, placed("p2", "=b\x1b[31m"), b'{"type": "order.placed"')

        async def tail(*arguments: str) -> list[str]:
            status, out, err = await carebus("tail", "--no-follow", *arguments, **at(database.dsn, bus_url))
            assert (status, err) == (0, "")
            return out.splitlines()

        assert len(await tail()) == 10
        assert len(await tail("--from-start")) == 33
        assert await tail("order.paid", "--last", "5") == [
            "2026-11-24 16:00:00  order.paid  s1  b1  o1  paid=1.00",
        ]
        assert len(await tail("order.placed", "s1/b1", "--last", "20")) == 20
        assert [line.split("  ")[4] for line in await tail("s1/b2", "order")] == ["p1"]
        assert await tail("s2/") == []
        assert await tail("--last", "0") == []
        [odd] = await tail("--last", "1")
        assert odd.endswith("(event 33 cannot be read)")

        objects = [msgspec.json.decode(line) for line in await tail("--json", "--last", "2")]
        assert objects[0]["seq"] == 32
        assert objects[0]["type"] == "order.placed"
        assert objects[0]["data"]["order_id"] == "p1"
        assert objects[0]["recordedtime"] > objects[0]["time"]
        assert objects[1]["fault"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("oder",), "'oder' is no event type or entity; there are chat, agent, order"),
        (("order.payed",), "'order.payed' is no event type or entity; there are order.placed"),
        (("s1/", "s2/"), "s1/, s2/: give one place at most"),
        (("/b1",), "'/b1' names no shop"),
    ],
)
async def test_a_filter_that_names_nothing_is_one_line(words: tuple[str, ...], said: str) -> None:
    status, out, err = await carebus("tail", *words, **at("postgresql://127.0.0.1:1/none", "nats://127.0.0.1:1"))
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert said in err


async def test_tail_follows_through_a_restart_of_nats_and_ends_quietly(
    database: Database, nats_server: NatsServer
) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS], database.dsn, nats_server.url) as stack:
        await put(stack, placed("o1", "b1"))
        process = await started(["tail", "--last", "1"], at(database.dsn, nats_server.url))
        assert process.stdout
        try:
            lines = [await asyncio.wait_for(process.stdout.readline(), 20)]
            nats_server.restart()

            async def again() -> bool:
                return stack.nats.stats["reconnects"] and stack.nats.is_connected

            await until(again, "the test's own connection is back")
            for number in range(2, 5):
                await put(stack, placed(f"o{number}", "b1"))
                lines.append(await asyncio.wait_for(process.stdout.readline(), 20))
            assert [line.split(b"  ")[4] for line in lines] == [b"o1", b"o2", b"o3", b"o4"]
        finally:
            process.send_signal(signal.SIGINT)
            out, err = await asyncio.wait_for(process.communicate(), 20)
        assert (process.returncode, out) == (0, b"")
        assert err.count(b"\n") <= 3
        assert b"Traceback" not in err
