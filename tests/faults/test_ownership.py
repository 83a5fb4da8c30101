"""Owning partitions, alone on a real PostgreSQL: what is dropped is free at once, what is given up another gets."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest

from schemas.subjects import PARTITIONS
from services.kernel.ownership import Ownership
from services.kernel.telemetry import configure
from tests.databases import Database
from tests.examples.services import prepare
from tests.stack import settings_for, until

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@asynccontextmanager
async def replica_of(dsn: str, name: str) -> AsyncIterator[Ownership]:
    """A replica of ex_remind that does nothing but own."""
    settings = settings_for(dsn, "", heartbeat_s=0.1, stale_s=1.0)
    log = configure("ex_remind", file=io.StringIO())
    ownership = Ownership(settings, dsn, "ex_remind", ["EVENTS"], name, log)
    await ownership.start()
    beating = asyncio.create_task(ownership.run())
    try:
        yield ownership
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        await ownership.stop()


async def owning(ownership: Ownership, count: int) -> frozenset[int]:
    """Balance, as the loop does, until so many partitions are owned."""

    async def balanced() -> bool:
        if ownership.unbalanced:
            await ownership.balance()
        return len(ownership.owned) == count

    await until(balanced, f"{count} partitions owned, not {sorted(ownership.owned)}", 5)
    return ownership.owned


async def test_what_was_dropped_and_taken_again_can_still_be_handed_over(database: Database) -> None:
    """A second lock of the same session would outlive the unlock, and nobody could ever take the partition."""
    await prepare(database.dsn)
    async with replica_of(database.dsn, "first") as first:
        await owning(first, PARTITIONS)
        first.drop()
        assert not first.owned
        assert not first.fresh, "nothing is sent after a drop"
        await owning(first, PARTITIONS)
        async with replica_of(database.dsn, "second") as second:
            kept = await owning(first, PARTITIONS // 2)
            taken = await owning(second, PARTITIONS // 2)
            assert kept | taken == set(range(PARTITIONS))


async def test_taking_a_partition_again_raises_its_epoch(database: Database) -> None:
    await prepare(database.dsn)
    async with replica_of(database.dsn, "first") as first:
        await owning(first, PARTITIONS)
        before = dict(first.checkpoints)
        first.drop()
        await owning(first, PARTITIONS)
        assert all(first.checkpoints[key].epoch == before[key].epoch + 1 for key in before)


async def test_a_replica_whose_row_was_deleted_owns_nothing_and_comes_back(database: Database) -> None:
    """Evicted by another that took it for dead: its heartbeat goes on, under a new connection."""
    await prepare(database.dsn)
    connection: Any = await asyncpg.connect(database.dsn)
    async with replica_of(database.dsn, "first") as first:
        await owning(first, PARTITIONS)
        epochs = {checkpoint.epoch for checkpoint in first.checkpoints.values()}
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'carebus-own-first'"
        )
        await connection.execute("DELETE FROM ex_remind.replica")

        async def again() -> bool:
            if first.unbalanced:
                await first.balance()
            return len(first.owned) == PARTITIONS and epochs.isdisjoint(
                checkpoint.epoch for checkpoint in first.checkpoints.values()
            )

        await until(again, "all partitions owned again, under new epochs", 5)
    await connection.close()
