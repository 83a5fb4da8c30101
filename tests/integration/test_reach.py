"""How the commands reach NATS and PostgreSQL: in bounded time, in one line where they do not, at once where it ends."""

import asyncio
import time
from pathlib import Path

import nkeys
import pytest

from services.cli.client import Lost, reached
from services.cli.processes import HOST, free_port
from services.cli.reach import REACH_S, Unreachable, connect_nats
from services.cli.servers import NatsServer
from services.kernel.settings import Settings
from tests.carebus import NOWHERE, carebus, one_line
from tests.examined import greeting
from tests.integration.test_doctor_servers import reconfigure

pytestmark = pytest.mark.integration

CREDENTIALS = """-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


@pytest.mark.parametrize(
    "command",
    [
        "publish tests/streams/day.jsonl",
        "tail",
        "tail --no-follow",
        "show order s1 o1",
        "live on s1",
        "verify aftersales",
    ],
)
async def test_where_nobody_listens_every_command_says_so_in_one_line(command: str) -> None:
    said = one_line(await carebus(*command.split(), **NOWHERE))
    assert "NATS at nats://***@127.0.0.1:1 cannot be connected to: connection refused; start it: `carebus up`" in said


async def test_where_there_is_no_postgres_parked_says_so_in_one_line() -> None:
    said = one_line(await carebus("parked", "list", "aftersales", **NOWHERE))
    assert said.startswith("PostgreSQL at postgresql://127.0.0.1:1/none cannot be connected to: connection refused; ")


async def test_connecting_ends_at_once_where_it_is_refused_and_in_bounded_time_where_nobody_answers() -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable, match="connection refused"):
        await connect_nats(Settings(nats_url=f"nats://{HOST}:{free_port()}"))
    assert time.monotonic() - began < REACH_S
    async with greeting(b"") as url:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="does not answer within"):
            await connect_nats(Settings(nats_url=url))
        assert time.monotonic() - began < 2 * REACH_S + 1


async def test_what_waits_for_a_nats_that_is_killed_ends_at_once(nats_server: NatsServer) -> None:
    began = time.monotonic()

    async def wait_under_it() -> None:
        async with reached(Settings(nats_url=nats_server.url)) as client:
            await client.subscribe("nobody.says.anything")
            await asyncio.to_thread(nats_server.kill)
            await asyncio.Event().wait()

    with pytest.raises(Lost, match="was lost"):
        await asyncio.wait_for(wait_under_it(), 30)
    assert time.monotonic() - began < 5


async def test_a_command_that_fails_by_itself_is_not_said_to_have_lost_nats(bus_url: str) -> None:
    with pytest.raises(TimeoutError):
        async with reached(Settings(nats_url=bus_url)):
            raise TimeoutError


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read"),
        ("", "does not hold a user's JWT and seed"),
        (CREDENTIALS.format(jwt="e30.e30.x", seed="SUAnonsense"), "does not hold a user's JWT and seed"),
        (CREDENTIALS.partition("\n\n")[0], "does not hold a user's JWT and seed"),
    ],
)
async def test_a_bad_credentials_file_is_one_line_that_holds_nothing_of_it(
    bus_url: str, tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "desk.creds"
    if content is not None:
        path.write_text(content)
    given = {"CAREBUS_NATS_URL": bus_url, "CAREBUS_NATS_CREDENTIALS_FILE": str(path)}
    line = one_line(await carebus("tail", **given))
    assert f"CAREBUS_NATS_CREDENTIALS_FILE: {path}" in line or f"cannot read {path}" in line
    assert said in line
    assert "nonsense" not in line


async def test_credentials_that_the_server_does_not_know_are_refused_in_one_line(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    seed, others = (nkeys.encode_seed(byte * 32, nkeys.PREFIX_BYTE_USER) for byte in (b"a", b"b"))
    known = bytes(nkeys.from_seed(bytearray(others)).public_key).decode()
    before = (nats_server.directory / "nats.conf").read_text()
    more = f'authorization {{ users: [{{ nkey: "{known}" }}] }}\n'
    await asyncio.to_thread(reconfigure, nats_server, before + more)
    path = tmp_path / "desk.creds"
    path.write_text(CREDENTIALS.format(jwt="e30.e30.e30", seed=seed.decode()))
    given = {"CAREBUS_NATS_URL": nats_server.url, "CAREBUS_NATS_CREDENTIALS_FILE": str(path)}
    line = one_line(await carebus("tail", **given))
    assert f"refuses the login; have {path}" in line
    assert seed.decode() not in line
