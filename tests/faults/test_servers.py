"""nats-server and PostgreSQL killed under load; a COMMIT whose answer is lost; a log that is full."""

import asyncio
import random
from pathlib import Path

import pytest

from services.cli.processes import Server
from services.cli.servers import NatsServer
from services.kernel import bus
from tests.databases import Database
from tests.faults.conftest import Record
from tests.faults.harness import Fault, World, run, world_of
from tests.proxy import Proxy
from tests.stack import settings_for, until

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.long]

SEEDS = [1, 2, 3]
KILLS = 3
LOST_COMMITS = 12


def killing(server: Server, seed: int) -> Fault:
    """SIGKILL to a server at random moments, back after 0.1 to 1.5 s."""

    async def fault(world: World) -> None:
        draw = random.Random(seed)
        for _ in range(KILLS):
            await asyncio.sleep(draw.uniform(0.2, 1.0))
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(draw.uniform(0.1, 1.5))
            await asyncio.to_thread(server.start_again)

    return fault


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_doubled_when_nats_server_is_killed_under_load(
    seed: int, nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async with world_of(nats_server, database, logs) as world:
        runs = run(world, seed, killing(nats_server, seed), facts=700)
        await record("nats-server kill -9", f"{KILLS} random moments", seed, runs)


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_doubled_when_postgresql_is_killed_under_load(
    seed: int, nats_server: NatsServer, own_database: Database, logs: Path, record: Record
) -> None:
    async with world_of(nats_server, own_database, logs) as world:
        runs = run(world, seed, killing(own_database.server, seed), facts=700)
        await record("PostgreSQL kill -9", f"{KILLS} random moments", seed, runs)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_commit_whose_answer_is_lost_counts_once(
    seed: int, nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async with Proxy(database.server.port) as proxy:

        async def fault(world: World) -> None:
            draw = random.Random(seed)
            for _ in range(LOST_COMMITS):
                await asyncio.sleep(draw.uniform(0.0, 0.3))
                await asyncio.wait_for(proxy.lose_next_answer_to(b"COMMIT;").wait(), 20)

        async with world_of(nats_server, database, logs, postgres_proxy=proxy) as world:
            runs = run(world, seed, fault, facts=700)
            await record("answer to COMMIT lost", f"{LOST_COMMITS} random moments", seed, runs)


async def test_what_is_decided_waits_in_the_outbox_while_the_log_is_full(
    nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async def fault(world: World) -> None:
        async def refused() -> bool:
            rows = await world.fetch("SELECT count(*) FROM ex_facts.outbox")
            return rows[0][0] > 20 and world.replicas["ex_facts"][0].said("outbox_retry")

        await until(refused, "the log is full and the outbox waits")
        more = settings_for(world.database.dsn, world.server.url, log_max_bytes=2**28)
        await bus.ensure_streams(world.outside.client, more)

    async with world_of(nats_server, database, logs, log_max_bytes=2**20) as world:
        runs = run(world, 1, fault, facts=1_500, rate=400)
        await record("EVENTS at max_bytes", "until the limit is raised", 1, runs)
