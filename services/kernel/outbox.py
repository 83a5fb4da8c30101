"""The relay: what was decided and committed goes into the log, once, in the order of each key.

Rows are selected by id, sent, and deleted on the acknowledgement: a few as plain publishes, a wave at a time in which
no lane occurs twice, more as one atomic batch. Whatever may have been sent before (an error, a time-out, a reconnect,
rows found at a take-over) is first looked up in the log.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress

import asyncpg
from nats.errors import Error as NatsError

from schemas.subjects import PARTITIONS, partition_filter, stored_partition
from services.kernel import bus, crash
from services.kernel.clock import Clock, monotonic
from services.kernel.history import history
from services.kernel.ids import unique
from services.kernel.metrics import Metrics
from services.kernel.ownership import Ownership
from services.kernel.reader import RECORDED_HEADER
from services.kernel.store import TRANSIENT
from services.kernel.telemetry import Log, Logger

BATCH = 1_000
"""Most messages in one atomic batch (a limit of the server)."""
BATCH_BYTES = 8 * 1024 * 1024
FEW = 12
"""Most rows that are sent one by one. An atomic batch costs the server 1.5 ms of its processor, whether of 2 messages
or of 32, and a plain publish 0.1 ms (nats-server 2.15, file storage, `sync_interval: always`).
"""
WAVES = 3
"""Most waves that are waited for one after the other before an atomic batch is sooner done."""
POLL_S = 0.1
"""How soon a row is seen that a command committed in another replica."""
RETRY_S = (0.05, 5.0)
"""First and longest pause after a failure."""

_SELECT = """
WITH gone AS (DELETE FROM outbox WHERE id = ANY($3::bigint[]))
SELECT id, partition, event_id, subject, payload, after, created FROM outbox
WHERE partition = ANY($1::int[]) AND id <> ALL($3::bigint[]) ORDER BY id LIMIT $2
"""
_DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
_BACKUP = "SELECT coalesce(min(seq), 0) FROM checkpoint WHERE stream = $1"
_LAST_ID = "SELECT coalesce(max(id), 0) FROM outbox"


class RelayStopped(Exception):
    """The heartbeat is stale: another replica may own these rows now."""


class Relay:
    """One relay a service process.

    wake: set it when there are new rows. log_end: the log's last known sequence. idle: held while rows are under
    way; partitions change hands only outside of it.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        nats: bus.Nats,
        ownership: Ownership,
        log: Logger,
        metrics: Metrics,
        clock: Clock,
        *,
        driven: bool = False,
        restored: bool = False,
    ) -> None:
        self.wake = asyncio.Event()
        self.log_end = 0
        self.idle = asyncio.Lock()
        self._pool = pool
        self._nats = nats
        self._ownership = ownership
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self._driven = driven
        self._restored = restored
        self._logged: frozenset[str] = frozenset()
        self._taken: set[int] = set()
        self._suspect_until: dict[int, int] = {}
        self._sent: set[int] = set()
        self._cleared: set[int] = set()
        self._gone: list[int] = []
        """Acknowledged rows that the next look deletes on its way."""

    def taken_over(self, partitions: Collection[int]) -> None:
        """Rows that lie there now may have been sent by the former owner, whatever was known of them before."""
        self._taken |= set(partitions)
        self._cleared.clear()

    async def run(self) -> None:
        """Relay until cancelled; every failure is waited out and looked into."""
        pause = RETRY_S[0]
        while True:
            self.wake.clear()  # before the look at the rows: what is committed behind it wakes the next round
            try:
                async with self.idle:
                    done = await self._round()
                pause = RETRY_S[0]
                if done:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(POLL_S):
                            await self.wake.wait()
            except (bus.BusError, NatsError, RelayStopped, *TRANSIENT) as error:
                self._log.say(Log.OUTBOX_RETRY, error=error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_S[1])

    async def _round(self) -> bool:
        """Send, or look up, one batch of rows; whether there were no more of them."""
        owned = self._ownership.owned
        if not owned:
            return True
        if self._taken:
            last: int = await self._pool.fetchval(_LAST_ID)
            self._suspect_until |= dict.fromkeys(self._taken, last)
            self._taken.clear()
        if self._restored:
            self._logged = await self._logged_since_backup()
            self._restored = False
        found = await self._pool.fetch(_SELECT, list(owned), BATCH, self._gone)
        self._forget(self._gone)
        rows = bounded(found)
        is_last = len(rows) == len(found) < BATCH
        if not rows:
            self._metrics.outbox(0, 0.0)
            return True
        self._metrics.outbox(len(rows), (self._clock.now() - rows[0]["created"]).total_seconds())
        if logged := [row for row in rows if row["event_id"] in self._logged]:
            await self._delete([row["id"] for row in logged])
            self._metrics.reconciled.inc(len(logged))
            return False
        suspects = [row for row in rows if self._suspect(row)]
        if suspects:
            await self._reconcile(suspects)
            return False
        started = monotonic()
        self._sent.update(row["id"] for row in rows)
        await self._publish(rows)
        crash.point("after_ack")
        self._gone = [row["id"] for row in rows]
        if is_last and not self.wake.is_set():  # else the next look comes at once
            await self._delete(self._gone)
        self._metrics.relayed.observe(len(rows))
        self._log.say(Log.OUTBOX_PUBLISHED, count=len(rows), seconds=round(monotonic() - started, 4))
        return is_last

    async def _logged_since_backup(self) -> frozenset[str]:
        """The ids of all events since the oldest place that this database, restored from a backup, had read to."""
        start: int = await self._pool.fetchval(_BACKUP, bus.EVENTS)
        ids = await event_ids_since(self._nats, start + 1, range(PARTITIONS))
        self._log.say(Log.OUTBOX_RECONCILED, count=len(ids), seq=start + 1)
        return frozenset(ids)

    def _suspect(self, row: asyncpg.Record) -> bool:
        """Sent once without an acknowledgement, or found at a take-over and not yet looked up in the log."""
        found = row["id"] <= self._suspect_until.get(row["partition"], 0)
        return row["id"] in self._sent or (found and row["id"] not in self._cleared)

    async def _delete(self, ids: Sequence[int]) -> None:
        await self._pool.execute(_DELETE, ids)
        self._forget(ids)

    def _forget(self, ids: Sequence[int]) -> None:
        self._sent.difference_update(ids)
        self._cleared.difference_update(ids)
        self._gone = []

    async def _publish(self, rows: Sequence[asyncpg.Record]) -> None:
        by_wave = waves(rows)
        if len(rows) > FEW or len(by_wave) > WAVES:
            await self._publish_batch(rows)
        else:
            for wave in by_wave:  # one that fails is followed by none of its lane
                answers = await asyncio.gather(*(self._request(row) for row in wave), return_exceptions=True)
                if failed := [answer for answer in answers if isinstance(answer, BaseException)]:
                    raise failed[0]

    async def _publish_batch(self, rows: Sequence[asyncpg.Record]) -> None:
        batch = unique()
        for number, row in enumerate(rows[:-1], 1):
            headers = self._headers(row) | {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
            await self._nats.publish(row["subject"], row["payload"], headers=headers)
        last = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(len(rows)), "Nats-Batch-Commit": "1"}
        await self._request(rows[-1], last)

    async def _request(self, row: asyncpg.Record, extra: dict[str, str] | None = None) -> None:
        """Send a message and have its acknowledgement. Raises RelayStopped, BusError."""
        if not self._ownership.fresh:
            raise RelayStopped("the heartbeat is stale")
        seq = await bus.publish(self._nats, row["subject"], row["payload"], self._headers(row) | (extra or {}))
        self.log_end = max(self.log_end, seq)

    def _headers(self, row: asyncpg.Record) -> dict[str, str]:
        headers = {"Nats-Msg-Id": row["event_id"]}
        if self._driven:
            headers[RECORDED_HEADER] = self._clock.now().isoformat()
        return headers

    async def _reconcile(self, suspects: Sequence[asyncpg.Record]) -> None:
        """Delete the rows that the log has already; the others were never sent, as far as anyone can know."""
        start = min(row["after"] for row in suspects) + 1
        partitions = {stored_partition(row["subject"]) for row in suspects}
        there = await event_ids_since(self._nats, start, partitions)
        done = [row for row in suspects if row["event_id"] in there]
        await self._delete([row["id"] for row in done])
        ids = {row["id"] for row in suspects if row["event_id"] not in there}
        self._sent -= ids
        self._cleared |= ids
        self._metrics.reconciled.inc(len(done))
        self._log.say(Log.OUTBOX_RECONCILED, count=len(suspects), dropped=len(done), seq=start)


