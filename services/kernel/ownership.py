"""Which partitions this replica owns: advisory locks on one connection of its own, and a heartbeat.

A pool must not hold that connection (its reset drops the locks), nor PgBouncer. Owning lasts as long as the
connection: after any doubt it is ended, and with it every lock. A replica whose heartbeat is stale is evicted by
ending all its connections (a frozen one may hold row locks in an open transaction); whoever takes a partition over
raises the epoch of its checkpoints, so that a commit of the former owner finds no row (design.md, "The loop").
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

import asyncpg
from msgspec import Struct

from schemas.subjects import PARTITIONS
from services.kernel.clock import monotonic
from services.kernel.settings import Settings
from services.kernel.telemetry import Log, Logger

TRY_S = 0.2

LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What a connection that can no longer be relied on raises."""

_BEAT = """
INSERT INTO replica (replica, heartbeat) VALUES ($1, clock_timestamp())
ON CONFLICT (replica) DO UPDATE SET heartbeat = excluded.heartbeat
"""
_STALE = """
WITH stale AS (
    DELETE FROM replica WHERE heartbeat < clock_timestamp() - make_interval(secs => $1) RETURNING replica
)
SELECT replica, count(pg_terminate_backend(a.pid)) FROM stale LEFT JOIN pg_stat_activity a
    ON a.usename = current_user AND a.pid <> pg_backend_pid()
   AND a.application_name IN ('carebus-own-' || right(replica, 48), 'carebus-pool-' || right(replica, 48))
GROUP BY replica
"""
_EVICT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = ANY($1::text[]) AND usename = current_user AND pid <> pg_backend_pid()
"""
_LIVE = "SELECT replica FROM replica ORDER BY replica"
_LOCK = "SELECT pg_try_advisory_lock(hashtext(current_schema()), $1)"
_UNLOCK = "SELECT pg_advisory_unlock(hashtext(current_schema()), $1)"
_BEGIN = """
INSERT INTO checkpoint (stream, partition) SELECT stream, $2 FROM unnest($1::text[]) stream ON CONFLICT DO NOTHING
"""
_RAISE = (
    "UPDATE checkpoint SET epoch = epoch + 1 WHERE partition = $2 AND stream = ANY($1) RETURNING stream, seq, epoch"
)


class Checkpoint(Struct, frozen=True):
    seq: int
    epoch: int


Checkpoints = dict[tuple[str, int], Checkpoint]
"""(stream, partition) -> how far, and under whose ownership."""


class Evicted(Exception):
    """Another replica has taken this one for dead."""


def session_name(replica: str, use: Literal["own", "pool"]) -> str:
    """The `application_name` of a replica's connections, by which others find and end them (63 bytes at most)."""
    return f"carebus-{use}-{replica[-48:]}"


