"""`carebus parked` and `carebus verify` as an operator uses them: readable, and one line when something is wrong."""

import msgspec
import pytest

from schemas.codec import encode
from services.cli.commands import COMMANDS
from tests.carebus import at, carebus
from tests.databases import Database
from tests.examples.services import REMIND, prepare
from tests.integration.test_poison import paid, placed, put, spoilt
from tests.stack import stack_of, until

pytestmark = pytest.mark.integration

SERVICE = "tests.examples.services:REMIND"


async def test_a_parked_message_is_listed_without_its_contents_and_played_again(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        assert await carebus("parked", "list", SERVICE, **at(database.dsn, bus_url)) == (0, "nothing is parked\n", "")
        await put(stack, placed("o1", "b1"))
        await put(stack, paid("o1", "b1"), spoilt(data={"order_id": "o1", "paid_fen": "secret"}))
        await put(stack, paid("o2", "b1"))
        await stack.settled()

        status, out, _ = await carebus("parked", "list", SERVICE, **at(database.dsn, bus_url))
        assert status == 0
        assert "failed  shop s1  buyer b1  EVENTS 2" in out
        assert "DecodeError" in out
        assert "secret" not in out
        status, out, _ = await carebus("parked", "list", SERVICE, "--waiting", "--json", **at(database.dsn, bus_url))
        rows = [msgspec.json.decode(line) for line in out.splitlines()]
        assert [row["status"] for row in rows] == ["failed", "waiting"]

        await stack.rows(
            "UPDATE ex_remind.parked SET payload = $1 WHERE id = $2", encode(paid("o1", "b1")), rows[0]["id"]
        )
        status, out, _ = await carebus("parked", "retry", SERVICE, str(rows[0]["id"]), **at(database.dsn, bus_url))
        assert (status, "will be played again" in out) == (0, True)

        async def free() -> bool:
            return not await stack.rows("SELECT 1 FROM ex_remind.parked")

        await until(free, "the lane was played again")
        status, _, err = await carebus("parked", "retry", SERVICE, "999", **at(database.dsn, bus_url))
        assert (status, err.count("\n")) == (2, 1)
        assert "999 is no failed message" in err


@pytest.mark.parametrize(
    ("dsn", "arguments", "said"),
    [
        ("postgresql://127.0.0.1:1/none", ("parked", "list", SERVICE), "PostgreSQL at postgresql://127.0.0.1:1/none"),
        ("postgresql://u:hidden@127.0.0.1:1/x", ("verify", SERVICE), "ex_remind cannot be verified"),
        ("postgresql://127.0.0.1:1/none", ("verify", "no.such:THING"), "'no.such:THING' is no service"),
    ],
)
async def test_what_is_wrong_is_one_line_and_a_status(
    bus_url: str, dsn: str, arguments: tuple[str, ...], said: str
) -> None:
    status, out, err = await carebus(*arguments, **at(dsn, bus_url))
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert said in err
    assert "hidden" not in err


async def test_help_tells_every_command_in_one_line_in_the_order_in_which_they_are_met() -> None:
    status, out, err = await carebus("--help", COLUMNS="80")
    assert (status, err) == (0, "")
    lines = [line.strip("│ ") for line in out.partition("Start it")[2].splitlines() if line.startswith("│")]
    assert [line.split()[0] for line in lines] == [name for commands in COMMANDS.values() for name in commands]
    assert all(line.endswith(".") for line in lines), lines
