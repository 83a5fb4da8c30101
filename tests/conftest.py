"""Fixtures: real servers on 127.0.0.1, clean for each test.

| fixture | what | lives for |
| --- | --- | --- |
| `nats_server` | an empty nats-server with JetStream (starts in some 15 ms) | a test |
| `bus_url` | its `nats://` URL | a test |
| `postgres_server` | PostgreSQL without fsync, shared | the session (of one worker) |
| `database` | a migrated, empty database on it | a test |
| `own_postgres_server` | PostgreSQL with fsync, to be killed and started again | a test |
| `own_database` | a migrated, empty database on that | a test |

A test takes what it needs by name. After `kill()` or `stop()`, `start_again()` brings a server back with
its data and its port.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.cli.servers import NatsServer, PostgresServer
from tests.databases import Database, copy_of, drop, make_template
from tests.faults.matrix import PROPERTY, Entry, table

_numbers = count(1)


@pytest.fixture(scope="session")
def servers_directory() -> Iterator[Path]:
    """Where servers live. Not `tmp_path`, which is closed to the user that PostgreSQL runs as under root."""
    directory = Path(tempfile.mkdtemp(prefix="carebus-test-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def nats_server(servers_directory: Path) -> Iterator[NatsServer]:
    directory = servers_directory / f"nats-{next(_numbers)}"
    server = NatsServer.start(directory)
    yield server
    server.stop()
    shutil.rmtree(directory)


@pytest.fixture
def bus_url(nats_server: NatsServer) -> str:
    return nats_server.url


@pytest.fixture(scope="session")
def postgres_server(servers_directory: Path) -> Iterator[PostgresServer]:
    server = PostgresServer.start(servers_directory / "postgres", fsync=False)
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template_database(postgres_server: PostgresServer) -> Database:
    """The database that each test's is copied from: migrated, no rows, nobody connected."""
    return await make_template(postgres_server)


@pytest_asyncio.fixture
async def database(template_database: Database) -> AsyncIterator[Database]:
    copied = await copy_of(template_database, f"test_{next(_numbers)}")
    yield copied
    await drop(copied)


@pytest.fixture
def own_postgres_server(servers_directory: Path) -> Iterator[PostgresServer]:
    directory = servers_directory / f"postgres-{next(_numbers)}"
    server = PostgresServer.start(directory)
    yield server
    server.stop()
    shutil.rmtree(directory)


@pytest_asyncio.fixture
async def own_database(own_postgres_server: PostgresServer) -> Database:
    return await copy_of(await make_template(own_postgres_server), "carebus")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the fault matrix. Here, because under pytest-xdist only this conftest is where the terminal is."""
    entries = [
        Entry(*value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if entries:
        terminalreporter.section("fault matrix")
        terminalreporter.write("\n".join(table(entries)) + "\n")
