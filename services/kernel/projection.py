"""Projections: read models written in bulk, with the position, in one transaction.

A projection publishes nothing, reads no clock, calls nobody.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import asyncpg
from msgspec import Struct

from schemas.envelope import Event
from schemas.ops import OpsMessageRefused
from services.kernel import parked, store
from services.kernel.inputs import Decode, Item, failure_of
from services.kernel.metrics import Metrics
from services.kernel.parked import Lane, Parked, kind_of, park_failed, park_waiting, say_parked
from services.kernel.store import TRANSIENT, Connection, StoryKey
from services.kernel.telemetry import Log, Logger

Apply = Callable[[Connection, Sequence[Event[Any]]], Awaitable[None]]


class Projection(Struct, frozen=True, kw_only=True):
    """A read model: its version, and how events become rows.

    apply(connection, events): all events of a batch in log order; it takes those that concern it. Rows that
    aggregate over buyers have the partition in their primary key. A change of shape raises `version`.
    """

    name: str
    version: int
    apply: Apply


class Projector:
    """The projections of one service, fed together: an event is in all of them or in none."""

    processes: Collection[str] = ()

    def __init__(self, projections: Sequence[Projection], log: Logger, metrics: Metrics, code: str) -> None:
        self._projections = projections
        self._log = log
        self._metrics = metrics
        self._code = code

    def concerns(self, item: Item) -> bool:
        """A projection says only in `apply` what it takes."""
        return True

    async def handle(
        self, connection: Connection, items: Sequence[Item], moves: Sequence[store.Move]
    ) -> Sequence[OpsMessageRefused]:
        """Apply a batch. One that fails is bisected; the event at fault is parked and its lane waits. Raises Fenced."""
        blocked = await parked.blocked_lanes(connection, {item.partition for item in items})
        kept: list[Parked] = []
        await self._apply(connection, items, blocked, kept)
        kept.sort(key=lambda found: found.message.seq)  # a bisection meets them out of order; a redrive must not
        await parked.park(connection, kept, self._code)
        await store.write(connection, moves=moves)
        return ()

    async def fire(
        self, connection: Connection, owned: Collection[int], until: datetime, limit: int
    ) -> tuple[set[int], tuple[()]]:
        """Projections have no ticks."""
        return set(), ()

    async def renew(
        self, connection: Connection, owned: Collection[int], after: StoryKey
    ) -> tuple[set[int], StoryKey | None]:
        """Projections have no stories."""
        return set(), None

    async def redrive(self, connection: Connection, lane: Lane, decode: Decode) -> tuple[set[int], tuple[()]]:
        """Play a lane's parked messages again, in order, up to the first that fails again."""
        rows = await parked.lane_rows(connection, lane, parked.REDRIVE + 1)
        done: list[int] = []
        failed: tuple[int, str, str] | None = None
        for row in rows[: parked.REDRIVE]:
            items = decode(parked.message_of(row))
            error = next(((i.reason, i.detail) for i in items if i.input is None), None)
            error = error or await self._attempt(connection, _events(items))
            if error:
                failed = (row["id"], *error)
                break
            done.append(row["id"])
        more = rows[parked.REDRIVE]["id"] if len(rows) > parked.REDRIVE and not failed else None
        await parked.settle(connection, lane, done, failed, more, self._code)
        self._log.say(Log.PARKED_RETRIED, shop=lane[0], count=len(done), reason=kind_of(failed[1]) if failed else None)
        return {row["partition"] for row in rows}, ()

    async def _apply(
        self, connection: Connection, items: Sequence[Item], blocked: dict[Lane, Lane], kept: list[Parked]
    ) -> None:
        good: list[Item] = []
        for item in items:
            behind = blocked.get(_lane(item)) if blocked else None
            if behind:
                kept.append(park_waiting(item, behind, ()))
            elif item.input is None:
                self._park(item, item.reason, item.detail, blocked, kept)
            else:
                good.append(item)
        if not good:
            return
        error = await self._attempt(connection, _events(good))
        if error is None:
            return
        if len(good) == 1:
            self._park(good[0], *error, blocked, kept)
            return
        half = len(good) // 2
        await self._apply(connection, good[:half], blocked, kept)
        await self._apply(connection, good[half:], blocked, kept)

    async def _attempt(self, connection: Connection, events: Sequence[Event[Any]]) -> tuple[str, str] | None:
        """Apply within a savepoint: what failed, or None. A fault of the database itself is raised."""
        if not events:
            return None
        try:
            async with connection.transaction():
                for projection in self._projections:
                    await projection.apply(connection, events)
        except TRANSIENT:
            raise
        except (Exception, asyncpg.PostgresError) as error:
            return failure_of(error)
        return None

    def _park(self, item: Item, reason: str, detail: str, blocked: dict[Lane, Lane], kept: list[Parked]) -> None:
        """Park one event. On buyer `-`, whose rows have no story here, nobody waits behind it."""
        kept.append(park_failed(item, (), reason, detail))
        if kept[-1].status == "failed":
            blocked[kept[-1].lane] = kept[-1].lane
        say_parked(item, reason, self._log, self._metrics)


def _lane(item: Item) -> Lane:
    return (*item.lane, "")


def _events(items: Sequence[Item]) -> list[Event[Any]]:
    return [item.input for item in items if isinstance(item.input, Event)]
