"""Fixtures of several integration tests: a port that is taken; the servers that `carebus doctor` looks at."""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest

from services.cli import stackfile
from services.cli.processes import HOST
from services.kernel import bus
from services.kernel.settings import read_settings
from tests.databases import Database
from tests.examined import MIB, Where


@pytest.fixture
def busy_port() -> Iterator[int]:
    """A port of 127.0.0.1 that something else listens on."""
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
async def where(bus_url: str, database: Database, tmp_path: Path) -> Where:
    """Settings that lead to both servers, with both streams there."""
    variables = {
        stackfile.DIRECTORY: str(tmp_path),
        "CAREBUS_NATS_URL": bus_url,
        "CAREBUS_POSTGRES_DSN": database.dsn,
        "CAREBUS_LOG_MAX_BYTES": str(MIB),
        "CAREBUS_INBOX_MAX_BYTES": str(MIB),
    }
    client = await nats.connect(bus_url)
    await bus.ensure_streams(client, read_settings(variables))
    await client.close()
    return variables


@pytest.fixture
async def nats_client(where: Where) -> AsyncIterator[Any]:
    """A connection to the NATS of `where`."""
    client = await nats.connect(where["CAREBUS_NATS_URL"])
    yield client
    await client.close()


@pytest.fixture
async def tables(where: Where) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees the tables of aftersales."""
    connection = await asyncpg.connect(
        where["CAREBUS_POSTGRES_DSN"], server_settings={"search_path": "aftersales,public"}
    )
    yield connection
    await connection.close()
