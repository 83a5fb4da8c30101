"""Replicas that join, leave, die and freeze; partitions change hands, and nothing shows."""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from schemas.subjects import PARTITIONS
from services.cli.servers import NatsServer
from services.kernel.crash import POINTS
from tests.databases import Database
from tests.examples.services import SERVICES
from tests.faults.conftest import Record
from tests.faults.harness import STALE_S, World, run, world_of
from tests.faults.replicas import Replica
from tests.stack import until

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.long]

SEEDS = [1, 2, 3]
BOTH = (*SERVICES, *SERVICES)
"""Two replicas of each service."""


async def freeze(replicas: list[Replica], seconds: float) -> None:
    for replica in replicas:
        replica.send(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    for replica in replicas:
        replica.send(signal.SIGCONT)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_second_replica_joins_and_leaves(
    seed: int, nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async def fault(world: World) -> None:
        draw = random.Random(seed)
        await asyncio.sleep(draw.uniform(0.2, 0.6))
        second = [await world.start(service) for service in SERVICES]
        for replica in second:
            await replica.owns()
        await asyncio.sleep(draw.uniform(0.1, 0.8))
        assert [await replica.stop() for replica in second] == [0, 0, 0], "they left in good order"

    async with world_of(nats_server, database, logs) as world:
        await record("second replica", "joins and leaves", seed, run(world, seed, fault, facts=900))


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_second_replica_joins_and_is_killed(
    seed: int, nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async def fault(world: World) -> None:
        draw = random.Random(seed)
        await asyncio.sleep(draw.uniform(0.2, 0.6))
        second = [await world.start(service) for service in SERVICES]
        for replica in second:
            await replica.owns()
        await asyncio.sleep(draw.uniform(0.1, 0.8))
        for replica in draw.choice((second, [replicas[0] for replicas in world.replicas.values()])):
            await replica.kill()

    async with world_of(nats_server, database, logs) as world:
        await record("second replica", "joins; it or the first is killed", seed, run(world, seed, fault, facts=900))


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_frozen_owner_is_evicted_and_does_no_harm_when_it_wakes(
    seed: int, nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async def fault(world: World) -> None:
        draw = random.Random(seed)
        await asyncio.sleep(draw.uniform(0.2, 0.8))
        await freeze([replicas[0] for replicas in world.replicas.values()], STALE_S * draw.uniform(2, 4))
        for replicas in world.replicas.values():
            await replicas[1].says("replica_evicted")

    async with world_of(nats_server, database, logs) as world:
        runs = run(world, seed, fault, facts=900, replicas=BOTH)
        await record("owner frozen (SIGSTOP)", "one of two", seed, runs)


@pytest.mark.parametrize("seed", SEEDS)
async def test_frozen_owners_in_turn_and_all_together_do_no_harm(
    seed: int, nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async def fault(world: World) -> None:
        draw = random.Random(seed)
        for number in (0, 1):
            await asyncio.sleep(draw.uniform(0.1, 0.5))
            await freeze([replicas[number] for replicas in world.replicas.values()], STALE_S * 1.6)
        await freeze(world.all, STALE_S * 1.6)

    async with world_of(nats_server, database, logs) as world:
        runs = run(world, seed, fault, facts=1_200, replicas=BOTH)
        await record("owner frozen (SIGSTOP)", "each in turn, then all", seed, runs)


@pytest.mark.parametrize("point", POINTS)
async def test_an_owner_frozen_in_the_middle_of_its_work_holds_nobody_up(
    point: str, nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    """Its open transaction holds row locks; it wakes after JetStream has forgotten the ids of what it sent."""

    async def fault(world: World) -> None:
        first, second = world.replicas["ex_remind"]

        async def frozen() -> bool:
            return first.is_frozen

        async def no_session_of_the_first() -> bool:
            sql = "SELECT FROM pg_stat_activity WHERE application_name LIKE $1"
            return not await world.fetch(sql, f"carebus-%-{first.pid}-%")

        await until(frozen, f"the first replica freezes at {point} (log: {first.log})")
        await second.owns(PARTITIONS)
        await until(no_session_of_the_first, "no connection of the frozen replica is left")
        await asyncio.sleep(world.settings.duplicate_window_s)
        first.send(signal.SIGCONT)

    async with world_of(nats_server, database, logs) as world:
        armed = {"ex_remind": [f"{point}:3:freeze"]}
        runs = run(world, 1, fault, facts=600, armed=armed, replicas=(*SERVICES, "ex_remind"))
        await record("owner frozen (SIGSTOP)", f"{point} in ex_remind", 1, runs)
