"""`carebus up` and `carebus run`: everything starts, ends in good order, comes back, and says what is wrong."""

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psutil
import pytest
import pytest_asyncio

from services.cli import leftovers, registry
from services.cli.local import Ports, stack
from services.cli.processes import HOST, ServerError, free_port
from services.cli.servers import NatsServer, PostgresServer
from services.cli.service_process import get
from tests.carebus import carebus, one_line
from tests.databases import Database
from tests.examined import greeting
from tests.stack import until
from tests.up import Up

pytestmark = pytest.mark.integration

_numbers = count(1)


@pytest.fixture
def directory(servers_directory: Path) -> Path:
    return servers_directory / f"up-{next(_numbers)}"


@pytest_asyncio.fixture
async def up(directory: Path) -> AsyncIterator[Up]:
    up = Up(directory)
    await up.start()
    yield up
    await up.dispose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(servers_directory: Path) -> AsyncIterator[Up]:
    """For tests that only look at it; when they are over it is well, and is ended."""
    up = Up(servers_directory / "up-shared")
    await up.start()
    yield up
    await up.dispose()


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def secrets_of(directory: Path) -> list[str]:
    return [path.read_text() for path in directory.rglob("*.password")]


async def test_up_starts_everything_and_doctor_finds_all_well(shared: Up) -> None:
    assert set(shared.running()) == {"nats-server", "postgres", *registry.NAMES}
    for place in shared.stack.services.values():
        assert await asyncio.to_thread(get, f"{place.url}/health/ready", 5) == (200, "")
        assert place.url in shared.said
        assert place.log in shared.said
    status, checks = await shared.doctor()
    assert [check for check in checks.values() if check["status"] != "ok"] == []
    assert status == 0


