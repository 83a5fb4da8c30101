"""SIGKILL by itself at each named crash point; the supervisor starts it again, and nothing shows."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.cli.servers import NatsServer
from services.kernel.crash import POINTS
from tests.databases import Database
from tests.faults.conftest import Record
from tests.faults.harness import Run, World, run, world_of
from tests.faults.replicas import AGAIN_S

pytestmark = [pytest.mark.integration, pytest.mark.faults]

QUICK = [
    ("after_read", "ex_facts", 5),
    ("mid_batch", "ex_remind", 60),
    ("before_commit", "ex_ends", 10),
    ("after_commit", "ex_facts", 8),
    ("after_ack", "ex_remind", 6),
    ("command_before_commit", "ex_remind", 3),
    ("command_after_commit", "ex_remind", 3),
]
"""Each crash point once: (point, service, at its n-th passage)."""

EVERYWHERE = [
    ("after_read", "ex_facts"),
    ("after_read", "ex_remind"),
    ("after_read", "ex_ends"),
    ("mid_batch", "ex_facts"),
    ("mid_batch", "ex_remind"),
    ("before_commit", "ex_facts"),
    ("before_commit", "ex_remind"),
    ("before_commit", "ex_ends"),
    ("after_commit", "ex_facts"),
    ("after_commit", "ex_remind"),
    ("after_commit", "ex_ends"),
    ("after_ack", "ex_facts"),
    ("after_ack", "ex_remind"),
    ("command_before_commit", "ex_remind"),
    ("command_after_commit", "ex_remind"),
]
"""Each crash point in each service that passes it."""


async def nothing_else(world: World) -> None:
    return None


async def crash(
    server: NatsServer,
    database: Database,
    logs: Path,
    record: Record,
    at: tuple[str, str],
    counts: Sequence[int],
    seed: int,
) -> None:
    """A run in which the service dies at the point once for each count, if its last lives still have so much to do.

    After an acknowledgement it comes back when JetStream has forgotten the ids: only the relay's own look helps.
    """
    point, service = at
    async with world_of(server, database, logs) as world:
        armed = {service: [f"{point}:{count}" for count in counts]}
        name = f"{point} in {service}, {len(counts)} x"
        again_s = world.settings.duplicate_window_s + 0.5 if point == "after_ack" else AGAIN_S

        async def died() -> Run:
            done = await run(world, seed, nothing_else, armed=armed, again_s=again_s)
            exits = world.replicas[service][0].exits
            assert set(exits) == {-9}, f"it died at its point, and of nothing else: {exits}"
            return done

        await record("SIGKILL by itself", name, seed, died())


def test_every_crash_point_has_a_quick_run_and_a_long_one() -> None:
    assert {point for point, _, _ in QUICK} == {point for point, _ in EVERYWHERE} == set(POINTS)


@pytest.mark.parametrize("at", QUICK, ids=lambda at: at[0])
async def test_a_service_killed_at_a_crash_point_leaves_what_an_undisturbed_one_leaves(
    at: tuple[str, str, int], nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    await crash(nats_server, database, logs, record, at[:2], at[2:], seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("at", EVERYWHERE, ids="-".join)
async def test_a_service_killed_again_and_again_leaves_what_an_undisturbed_one_leaves(
    at: tuple[str, str], seed: int, nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    draw = random.Random(f"{at} {seed}")
    first = draw.randrange(5, 150) if at[0] == "mid_batch" else draw.randrange(1, 12)
    counts = [first, draw.randrange(1, 4), 1]
    await crash(nats_server, database, logs, record, at, counts, seed)
