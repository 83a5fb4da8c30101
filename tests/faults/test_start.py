"""A service that finds a server away when it starts says so in one line and ends; its supervisor tries again."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from services.cli.processes import Server
from services.cli.servers import NatsServer
from tests.databases import Database
from tests.faults.harness import world_of

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.long]


@pytest.mark.parametrize("away", ["nats-server", "postgres"])
async def test_a_service_ends_with_one_line_while_a_server_is_away_and_works_once_it_is_back(
    away: str, nats_server: NatsServer, own_database: Database, logs: Path
) -> None:
    async with world_of(nats_server, own_database, logs) as world:
        server: Server = nats_server if away == "nats-server" else own_database.server
        await asyncio.to_thread(server.stop)
        replica = await world.start("ex_facts")
        assert await replica.died() == 2
        lines = [msgspec.json.decode(line) for line in replica.log.read_text().splitlines()]
        assert [line["event"] for line in lines if line["event"] != "library_warning"] == [
            "service_started",
            "service_stopped",
        ]
        assert next(line for line in lines if line["event"] == "service_stopped")["reason"].startswith("cannot start")
        await asyncio.to_thread(server.start_again)
        await replica.owns()
