"""`carebus parked`: looking at what could not be handled, playing it again, giving it up."""

from typing import Any

import msgspec
import pytest

from schemas.codec import encode
from tests.carebus import at, carebus
from tests.databases import Database
from tests.examples.services import ENDS, FACTS, REMIND, prepare
from tests.integration.test_poison import paid, placed, put, spoilt
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration

SERVICES = {service.name: service for service in (FACTS, REMIND, ENDS)}
BAD = spoilt(data={"order_id": "o1", "paid_fen": "secret"})


class Operator:
    """Somebody at a terminal, looking at one service."""

    def __init__(self, database: Database, bus_url: str, service: str) -> None:
        self._servers = at(database.dsn, bus_url)
        self._service = f"tests.examples.services:{service}"

    async def __call__(self, command: str, *arguments: str) -> str:
        status, out, err = await carebus("parked", command, self._service, *arguments, **self._servers)
        assert (status, err) == (0, "")
        return out

    async def refused(self, command: str, *arguments: str) -> str:
        status, out, err = await carebus("parked", command, self._service, *arguments, **self._servers)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        return err

    async def rows(self, *arguments: str) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in (await self("list", "--json", *arguments)).splitlines()]


async def gone(stack: Stack, service: str) -> None:
    async def empty() -> bool:
        left = await stack.rows(f"SELECT 1 FROM {service}.parked UNION ALL SELECT 1 FROM {service}.blocked")
        return not left

    await until(empty, f"nothing is parked in {service} and no lane waits")


@pytest.mark.parametrize("service", ["REMIND", "ENDS"])
async def test_a_discarded_message_goes_and_what_waited_behind_it_is_played(
    service: str, database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    schema = f"ex_{service.lower()}"
    async with stack_of([SERVICES[schema]], database.dsn, bus_url) as stack:
        await put(stack, placed("o1", "b1"))
        await put(stack, paid("o1", "b1"), BAD)
        await put(stack, placed("o2", "b1"))
        await put(stack, paid("o2", "b1"))
        await stack.settled()
        operator = Operator(database, bus_url, service)
        [row] = await operator.rows()

        out = await operator("discard", str(row["id"]), "--reason", "the sender mended it")
        assert out.startswith(f"discarded {row['id']}  failed  shop s1  buyer b1  EVENTS 2")
        assert "reason: the sender mended it; the running service goes on with its lane, 2 messages waited" in out
        await gone(stack, schema)
        if service == "ENDS":
            ends = await stack.rows("SELECT order_id, rank FROM ex_ends.order_end ORDER BY order_id")
            assert [row["order_id"] for row in ends] == ["o1", "o2"]
            assert ends[0]["rank"] < ends[1]["rank"]  # o1 was never paid here, o2 was


async def test_a_lane_stays_closed_while_a_discarded_message_is_on_its_way_out(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    operator = Operator(database, bus_url, "ENDS")
    async with stack_of([ENDS], database.dsn, bus_url) as stack:
        await put(stack, paid("o1", "b1"), BAD)
        await stack.settled()
        [row] = await operator.rows()
        await stack.stop("ex_ends")
        await operator("discard", str(row["id"]), "--reason", "bad")
        assert await stack.rows("SELECT 1 FROM ex_ends.blocked")
        assert "about to play it again" in await operator.refused("discard", str(row["id"]), "--reason", "bad")
        await put(stack, placed("o2", "b1"))
        await stack.start(ENDS)
        await gone(stack, "ex_ends")
        await stack.settled()
        assert [row["order_id"] for row in await stack.rows("SELECT order_id FROM ex_ends.order_end")] == ["o2"]


async def test_a_refused_fact_is_shown_with_its_place_and_discarded_at_once(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS], database.dsn, bus_url) as stack:
        await stack.publish("shop", "s1", "order", b'{"fact": "placed", "order_id": 7, "who": "\x1b[31m"}', b"\xff\x00")
        await stack.settled()
        operator = Operator(database, bus_url, "FACTS")
        first, second = await operator.rows()
        assert [row["status"] for row in (first, second)] == ["aside", "aside"]

        shown = await operator("show", str(first["id"]))
        assert '"order_id": 7' in shown
        assert "subject    inbox." in shown
        assert "0 messages wait behind it" in shown
        whole = msgspec.json.decode(await operator("show", str(second["id"]), "--json"))
        assert whole["payload"] == "\\xff\x00"

        out = await operator("discard", str(first["id"]), "--reason", "a test of theirs")
        assert out.endswith("reason: a test of theirs; nobody waited behind it\n")
        assert [row["id"] for row in await operator.rows()] == [second["id"]]


async def test_what_is_parked_is_told_apart_by_reason_and_shop_and_all_of_it_retried(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        await put(stack, paid("o1", "b1"), BAD)
        await put(stack, paid("o2", "b2"), spoilt(buyer="b2", time="yesterday"))
        await put(stack, paid("o3", "b3"), spoilt(buyer="b3", dataschema="urn:carebus:event:order.paid:99"))
        await stack.settled()
        operator = Operator(database, bus_url, "REMIND")
        assert len(await operator.rows("--shop", "s1")) == 3
        assert await operator("list", "--shop", "s2") == "nothing is parked\n"
        [newer] = await operator.rows("--reason", "UnknownVersion")
        assert newer["buyer"] == "b3"

        shown = await operator("show", str(newer["id"]))
        assert "order.paid:99" in shown
        assert "Traceback" in shown

        await stack.rows("UPDATE ex_remind.parked SET payload = $1 WHERE buyer = 'b1'", encode(paid("o1", "b1")))
        out = await operator("retry", "--all", "--reason", "DecodeError")
        assert out.startswith("2 messages will be played again")

        async def played() -> bool:
            rows = await stack.rows("SELECT status, buyer FROM ex_remind.parked ORDER BY buyer")
            return [tuple(row) for row in rows] == [("failed", "b2"), ("failed", "b3")]

        await until(played, "the mended one was played, the other failed once more")


async def test_what_cannot_be_done_is_one_line(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        await put(stack, paid("o1", "b1"), BAD)
        await put(stack, placed("o2", "b1"))
        await stack.settled()
        operator = Operator(database, bus_url, "REMIND")
        _, waiting = await operator.rows("--waiting")
        assert "no message 999 is parked" in await operator.refused("show", "999")
        assert "no message 999 is parked" in await operator.refused("discard", "999", "--reason", "x")
        assert "it has not failed, it waits" in await operator.refused("discard", str(waiting["id"]), "--reason", "x")
        assert "say why" in await operator.refused("discard", "1", "--reason", " ")
        assert "give the ID of one message, or --all" in await operator.refused("retry")
        assert "choose among --all" in await operator.refused("retry", "1", "--shop", "s1")
