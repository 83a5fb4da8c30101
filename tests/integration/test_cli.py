"""`carebus parked` and `carebus verify` as an operator uses them: readable, and one line when something is wrong."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec
import pytest

from schemas.codec import encode
from tests.databases import Database
from tests.examples.services import REMIND, prepare
from tests.integration.test_poison import paid, placed, put, spoilt
from tests.stack import stack_of, until

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SERVICE = "tests.examples.services:REMIND"


async def carebus(dsn: str, bus_url: str, *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    environment = {**os.environ, "CAREBUS_NATS_URL": bus_url, "CAREBUS_POSTGRES_DSN": dsn}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.cli.main",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_parked_message_is_listed_without_its_contents_and_played_again(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        assert await carebus(database.dsn, bus_url, "parked", "list", SERVICE) == (0, "nothing is parked\n", "")
        await put(stack, placed("o1", "b1"))
        await put(stack, paid("o1", "b1"), spoilt(data={"order_id": "o1", "paid_fen": "secret"}))
        await put(stack, paid("o2", "b1"))
        await stack.settled()

        status, out, _ = await carebus(database.dsn, bus_url, "parked", "list", SERVICE)
        assert status == 0
        assert "failed  shop s1  buyer b1  EVENTS 2" in out
        assert "DecodeError" in out
        assert "secret" not in out
        status, out, _ = await carebus(database.dsn, bus_url, "parked", "list", SERVICE, "--waiting", "--json")
        rows = [msgspec.json.decode(line) for line in out.splitlines()]
        assert [row["status"] for row in rows] == ["failed", "waiting"]

        await stack.rows(
            "UPDATE ex_remind.parked SET payload = $1 WHERE id = $2", encode(paid("o1", "b1")), rows[0]["id"]
        )
        status, out, _ = await carebus(database.dsn, bus_url, "parked", "retry", SERVICE, str(rows[0]["id"]))
        assert (status, "will be played again" in out) == (0, True)

        async def free() -> bool:
            return not await stack.rows("SELECT 1 FROM ex_remind.parked")

        await until(free, "the lane was played again")
        status, _, err = await carebus(database.dsn, bus_url, "parked", "retry", SERVICE, "999")
        assert (status, err.count("\n")) == (2, 1)
        assert "999 is no failed message" in err


@pytest.mark.parametrize(
    ("dsn", "arguments", "said"),
    [
        ("postgresql://127.0.0.1:1/none", ("parked", "list", SERVICE), "ex_remind (postgresql://127.0.0.1:1/none)"),
        ("postgresql://u:hidden@127.0.0.1:1/x", ("verify", SERVICE), "ex_remind cannot be verified"),
        ("postgresql://127.0.0.1:1/none", ("verify", "no.such:THING"), "'no.such:THING' is no service"),
    ],
)
async def test_what_is_wrong_is_one_line_and_a_status(
    bus_url: str, dsn: str, arguments: tuple[str, ...], said: str
) -> None:
    status, out, err = await carebus(dsn, bus_url, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert said in err
    assert "hidden" not in err
