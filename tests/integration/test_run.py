"""`carebus run`: a service that cannot start says in one line why, and never with a traceback."""

import pytest

from services.cli.processes import HOST, free_port
from tests.carebus import carebus, one_line
from tests.databases import Database

pytestmark = pytest.mark.integration


async def run_of(bus_url: str, *arguments: str, **variables: str) -> str:
    dsn = f"postgresql://u:hidden@{HOST}:{free_port()}/x"
    given = {"CAREBUS_NATS_URL": bus_url, "CAREBUS_POSTGRES_DSN": dsn, **variables}
    said = one_line(await carebus("run", *arguments, **given))
    assert "hidden" not in said
    return said


@pytest.mark.parametrize(
    ("service", "variables", "told"),
    [
        ("nothing", {}, "'nothing' is no service"),
        ("aftersales", {"CAREBUS_HTTP_PORT": "70000"}, "CAREBUS_HTTP_PORT='70000'"),
        ("aftersales", {"CAREBUS_POSTGRES_PASSWORD_FILE": "/nowhere"}, "cannot read /nowhere"),
        ("aftersales", {"CAREBUS_CRASH_AT": "here"}, "CAREBUS_CRASH_AT='here'"),
        ("aftersales", {}, "cannot start"),
    ],
)
async def test_a_service_that_cannot_start_says_why_in_one_line(
    bus_url: str, service: str, variables: dict[str, str], told: str
) -> None:
    assert told in await run_of(bus_url, service, **variables)


async def test_a_service_whose_http_port_is_taken_says_so(bus_url: str, database: Database, busy_port: int) -> None:
    given = {"CAREBUS_POSTGRES_DSN": database.dsn_for("carebus_aftersales"), "CAREBUS_HTTP_PORT": str(busy_port)}
    assert f"{HOST}:{busy_port} cannot be listened on" in await run_of(bus_url, "aftersales", **given)
