"""What all measurements share: a settled heap, and one table at the end."""

import gc
from collections.abc import Iterator

import pytest

from tests.bench import results, work


@pytest.fixture(autouse=True)
def _settled_heap() -> Iterator[None]:
    """As `serve` does: what was imported and made before is not looked through by the garbage collector again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def _written() -> Iterator[None]:
    """Write the table when all of it has been measured."""
    yield
    if results.measured:
        results.write(
            f"{work.EVENTS:,} events of some 350 bytes, {work.BUYERS:,} buyers, medians of {work.ROUNDS}; latencies "
            f"over {work.SECONDS:.0f} s at {work.RATE}/s where nothing else is said."
        )