class Ownership:
    """The partitions of one service that this replica owns.

    `checkpoints` is the loop's to advance after a commit; it is empty while nothing is owned.
    """

    def __init__(
        self, settings: Settings, dsn: str, service: str, streams: Sequence[str], replica: str, log: Logger
    ) -> None:
        self.checkpoints: Checkpoints = {}
        self.refused: set[int] = set()
        self._settings = settings
        self._dsn = dsn
        self._service = service
        self._streams = list(streams)
        self._replica = replica
        self._log = log
        self._connection: asyncpg.Connection | None = None
        self._busy = asyncio.Lock()
        self._quota = 0
        self._beaten = float("-inf")
        self._tried = float("-inf")

    @property
    def owned(self) -> frozenset[int]:
        return frozenset(partition for _, partition in self.checkpoints)

    @property
    def fresh(self) -> bool:
        """Whether the heartbeat is young enough that nobody has taken over; asked before each send."""
        return monotonic() - self._beaten < self._settings.stale_s - self._settings.heartbeat_s / 2

    async def start(self) -> None:
        """Connect and beat once. Raises what asyncpg raises where PostgreSQL is not there."""
        await self._connect()
        await self._beat()

    async def run(self) -> None:
        """Beat until cancelled; a connection that was lost or dropped is made anew, with nothing owned."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            try:
                if self._connection is None or self._connection.is_closed():
                    await self._connect()
                    self._log.say(Log.POSTGRES_BACK)
                await self._beat()
            except Evicted as error:
                self.drop()
                self._log.say(Log.PARTITION_LOST, replica=self._replica, reason=str(error))
            except LOST as error:
                self.drop()
                self._log.say(Log.POSTGRES_UNAVAILABLE, error=error)

    async def stop(self) -> None:
        """Give everything up at once, so that others need not wait for the heartbeat to go stale."""
        self.checkpoints = {}
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            with suppress(*LOST):
                await connection.execute("DELETE FROM replica WHERE replica = $1", self._replica, timeout=2)
            with suppress(*LOST):
                await connection.close(timeout=2)

    def drop(self) -> None:
        """Own nothing from here on: after a commit that found another owner, or any doubt about the connection.

        The locks go with the connection; `run` makes another one.
        """
        self.checkpoints = {}
        self._beaten = float("-inf")
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    @property
    def unbalanced(self) -> bool:
        """Whether `balance` may have something to do; a free partition is looked for every TRY_S."""
        owned = self.owned
        if len(owned) > self._quota or self.refused & owned:
            return True
        return len(owned) < self._quota and monotonic() - self._tried > TRY_S

    async def balance(self) -> frozenset[int]:
        """Give up what is above this replica's share, take free partitions up to it; those that were taken.

        The loop calls it between two transactions, with nothing of the partitions under way. Raises what asyncpg
        raises; nothing is owned then.
        """
        async with self._busy:
            self._tried = monotonic()
            connection = self._connection
            if connection is None or connection.is_closed():
                self.checkpoints = {}
                return frozenset()
            try:
                await self._release(connection)
                return await self._take(connection)
            except LOST:
                self.drop()
                raise

    async def _release(self, connection: asyncpg.Connection) -> None:
        owned = self.owned
        excess = set(sorted(owned, reverse=True)[: max(0, len(owned) - self._quota)])
        for partition in sorted(excess | (self.refused & owned)):
            await connection.execute(_UNLOCK, partition)
            for stream in self._streams:
                self.checkpoints.pop((stream, partition), None)
            self._log.say(Log.PARTITION_RELEASED, partition=partition, replica=self._replica)

    async def _take(self, connection: asyncpg.Connection) -> frozenset[int]:
        owned, taken = self.owned, Checkpoints()
        free = [number for number in range(PARTITIONS) if number not in owned and number not in self.refused]
        for partition in free:
            if len(owned) + len(taken) // len(self._streams) >= self._quota:
                break
            if not await connection.fetchval(_LOCK, partition):
                continue
            async with connection.transaction():
                await connection.execute(_BEGIN, self._streams, partition)
                rows = await connection.fetch(_RAISE, self._streams, partition)
            taken |= {(row["stream"], partition): Checkpoint(row["seq"], row["epoch"]) for row in rows}
        if not taken or self._connection is not connection:
            return frozenset()
        self.checkpoints |= taken
        self._log.say(Log.PARTITIONS_OWNED, partitions=sorted(self.owned), count=len(self.owned), replica=self._replica)
        return frozenset(partition for _, partition in taken)

    async def _connect(self) -> None:
        """Connect, and end this replica's former connection: nobody may have told the server that it is gone."""
        self.drop()
        name = session_name(self._replica, "own")
        async with self._busy:
            connection = await asyncpg.connect(
                self._dsn,
                timeout=5,
                command_timeout=5,
                server_settings={"search_path": self._service, "application_name": name},
            )
            self._connection = connection
            await connection.execute(_EVICT, [name])

    async def _beat(self) -> None:
        async with self._busy:
            connection = self._connection
            if connection is None:
                return
            started = monotonic()
            await connection.execute(_BEAT, self._replica)
            for stale in await connection.fetch(_STALE, self._settings.stale_s):
                self._log.say(Log.REPLICA_EVICTED, replica=stale["replica"])
            live = [row["replica"] for row in await connection.fetch(_LIVE)]
            if self._replica not in live:
                raise Evicted("this replica's heartbeat was stale")
            self._beaten = started
            self._quota = PARTITIONS // len(live) + (live.index(self._replica) < PARTITIONS % len(live))
