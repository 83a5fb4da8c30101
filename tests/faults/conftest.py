"""Fixtures of the fault tests, and the matrix at the end of the run."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import Run
from tests.faults.matrix import PROPERTY, Entry, table

Record = Callable[[str, str, int, Awaitable[Run]], Awaitable[Run]]


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """`await record(fault, point, seed, run(...))`: the run's line in the matrix, be it good or bad."""

    async def recorded(fault: str, point: str, seed: int, run: Awaitable[Run]) -> Run:
        properties = request.node.user_properties
        try:
            done = await run
        except BaseException:
            properties.append((PROPERTY, Entry(fault, point, seed, None)))
            raise
        properties.append((PROPERTY, Entry(fault, point, seed, done)))
        return done

    return recorded


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Where the replicas' logs go; kept after the run, as pytest keeps `tmp_path`."""
    return tmp_path


def pytest_terminal_summary(terminalreporter: Any) -> None:
    entries = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if entries:
        terminalreporter.section("fault matrix")
        terminalreporter.write("\n".join(table(entries)) + "\n")
