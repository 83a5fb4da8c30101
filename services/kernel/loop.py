"""The loop: one reader a stream, one transaction, one due query, one relay a service process.

    own -> read -> handle -> commit (states or rows, outbox, parked, checkpoints) -> relay

Any error drops what was in memory and starts again from the checkpoints; a COMMIT whose answer was lost may have
committed, and is found out there.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import asyncpg
import msgspec
from nats.errors import Error as NatsError

from schemas import subjects
from schemas.ops import OpsMessageRefused
from services.kernel import bus, crash, parked, store
from services.kernel.clock import Clock, DrivenClock, monotonic
from services.kernel.inputs import Decode, Item, Source, decode_message
from services.kernel.metrics import Metrics
from services.kernel.outbox import Relay
from services.kernel.ownership import Ownership
from services.kernel.reader import Message, Reader, ReaderLost
from services.kernel.restored import LogRestored, require_same_log
from services.kernel.segments import Moved, Segment, segments
from services.kernel.settings import Settings
from services.kernel.store import TRANSIENT, Fenced, StateNewer
from services.kernel.telemetry import Log, Logger
from services.kernel.vault import Keys

IDLE_S = 0.05
"""How often the loop looks for ticks, retries and partitions when nothing arrives."""
TICKS = 500
RETRY_S = (0.05, 2.0)
PASSED_S = 0.2
"""How long checkpoints may stay behind messages that concern no story here: each would be a transaction for nothing."""

_CHECKPOINTS = "SELECT stream, partition, seq, epoch FROM checkpoint WHERE partition = ANY($1::int[])"
_HAND = "SELECT now FROM public.driven_clock"
_LEFT = """
SELECT array_remove(ARRAY[
    CASE WHEN EXISTS (
        SELECT FROM state s WHERE fire < $1 AND partition = ANY($2::int[]) AND process = ANY($3::text[])
        AND NOT EXISTS (SELECT FROM blocked b WHERE b.shop = s.shop AND b.buyer = s.buyer AND b.key IN ('', s.key))
    ) THEN 'tick' END,
    CASE WHEN EXISTS (SELECT FROM parked WHERE status = 'retry') THEN 'retry' END
], NULL)
"""


Touched = tuple[set[int], Sequence[OpsMessageRefused]]
"""The partitions that were worked on, and what was refused meanwhile, to be told to its senders."""


class Worker(Protocol):
    """What a loop does with inputs: a Decider or a Projector. processes: whose ticks it fires.

    concerns(item): whether handling it does anything at all.
    """

    @property
    def processes(self) -> Collection[str]: ...

    def concerns(self, item: Item) -> bool: ...
    async def handle(
        self, connection: store.Connection, items: Sequence[Item], moves: Sequence[store.Move]
    ) -> Sequence[OpsMessageRefused]: ...
    async def fire(
        self, connection: store.Connection, owned: Collection[int], until: datetime, limit: int
    ) -> Touched: ...
    async def redrive(self, connection: store.Connection, lane: parked.Lane, decode: Decode) -> Touched: ...
    async def renew(
        self, connection: store.Connection, owned: Collection[int], after: store.StoryKey
    ) -> tuple[set[int], store.StoryKey | None]: ...


class Loop:
    """One service's work on the partitions that this replica owns."""

    def __init__(
        self,
        settings: Settings,
        pool: asyncpg.Pool,
        nats: bus.Nats,
        ownership: Ownership,
        relay: Relay,
        worker: Worker,
        sources: Mapping[str, Source],
        keys: Keys,
        streams: Sequence[str],
        clock: Clock,
        log: Logger,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._nats = nats
        self._ownership = ownership
        self._relay = relay
        self._worker = worker
        self._sources = sources
        self._keys = keys
        self._streams = streams
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._wake = asyncio.Event()
        driven = settings.clock == "driven"
        self._patience_s = 0.0 if driven else PASSED_S  # whoever drives the clock waits for every checkpoint
        self._readers = {stream: Reader(nats, stream, self._wake, driven=driven) for stream in streams}
        self._opened: frozenset[int] | None = None
        self._looked = float("-inf")
        self._passed = Moved()
        """Where the checkpoints may move once there is a transaction, past messages that concern no story here."""
        self._passed_since = 0.0
        self._renewed: store.StoryKey | None = None
        """How far the stories of older versions were folded anew since the partitions last changed; None: all."""
        self.stuck = "starting"
        """Why the service is not ready; empty when it is."""

    async def run(self) -> None:
        """Work until cancelled. Raises LogRestored: that is for an operator, never skipped over."""
        pause = RETRY_S[0]
        while True:
            try:
                busy = await self._step()
                pause, self.stuck = RETRY_S[0], ""
                if not busy:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(IDLE_S):
                            await self._wake.wait()
                self._wake.clear()
            except LogRestored as error:
                self.stuck = str(error)
                self._log.say(Log.LOG_RESTORED, reason=str(error))
                raise
            except StateNewer as error:
                self._log.say(Log.STATE_NEWER, process=error.process, partition=error.partition, found=error.version)
                self.stuck = str(error)
                self._ownership.refused.add(error.partition)
                self._opened = None
                await asyncio.sleep(pause)
            except (Fenced, ReaderLost, bus.BusError, NatsError, *TRANSIENT) as error:
                self.stuck = f"{type(error).__name__}: {error}"
                self._say_failed(error)
                if isinstance(error, Fenced):
                    self._ownership.drop()
                if isinstance(error, TRANSIENT):  # what one connection suffered its neighbours may have
                    await self._pool.expire_connections()
                self._opened = None
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_S[1])

    def _say_failed(self, error: Exception) -> None:
        if isinstance(error, Fenced):
            self._log.say(Log.PARTITION_LOST, reason=str(error))
        elif isinstance(error, ReaderLost):
            self._metrics.reopened.labels(error.stream).inc()
            self._log.say(Log.READER_GAP, stream=error.stream, reason=str(error))
        else:
            self._log.say(Log.BATCH_FAILED, error=error)

    async def _step(self) -> bool:
        await self._own()
        messages: list[Message] = []
        for reader in self._readers.values():
            messages += await reader.take(self._settings.batch)
        if messages:
            if isinstance(self._clock, DrivenClock):  # the hand is polled; no decision is older than its input
                self._clock.set(max(message.recorded for message in messages))
            crash.point("after_read")
            await self._messages(messages)
        if self._passed and monotonic() - self._passed_since >= self._patience_s:
            await self._handle(Segment())
        return await self._look() or bool(messages)

    async def _own(self) -> None:
        """Change partitions where shares have changed, and open the readers behind the checkpoints."""
        before = self._ownership.owned
        if self._ownership.unbalanced:
            async with self._relay.idle:
                taken = await self._ownership.balance()
                if taken:
                    self._relay.taken_over(taken)
                    self._metrics.takeovers.inc(len(taken))
        owned = self._ownership.owned
        for stream in self._streams:
            for partition in before - owned:
                self._metrics.released(stream, partition)
        if owned == self._opened:
            return
        self._opened = None
        self._passed = Moved()
        await self._reread_checkpoints(owned)
        for stream, reader in self._readers.items():
            positions = {p: self._ownership.checkpoints[stream, p].seq for p in owned}
            await reader.open(positions)
            first = min(positions.values(), default=0)
            self._log.say(Log.READER_OPENED, stream=stream, partitions=sorted(owned), seq=first)
        await self._require_same_log()
        self._opened = owned
        self._renewed = store.FIRST
        self._metrics.owned.set(len(owned))

    async def _require_same_log(self) -> None:
        """Asked behind the opening, so that a server restarted in between is seen here or by the reader.

        EVENTS too where it is only written: the relay must know its end. Raises LogRestored.
        """
        for stream in {*self._streams, bus.EVENTS}:
            state = await require_same_log(self._pool, self._nats, stream, driven=self._settings.clock == "driven")
            if stream == bus.EVENTS:
                self._relay.log_end = max(self._relay.log_end, state.last)

    async def _reread_checkpoints(self, owned: frozenset[int]) -> None:
        """Where the database stands, which an unclear COMMIT may have moved. Raises Fenced."""
        for row in await self._pool.fetch(_CHECKPOINTS, list(owned)):
            key = (row["stream"], row["partition"])
            mine = self._ownership.checkpoints.get(key)
            if mine is None:
                continue
            if mine.epoch != row["epoch"]:
                raise Fenced(f"partition {row['partition']} has another owner")
            self._ownership.checkpoints[key] = store.Checkpoint(row["seq"], row["epoch"])

    async def _messages(self, messages: Sequence[Message]) -> None:
        started = monotonic()
        for segment in segments(messages, self._decode, self._skipped):
            segment.items = [item for item in segment.items if self._worker.concerns(item)]
            if segment.items:
                await self._handle(segment)
            else:
                self._passed_since = self._passed_since if self._passed else started
                self._passed |= segment.moved
        self._metrics.batch(len(messages), monotonic() - started)

    def _skipped(self, message: Message) -> None:
        """A type of a newer writer, or a source of another service."""
        self._metrics.skipped.labels("unknown_type" if message.stream == bus.EVENTS else "no_source").inc()
        self._log.say(
            Log.MESSAGE_SKIPPED,
            stream=message.stream,
            partition=subjects.stored_partition(message.subject),
            seq=message.seq,
        )

    async def _handle(self, segment: Segment) -> None:
        moved = self._passed | segment.moved
        started = monotonic()
        async with self._pool.acquire() as connection, connection.transaction():
            moves = store.moves(self._ownership.checkpoints, moved)
            notices = await self._worker.handle(connection, segment.items, moves)
            crash.point("before_commit")
            committing = monotonic()
        self._metrics.commit_seconds.observe(monotonic() - committing)
        crash.point("after_commit")
        if self._worker.processes:
            self._relay.wake.set()
        if not moved.keys() <= self._ownership.checkpoints.keys():
            raise Fenced("the partitions were lost while a batch was under way")
        self._ownership.checkpoints = store.advanced(self._ownership.checkpoints, moved)
        self._passed = Moved()
        self._say_committed(segment.messages, moved, monotonic() - started)
        await self._tell(notices)

    async def _tell(self, notices: Sequence[OpsMessageRefused]) -> None:
        """Tell senders of what was refused, at most once; it stands in the log too."""
        for notice in notices:
            with suppress(NatsError):
                subject = subjects.notice(notice.source, notice.shop)
                await self._nats.publish(subject, msgspec.json.encode(notice))

    def _say_committed(self, count: int, moved: Moved, seconds: float) -> None:
        now, lag_s = self._clock.now(), 0.0
        for (stream, partition), (seq, recorded) in moved.items():
            if stream == bus.EVENTS:
                self._relay.log_end = max(self._relay.log_end, seq)
            lag_s = (now - recorded).total_seconds()
            self._metrics.lag(stream, partition, lag_s)
        for stream, reader in self._readers.items():
            self._metrics.behind(stream, reader.waiting)
        self._log.say(
            Log.BATCH_COMMITTED,
            partitions=sorted({partition for _, partition in moved}),
            count=count,
            seq=max(seq for seq, _ in moved.values()),
            seconds=round(seconds, 4),
            lag_s=round(lag_s, 4),
        )

    async def _look(self) -> bool:
        """Ticks whose instant has come, and lanes that an operator wants played again; True: there was work."""
        if not self._opened or monotonic() - self._looked < IDLE_S:
            return False
        self._looked = monotonic()
        if isinstance(self._clock, DrivenClock):
            self._clock.set(await self._pool.fetchval(_HAND))
        left: list[str] = await self._pool.fetchval(
            _LEFT, self._clock.now(), list(self._opened), list(self._worker.processes)
        )
        fired = await self._fire() if "tick" in left else False
        redriven = await self._redrive() if "retry" in left else False
        renewed = await self._renew(self._renewed) if self._renewed else False
        return fired or redriven or renewed

    async def _fire(self) -> bool:
        """Fire due ticks up to the instant to which every stream has been read: the log's clock, not ours."""
        owned = self._ownership.owned
        instants = [await reader.caught_up() for reader in self._readers.values()]
        if not owned or any(instant is None for instant in instants):
            return False
        until = min(instant for instant in instants if instant is not None)
        if isinstance(self._clock, DrivenClock):
            until = self._clock.now()
        async with self._pool.acquire() as connection, connection.transaction():
            fired, notices = await self._worker.fire(connection, owned, until, TICKS)
            await store.write(connection, moves=self._still(fired))
            crash.point("before_commit")
        crash.point("after_commit")
        if fired:
            self._relay.wake.set()
        await self._tell(notices)
        return bool(fired)

    async def _redrive(self) -> bool:
        owned = self._ownership.owned
        async with self._pool.acquire() as connection:
            lanes = await parked.lanes_to_retry(connection, owned)
        for lane in lanes:
            async with self._pool.acquire() as connection, connection.transaction():
                touched, notices = await self._worker.redrive(connection, lane, self._decode)
                await store.write(connection, moves=self._still(touched))
            self._relay.wake.set()
            await self._tell(notices)
        return bool(lanes)

    async def _renew(self, after: store.StoryKey) -> bool:
        """Fold a page of stories of an older version anew, so that those nobody touches have their ticks too."""
        async with self._pool.acquire() as connection, connection.transaction():
            touched, self._renewed = await self._worker.renew(connection, self._ownership.owned, after)
            await store.write(connection, moves=self._still(touched))
        return self._renewed is not None

    def _decode(self, message: Message) -> list[Item]:
        return decode_message(message, self._sources, self._keys)

    def _still(self, partitions: Collection[int]) -> list[store.Move]:
        """A move of these partitions to where they are: nothing but the fence. Raises Fenced."""
        held, stream = self._ownership.checkpoints, self._streams[0]
        keys = [(stream, partition) for partition in partitions]
        floor = datetime.min.replace(tzinfo=self._clock.now().tzinfo)
        return store.moves(held, {key: (held[key].seq if key in held else 0, floor) for key in keys})
