"""Fixtures of the fault tests."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.faults.harness import Run
from tests.faults.matrix import PROPERTY, Entry

Record = Callable[[str, str, int, Awaitable[Run]], Awaitable[Run]]


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """`await record(fault, point, seed, run(...))`: the run's line in the matrix, be it good or bad."""

    async def recorded(fault: str, point: str, seed: int, run: Awaitable[Run]) -> Run:
        properties = request.node.user_properties
        try:
            done = await run
        except BaseException:
            properties.append((PROPERTY, tuple(Entry(fault, point, seed, ok=False))))
            raise
        entry = Entry(fault, point, seed, True, done.feed.facts, done.restarts, done.seconds)
        properties.append((PROPERTY, tuple(entry)))  # a plain tuple: pytest-xdist carries nothing else
        return done

    return recorded


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Where the replicas' logs go; kept after the run, as pytest keeps `tmp_path`."""
    return tmp_path