def waves(rows: Sequence[asyncpg.Record]) -> list[list[asyncpg.Record]]:
    """Rows in waves that keep the order of each lane: the n-th of a lane (its subject without the entity) in the n-th.

    Within a wave all may be under way at once.
    """
    counts: Counter[str] = Counter()
    found: list[list[asyncpg.Record]] = []
    for row in rows:
        lane = row["subject"].rpartition(".")[0]
        if counts[lane] == len(found):
            found.append([])
        found[counts[lane]].append(row)
        counts[lane] += 1
    return found


def bounded(rows: Sequence[asyncpg.Record]) -> Sequence[asyncpg.Record]:
    """The first rows that together stay below BATCH_BYTES; at least one."""
    total = 0
    for count, row in enumerate(rows):
        total += len(row["payload"])
        if total > BATCH_BYTES and count:
            return rows[:count]
    return rows


async def event_ids_since(nats: bus.Nats, start: int, partitions: Collection[int]) -> set[str]:
    """The message ids of these partitions of EVENTS from a sequence to the end, by headers alone."""
    wanted = partition_filter(bus.ROOTS[bus.EVENTS], partitions)
    return {
        (msg.headers or {}).get("Nats-Msg-Id", "")
        async for msg in history(nats, bus.EVENTS, wanted, start, headers_only=True)
    }
