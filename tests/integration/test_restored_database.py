"""A database restored from a backup that is older than the log: what is decided again is not written twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.kernel.verify import verify
from tests.databases import Database, copy_of, drop
from tests.examples.services import ENDS, FACTS, REMIND, prepare
from tests.integration.test_flow import said
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration

ALL = [FACTS, REMIND, ENDS]


@pytest_asyncio.fixture
async def backup(database: Database, bus_url: str) -> AsyncIterator[Database]:
    """What the database was after the first ten orders; another ten, and a command, came after it."""
    await prepare(database.dsn)
    async with stack_of(ALL, database.dsn, bus_url) as stack:
        await stack.publish("shop", "s1", "order", *(said("paid", f"o{n}", f"b{n}") for n in range(10)))
        await stack.settled()
    copied = await copy_of(database, f"{database.name}_backup")
    async with stack_of(ALL, database.dsn, bus_url) as stack:
        await stack.publish("shop", "s1", "order", *(said("paid", f"o{n}", f"b{n}") for n in range(10, 20)))
        await stack.settled()
        told = await stack.command("ex_remind", "cancel_care", command_id="c", data={"care_id": "b3:payment_thanks:o3"})
        assert told["result"] == "accepted"
        await stack.settled()
    over = asyncio.get_running_loop().time() + 2.2

    async def window_is_over() -> bool:
        return asyncio.get_running_loop().time() > over

    await until(window_is_over, "JetStream's duplicate window (2 s) is over")
    yield copied
    await drop(copied)


async def log_length(stack: Stack) -> int:
    return (await stack.nats.jetstream().stream_info("EVENTS")).state.messages


async def test_what_is_decided_again_is_not_written_again(backup: Database, bus_url: str) -> None:
    async with stack_of(ALL, backup.dsn, bus_url, restored=True) as stack:
        before = await log_length(stack)
        await stack.settled()
        assert await log_length(stack) == before == 41
        rows = await stack.rows("SELECT id FROM ex_ends.seen")
        assert len({row["id"] for row in rows}) == len(rows) == 41
        pool = stack.running["ex_remind"].pool
        assert [found async for found in verify(pool, stack.nats, REMIND.processes)] == []
        await stack.publish("shop", "s1", "order", said("paid", "o99", "b3"))
        await stack.settled()
        assert await log_length(stack) == 43, "and life goes on"


async def test_without_being_told_it_would_be_written_twice(backup: Database, bus_url: str) -> None:
    """The other half of the proof: JetStream's own window is over, nothing else stands in the way."""
    async with stack_of(ALL, backup.dsn, bus_url) as stack:
        await stack.settled()
        assert await log_length(stack) > 41
