"""The way to a server cut in one direction or both: bytes vanish, connections stay open, until it heals."""

import asyncio
import random
from pathlib import Path
from typing import Literal

import pytest

from services.cli.servers import NatsServer
from tests.databases import Database
from tests.faults.conftest import Record
from tests.faults.harness import Fault, World, run, world_of
from tests.proxy import Direction, Proxy

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.long]

Cut = Direction | Literal["both"]

SEEDS = [1, 2]
CUTS: list[Cut] = ["to_server", "to_client", "both"]


def cutting(proxy: Proxy, direction: Cut, seed: int) -> Fault:
    """Cut twice at random moments, for 0.5 to 3 s."""

    async def fault(world: World) -> None:
        draw = random.Random(seed)
        for _ in range(2):
            await asyncio.sleep(draw.uniform(0.3, 1.0))
            proxy.cut(direction)
            await asyncio.sleep(draw.uniform(0.5, 3.0))
            proxy.heal()

    return fault


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("direction", CUTS)
async def test_nothing_is_lost_or_doubled_when_the_way_to_nats_is_cut(
    direction: Cut, seed: int, nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async with (
        Proxy(nats_server.port) as proxy,
        world_of(nats_server, database, logs, nats_proxy=proxy) as world,
    ):
        runs = run(world, seed, cutting(proxy, direction, seed), facts=600)
        await record("NATS connection cut", direction, seed, runs)
        assert proxy.swallowed_bytes > 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("direction", CUTS)
async def test_nothing_is_lost_or_doubled_when_the_way_to_postgresql_is_cut(
    direction: Cut, seed: int, nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async with (
        Proxy(database.server.port) as proxy,
        world_of(nats_server, database, logs, postgres_proxy=proxy) as world,
    ):
        runs = run(world, seed, cutting(proxy, direction, seed), facts=600)
        await record("PostgreSQL connection cut", direction, seed, runs)
        assert proxy.swallowed_bytes > 0


async def forgotten(proxy: Proxy) -> None:
    """A router forgot the open connections: neither side hears of it, the server keeps the locks of the old ones."""
    await asyncio.sleep(0.7)
    proxy.forget()


async def test_a_connection_to_postgresql_that_is_gone_for_good_is_replaced_by_another(
    nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async with (
        Proxy(database.server.port) as proxy,
        world_of(nats_server, database, logs, postgres_proxy=proxy) as world,
    ):
        runs = run(world, 1, lambda _: forgotten(proxy))
        await record("PostgreSQL connection cut", "for good, new ones pass", 1, runs)


async def test_a_connection_to_nats_that_is_gone_for_good_is_replaced_by_another(
    nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async with (
        Proxy(nats_server.port) as proxy,
        world_of(nats_server, database, logs, nats_proxy=proxy) as world,
    ):
        runs = run(world, 1, lambda _: forgotten(proxy))
        await record("NATS connection cut", "for good, new ones pass", 1, runs)
