"""SIGKILL by itself at each named crash point; the supervisor starts it again, and nothing shows."""

from pathlib import Path

import pytest

from services.cli.servers import NatsServer
from services.kernel.crash import POINTS
from tests.databases import Database
from tests.faults.conftest import Record
from tests.faults.harness import World, run, world_of

pytestmark = [pytest.mark.integration, pytest.mark.faults]

QUICK = [
    ("after_read", "ex_facts", 5),
    ("mid_batch", "ex_remind", 60),
    ("before_commit", "ex_ends", 10),
    ("after_commit", "ex_facts", 12),
    ("after_ack", "ex_remind", 6),
    ("command_before_commit", "ex_remind", 3),
    ("command_after_commit", "ex_remind", 3),
]
"""Each crash point once: (point, service, at its n-th passage)."""


async def nothing_else(world: World) -> None:
    return None


async def crash(
    server: NatsServer, database: Database, logs: Path, record: Record, at: tuple[str, str, int], seed: int
) -> None:
    point, service, count = at
    async with world_of(server, database, logs) as world:
        armed = {service: f"{point}:{count}"}
        runs = run(world, seed, nothing_else, armed=armed)
        await record("SIGKILL by itself", f"{point} in {service}", seed, runs)
        assert [replica.exits for replica in world.replicas[service]] == [[-9]], "it died once, at its point"


def test_every_crash_point_has_a_quick_run() -> None:
    assert {point for point, _, _ in QUICK} == set(POINTS)


@pytest.mark.parametrize("at", QUICK, ids=lambda at: at[0])
async def test_a_service_killed_at_a_crash_point_leaves_what_an_undisturbed_one_leaves(
    at: tuple[str, str, int], nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    await crash(nats_server, database, logs, record, at, seed=1)