async def test_the_passwords_are_in_files_for_the_owner_alone_and_nowhere_else(shared: Up) -> None:
    secrets = secrets_of(shared.directory)
    assert len(set(secrets)) == 1 + len(registry.NAMES)
    for path in shared.directory.rglob("*.password"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = [
        shared.said,
        (shared.directory / "stack.json").read_text(),
        (shared.directory / "processes.json").read_text(),
    ]
    told += [path.read_text() for path in shared.directory.rglob("*.log")]
    for process in shared.running().values():
        told += [*process.cmdline(), *process.environ().values()]
    assert [secret for secret in secrets for text in told if secret in text] == []


async def test_a_service_logs_in_as_its_own_role(shared: Up) -> None:
    connection = await shared.postgres()
    users = await connection.fetch(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'carebus-own-%' ORDER BY usename"
    )
    await connection.close()
    assert [row["usename"] for row in users] == sorted(f"carebus_{name}" for name in registry.NAMES)


async def test_a_second_up_in_the_same_directory_is_refused(shared: Up) -> None:
    said = one_line(await carebus(*Up(shared.directory).arguments))
    assert f"pid {shared.pid}" in said
    assert len(shared.running()) == 2 + len(registry.NAMES)


@pytest.mark.faults
async def test_a_service_that_dies_is_said_in_one_line_and_started_again(shared: Up) -> None:
    before = shared.running()["aftersales"]
    before.kill()

    async def back() -> bool:
        return shared.running().get("aftersales", before).pid != before.pid

    await until(back, "aftersales was started again")
    told = [line for line in shared.said.splitlines() if "aftersales was killed by SIGKILL" in line]
    assert len(told) == 1
    assert "starting it again in 0.2 s" in told[0]


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_asked_to_end_up_ends_everything_in_good_order_and_keeps_the_data(up: Up, number: signal.Signals) -> None:
    client = await up.nats()
    ack = await client.jetstream().publish("in.canonical.s1.note", b"kept")
    await client.close()
    connection = await up.postgres()
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS fact")
    await connection.close()
    running, secrets = up.running(), secrets_of(up.directory)

    assert await up.end(number) == 0
    assert [name for name, process in running.items() if process.is_running()] == []
    assert "CareBus has stopped" in up.said
    assert "was killed" not in up.said
    assert "database system is shut down" in (up.directory / "postgres" / "server.log").read_text()

    await up.start()
    assert secrets_of(up.directory) == secrets
    client = await up.nats()
    assert (await client.jetstream().get_msg("INBOX", ack.seq)).data == b"kept"
    await client.close()
    connection = await up.postgres()
    assert await connection.fetchval("SELECT fact FROM kept") == 7
    await connection.close()


@pytest.mark.long
@pytest.mark.faults
async def test_what_a_killed_up_left_behind_is_ended_by_the_next_one(up: Up) -> None:
    left = up.running()
    assert await up.end(signal.SIGKILL) == -signal.SIGKILL
    assert all(process.is_running() for process in left.values())

    await up.start()
    assert [name for name, process in left.items() if process.is_running()] == []
    for name, process in left.items():
        assert f"ending {name} (pid {process.pid})" in up.said
    assert set(up.running()) == set(left)


@pytest.mark.long
async def test_servers_that_the_environment_names_are_used_and_not_started(
    nats_server: NatsServer, database: Database, directory: Path
) -> None:
    external = Up(directory, CAREBUS_NATS_URL=nats_server.url, CAREBUS_POSTGRES_DSN=database.dsn)
    try:
        await external.start()
        assert set(external.running()) == set(registry.NAMES)
        assert not (directory / "postgres").exists()
        password = (database.server.directory / "superuser.password").read_text()
        assert password not in (directory / "stack.json").read_text() + external.said
        status, checks = await external.doctor(**external.variables)
        assert (status, [check for check in checks.values() if check["status"] == "fail"]) == (0, [])
        assert await external.end() == 0
    finally:
        await external.dispose()
    assert nats_server.running
    assert database.server.running


@pytest.mark.long
async def test_another_command_can_have_a_stack_of_its_own_with_settings_of_its_own(directory: Path) -> None:
    said: list[str] = []

    def run() -> None:
        with stack(directory, Ports.free(), variables={"CAREBUS_CLOCK": "driven"}, say=said.append) as local:
            assert local.settings.clock == "driven"
            assert local.settings.dsn().startswith("postgresql://postgres:")
            for service in local.services.values():
                assert '"event":"clock_driven"' in service.log.read_text()

    await asyncio.to_thread(run)
    assert said == []


@pytest.mark.parametrize("option", ["--nats-port", "--postgres-port"])
async def test_ports_of_its_own_that_overlap_are_one_line_before_anything_is_started(
    option: str, directory: Path
) -> None:
    http = Ports.free().http
    said = one_line(await carebus(*Up(directory).arguments, "--http-port", str(http), option, str(http + 1)))
    whose = "NATS" if option == "--nats-port" else "PostgreSQL"
    assert said == f"port {http + 1} is meant for {whose} and for {registry.NAMES[1]}: give --http-port another one\n"
    assert not (directory / "nats").exists()


@pytest.mark.parametrize("option", ["--nats-port", "--postgres-port", "--http-port"])
async def test_a_busy_port_is_one_line_before_anything_is_started(option: str, busy_port: int, directory: Path) -> None:
    arguments = Up(directory).arguments
    said = one_line(await carebus(*arguments, option, str(busy_port)))
    assert f"port {busy_port} on {HOST}" in said
    assert option in said
    assert names_in(directory) == {"up.lock"}


async def test_a_directory_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = one_line(await carebus(*Up(tmp_path / "file").arguments))
    assert f"{tmp_path / 'file'} cannot be used" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_root_is_told_in_one_line_which_directory_postgres_cannot_reach(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ServerError, match="is closed"), stack(tmp_path / "stack", Ports.free()):
        pass


def free_space(monkeypatch: pytest.MonkeyPatch, bytes_: int) -> None:
    monkeypatch.setattr("services.cli.local.shutil.disk_usage", lambda path: SimpleNamespace(free=bytes_))


def test_a_disk_that_is_all_but_full_is_one_line_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    free_space(monkeypatch, 100 * 1024**2)
    with pytest.raises(ServerError, match="only 100 MiB are free"), stack(directory, Ports.free()):
        pass
    assert names_in(directory) == {"up.lock"}


def test_a_disk_with_little_room_is_told_of(monkeypatch: pytest.MonkeyPatch, directory: Path, busy_port: int) -> None:
    free_space(monkeypatch, 700 * 1024**2)
    said: list[str] = []
    ports = Ports(nats=busy_port)  # so that nothing is started
    with pytest.raises(ServerError, match=str(busy_port)), stack(directory, ports, say=said.append):
        pass
    assert len(said) == 1
    assert "only 700 MiB are free" in said[0]


def test_a_full_disk_met_while_starting_is_one_line(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device", str(directory / "processes.json"))

    monkeypatch.setattr("services.cli.leftovers.record", full)
    said = r"processes\.json cannot be used: No space left on device$"
    with pytest.raises(ServerError, match=said), stack(directory, Ports.free()):
        pass


def test_data_of_another_major_version_of_postgres_is_refused_in_one_line(servers_directory: Path) -> None:
    data = servers_directory / "other-version" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("11\n")
    with pytest.raises(ServerError, match=r"was made by PostgreSQL 11, installed is \d+: install the package"):
        PostgresServer.start(data.parent)


async def test_an_old_nats_server_is_refused_in_one_line(directory: Path) -> None:
    async with greeting(b'INFO {"server_id":"x","version":"2.10.7","jetstream":true}\r\n') as url:
        said = one_line(await carebus(*Up(directory).arguments, CAREBUS_NATS_URL=url))
    assert "nats-server 2.10.7, too old" in said


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"CAREBUS_NATS_URL": "nats://127.0.0.1:1"}, "NATS at nats://127.0.0.1:1 cannot be connected to"),
        ({"CAREBUS_LOG_MAX_BYTES": "much"}, "CAREBUS_LOG_MAX_BYTES='much'"),
    ],
)
async def test_a_setting_that_leads_nowhere_is_one_line(variables: dict[str, str], told: str, directory: Path) -> None:
    assert told in one_line(await carebus(*Up(directory).arguments, **variables))


async def test_an_external_postgres_that_is_away_is_one_line_without_its_password(
    bus_url: str, directory: Path
) -> None:
    dsn = f"postgresql://u:hidden@{HOST}:{free_port()}/x"
    said = one_line(await carebus(*Up(directory).arguments, CAREBUS_NATS_URL=bus_url, CAREBUS_POSTGRES_DSN=dsn))
    assert "cannot be connected to: connection refused" in said
    assert "hidden" not in said


def test_a_process_that_only_has_the_number_of_a_leftover_is_left_alone(tmp_path: Path) -> None:
    own = psutil.Process()
    for created, command in [(own.create_time() - 100, own.cmdline()), (own.create_time(), ["other"])]:
        (tmp_path / leftovers.PROCESSES).write_bytes(
            msgspec.json.encode([leftovers.Trace("nats-server", own.pid, created, command)])
        )
        said: list[str] = []
        leftovers.end_leftovers(tmp_path, said.append)
        assert said == []
