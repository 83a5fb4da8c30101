"""Which partitions this replica owns: advisory locks on one connection of its own, and a heartbeat.

A pool must not hold that connection (its reset drops the locks), nor PgBouncer. A replica whose heartbeat is stale
is evicted by ending its connection; whoever takes a partition over raises the epoch of its checkpoints, so that a
commit of the former owner finds no row (design.md, "The loop").
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
from msgspec import Struct

from schemas.subjects import PARTITIONS
from services.kernel.clock import monotonic
from services.kernel.settings import Settings
from services.kernel.telemetry import Log, Logger

TRY_S = 0.2

_BEAT = """
INSERT INTO replica (replica, backend, heartbeat) VALUES ($1, pg_backend_pid(), clock_timestamp())
ON CONFLICT (replica) DO UPDATE SET backend = excluded.backend, heartbeat = excluded.heartbeat
"""
_STALE = """
DELETE FROM replica WHERE heartbeat < clock_timestamp() - make_interval(secs => $1) RETURNING replica, backend
"""
_EVICT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND application_name = $2
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
        self._task: asyncio.Task[None] | None = None

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
        self._task = asyncio.create_task(self._beat_forever(), name=f"{self._service}-heartbeat")

    async def stop(self) -> None:
        """Give everything up at once, so that others need not wait for the heartbeat to go stale."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self.checkpoints = {}
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            with suppress(asyncpg.PostgresError, OSError, TimeoutError):
                await connection.execute("DELETE FROM replica WHERE replica = $1", self._replica, timeout=2)
            with suppress(asyncpg.PostgresError, OSError, TimeoutError):
                await connection.close(timeout=2)

    def drop(self) -> None:
        """Forget everything owned, after a commit that found another owner or an unclear end of the connection."""
        self.checkpoints = {}

    @property
    def unbalanced(self) -> bool:
        """Whether `balance` may have something to do; a free partition is looked for every TRY_S."""
        owned = self.owned
        if len(owned) > self._quota or self.refused & owned:
            return True
        return len(owned) < self._quota and monotonic() - self._tried > TRY_S

    async def balance(self) -> frozenset[int]:
        """Give up what is above this replica's share, take free partitions up to it; those that were taken.

        The loop calls it between two transactions, with nothing of the partitions under way.
        """
        async with self._busy:
            self._tried = monotonic()
            if self._connection is None or self._connection.is_closed():
                self.drop()
                return frozenset()
            owned = self.owned
            excess = set(sorted(owned, reverse=True)[: max(0, len(owned) - self._quota)])
            for partition in sorted(excess | (self.refused & owned)):
                await self._connection.execute(_UNLOCK, partition)
                for stream in self._streams:
                    self.checkpoints.pop((stream, partition), None)
                self._log.say(Log.PARTITION_RELEASED, partition=partition, replica=self._replica)
            return frozenset(await self._take(self._connection))

    async def _take(self, connection: asyncpg.Connection) -> list[int]:
        owned, taken = self.owned, list[int]()
        for partition in range(PARTITIONS):
            if len(owned) + len(taken) >= self._quota:
                break
            if partition in owned or partition in self.refused:
                continue
            if not await connection.fetchval(_LOCK, partition):
                continue
            async with connection.transaction():
                await connection.execute(_BEGIN, self._streams, partition)
                for row in await connection.fetch(_RAISE, self._streams, partition):
                    self.checkpoints[row["stream"], partition] = Checkpoint(row["seq"], row["epoch"])
            taken.append(partition)
        if taken:
            self._log.say(
                Log.PARTITIONS_OWNED,
                partitions=sorted(self.owned),
                count=len(self.owned),
                replica=self._replica,
            )
        return taken

    async def _connect(self) -> None:
        self.drop()
        self._connection = await asyncpg.connect(
            self._dsn,
            timeout=5,
            command_timeout=5,
            server_settings={
                "search_path": self._service,
                "application_name": self._application(self._replica),
            },
        )
        await self._beat()

    def _application(self, replica: str) -> str:
        return f"carebus-own-{replica}"[:63]

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            try:
                if self._connection is None or self._connection.is_closed():
                    await self._connect()
                else:
                    await self._beat()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                self._beaten = float("-inf")
                self.drop()
                await self._abandon()
                self._log.say(Log.POSTGRES_UNAVAILABLE, error=error)

    async def _abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _beat(self) -> None:
        connection = self._connection
        assert connection is not None
        async with self._busy:
            started = monotonic()
            await connection.execute(_BEAT, self._replica)
            self._beaten = started
            for stale in await connection.fetch(_STALE, self._settings.stale_s):
                await connection.execute(_EVICT, stale["backend"], self._application(stale["replica"]))
                self._log.say(Log.REPLICA_EVICTED, replica=stale["replica"])
            live = [row["replica"] for row in await connection.fetch(_LIVE)]
            rank = live.index(self._replica)
            self._quota = PARTITIONS // len(live) + (rank < PARTITIONS % len(live))
