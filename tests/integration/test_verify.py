"""state = fold(log): a state row that somebody changed is found, named and repaired."""

from typing import Any

import pytest

from services.kernel.verify import Difference, verify
from tests.carebus import at, carebus
from tests.databases import Database
from tests.examples.services import ENDS, FACTS, REMIND, prepare
from tests.integration.test_flow import said
from tests.stack import Stack, stack_of

pytestmark = pytest.mark.integration


async def _fill(stack: Stack) -> None:
    await stack.publish("shop", "s1", "order", *(said(f, f"o{n}", f"b{n % 5}") for n in range(20) for f in FACTS_OF))
    await stack.settled()
    await stack.command("ex_remind", "cancel_care", command_id="c1", data={"care_id": "b1:payment_thanks:o1"})
    await stack.settled()


FACTS_OF = ("placed", "paid")


async def _differences(stack: Stack, *, repair: bool = False) -> list[Difference]:
    pool: Any = stack.running["ex_remind"].pool
    return [d async for d in verify(pool, stack.nats, REMIND.processes, repair=repair)]


async def test_every_state_is_the_fold_of_the_log(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND, ENDS], database.dsn, bus_url) as stack:
        await _fill(stack)
        assert await _differences(stack) == []


@pytest.mark.parametrize(
    "flip",
    [
        "overlay(state placing '\\x39' from position('spent_fen' in convert_from(state, 'UTF8')) + 11)",
        "overlay(state placing '\\x00' from 1)",
    ],
)
async def test_a_flipped_byte_is_found_named_and_repaired(database: Database, bus_url: str, flip: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND, ENDS], database.dsn, bus_url) as stack:
        await _fill(stack)
        before = await stack.rows("SELECT state FROM ex_remind.state ORDER BY key")
        await stack.rows(f"UPDATE ex_remind.state SET state = {flip} WHERE key = 'b3'")
        (found,) = await _differences(stack)
        assert (found.process, found.shop, found.key, found.what) == ("reminder", "s1", "b3", "state")
        assert [d.repaired for d in await _differences(stack, repair=True)] == [True]
        assert await _differences(stack) == []
        assert len(await stack.rows("SELECT state FROM ex_remind.state ORDER BY key")) == len(before)


async def test_the_command_line_names_the_story_and_repairs_it(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND, ENDS], database.dsn, bus_url) as stack:
        await _fill(stack)
        await stack.rows("UPDATE ex_remind.state SET state = '{}' WHERE key = 'b2'")
        told, status = await _carebus(database, bus_url)
        assert (status, "shop s1  buyer b2" in told) == (1, True), told
        told, status = await _carebus(database, bus_url, "--repair")
        assert (status, "repaired" in told) == (0, True), told
        told, status = await _carebus(database, bus_url)
        assert (status, told) == (0, "ex_remind (reminder): every state is the fold of the log\n")


async def _carebus(database: Database, bus_url: str, *more: str) -> tuple[str, int]:
    status, out, _ = await carebus("verify", "tests.examples.services:REMIND", *more, **at(database.dsn, bus_url))
    return out, status
