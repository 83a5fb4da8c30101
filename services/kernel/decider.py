"""Inputs through the processes of a service, within one transaction: load, fold, decide, write back.

No state is kept between transactions. A message that cannot be decoded or decided is parked; its lane waits, all
others go on.
"""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from datetime import datetime, timedelta

import asyncpg

from schemas.envelope import Event
from schemas.ops import OpsMessageRefused
from services.kernel import bus, crash, parked, refold, store, vault
from services.kernel.inputs import Decode, Item, failure_of, seq_of, set_aside
from services.kernel.metrics import Metrics
from services.kernel.parked import Lane, Parked, kind_of, say_parked
from services.kernel.policybook import PolicyBook
from services.kernel.process import Outcome, Process
from services.kernel.store import Connection, Move, Row, StoryKey
from services.kernel.telemetry import Log, Logger
from services.kernel.work import Stories, Work, is_policy, parts

RENEW = 50
"""Stories of an older version folded anew in one transaction; each reads its lane's history."""
LATE = timedelta(seconds=1)
"""A tick that fires later than this by the log's clock is counted as late."""

_HOLD = """
SELECT public.hold_policies() AS mark, b.shop, b.buyer, b.key, b.behind
FROM (SELECT) AS one LEFT JOIN blocked b ON b.partition = ANY($1::int[])
"""


class Decider:
    """The processes of one service, and the policies they decide under."""

    def __init__(
        self,
        service: str,
        processes: Sequence[Process],
        policies: PolicyBook,
        past: refold.Past,
        log: Logger,
        metrics: Metrics,
        code: str,
        log_end: Callable[[], int],
    ) -> None:
        self.processes: Mapping[str, Process] = {process.name: process for process in processes}
        self.policies = policies
        self._stories = Stories(service, self.processes, policies.of)
        self._past = past
        self._log = log
        self._metrics = metrics
        self._code = code
        self._log_end = log_end

    def concerns(self, item: Item) -> bool:
        """Whether an input belongs to a story, changes the policy, or has failed."""
        return item.input is None or is_policy(item) or self._stories.of(item) != []

    async def handle(
        self, connection: Connection, items: Sequence[Item], moves: Sequence[Move]
    ) -> list[OpsMessageRefused]:
        """Fold and decide these inputs in their order; what was refused, to be told to its senders.

        Where the first is a `policy.changed` it comes into force before anything else is decided. Raises
        store.StateNewer, store.Fenced and what asyncpg raises.
        """
        if not items:
            await store.write(connection, moves=moves)
            return []
        if is_policy(items[0]):
            await self._switch(connection, items[0])
        work = Work(blocked=await self._hold(connection, {item.partition for item in items}))
        stories = [self._stories.of(item) for item in items]
        await self._load(connection, work, {key for found in stories if isinstance(found, list) for key in found})
        for item, found in zip(items, stories, strict=True):
            if failed := self._stories.take(work, item, found):
                say_parked(item, failed.reason, self._log, self._metrics)
            crash.point("mid_batch")
        await self._write(connection, work, moves)
        return work.notices

    async def _hold(self, connection: Connection, partitions: Collection[int]) -> dict[Lane, Lane]:
        """Hold the policies still for this transaction; the lanes that wait, each with what it waits behind."""
        rows = await connection.fetch(_HOLD, list(partitions))
        await self.policies.see(connection, rows[0]["mark"])
        return parked.lanes(row for row in rows if row["shop"] is not None)

    async def _switch(self, connection: Connection, item: Item) -> None:
        event = item.input
        assert isinstance(event, Event)
        now = item.message.recorded
        if await self.policies.switch(connection, event, self.processes, now):
            self._log.say(Log.POLICY_SWITCHED, shop=event.shop, seq=event.seq, digest=event.data.digest)

    async def fire(
        self, connection: Connection, owned: Collection[int], until: datetime, limit: int
    ) -> tuple[set[int], list[OpsMessageRefused]]:
        """Fire the ticks whose instant lies before `until`, to which everything is read; the partitions they belong to,
        and the facts that were set aside.

        A tick at that very instant waits: what is recorded at it goes first.
        """
        await self.policies.guard(connection)
        work = Work()
        rows = await store.lock_due(connection, self.processes, owned, until, limit)
        await self._refold(connection, rows)
        work.rows = rows
        for key, row in rows.items():
            slot = row.slot
            if slot.due is None or slot.fire is None or slot.fire >= until:
                work.slots[key] = slot
            elif failed := self._stories.tick(work, key):
                self._say_tick_parked(key, failed)
            elif key in work.slots:
                self._metrics.ticks.inc()
                if until - slot.fire > LATE:
                    self._metrics.late_ticks.inc()
        await self._write(connection, work)
        return {row.partition for row in rows.values()}, work.notices

    async def renew(
        self, connection: Connection, owned: Collection[int], after: StoryKey
    ) -> tuple[set[int], StoryKey | None]:
        """Fold a page of stories of an older version anew; their partitions, and where the next page starts.

        One that cannot be folded stays as it is: its next message is parked.
        """
        await self.policies.guard(connection)
        current = [process for process in self.processes.values() if not process.inbox]
        rows = await store.lock_old(connection, {p.name: p for p in current}, owned, after, RENEW)
        await self._refold(connection, rows)
        renewed = {key: row.slot for key, row in rows.items() if not row.fault}
        await store.write(connection, states=store.state_rows(self.processes, renewed))
        return {row.partition for row in rows.values()}, max(rows, default=None)

    async def redrive(
        self, connection: Connection, lane: Lane, decode: Decode
    ) -> tuple[set[int], list[OpsMessageRefused]]:
        """Play a lane's parked messages again, in order, up to the first that fails again; what was refused of them."""
        rows = await parked.lane_rows(connection, lane, parked.REDRIVE + 1)
        work, done = Work(blocked=await self._hold(connection, {row["partition"] for row in rows})), list[int]()
        failed: tuple[int, str, str] | None = None
        for row in rows[: parked.REDRIVE]:
            items = [] if row["stream"] == parked.TICK else parts(decode(parked.message_of(row)), row["part"])
            failed = await self._again(connection, work, items, row)
            if failed:
                break
            done.append(row["id"])
        more = rows[parked.REDRIVE]["id"] if len(rows) > parked.REDRIVE and not failed else None
        await self._write(connection, work)
        await parked.settle(connection, lane, done, failed, more, self._code)
        self._log.say(Log.PARKED_RETRIED, shop=lane[0], count=len(done), reason=kind_of(failed[1]) if failed else None)
        return {row["partition"] for row in rows}, work.notices

    async def _again(
        self, connection: Connection, work: Work, items: Sequence[Item], row: asyncpg.Record
    ) -> tuple[int, str, str] | None:
        """One parked message; why it failed again. The facts of one that had not translated are taken as new ones."""
        for item in items:
            if is_policy(item):
                await self._switch(connection, item)
            found = self._stories.of(item)
            if isinstance(found, list):
                await self._load(connection, work, {key for key in found if key not in work.rows})
            if item.part != row["part"]:
                if refused := self._stories.take(work, item, found):
                    say_parked(item, refused.reason, self._log, self._metrics)
            elif failed := self._stories.again(work, item, found):
                return row["id"], *failed
        return None

    async def lock(self, connection: Connection, keys: Set[StoryKey]) -> dict[StoryKey, Row]:
        """These stories' rows, locked, made where missing, of the present version. Raises store.StateNewer."""
        rows = await store.lock_rows(connection, self.processes, keys)
        await self._refold(connection, rows)
        return rows

    async def _load(self, connection: Connection, work: Work, keys: Set[StoryKey]) -> None:
        work.rows |= await self.lock(connection, keys)

    async def _refold(self, connection: Connection, rows: dict[StoryKey, Row]) -> None:
        """Fold the stories of an older version of their process anew from the log."""
        for key, row in rows.items():
            process = self.processes[key[0]]
            if row.version >= process.version or process.inbox:
                continue
            try:
                slot = await self._past.story(connection, process, row.slot, self.policies.of(key[1]))
            except (bus.BusError, *store.TRANSIENT):
                raise
            except Exception as error:  # the story's messages are parked one by one; all other stories go on
                rows[key] = Row(row.slot, row.partition, row.version, failure_of(error)[0])
            else:
                rows[key] = Row(slot, row.partition, process.version)
                self._log.say(
                    Log.STATE_REFOLDED,
                    process=process.name,
                    key=key[3],
                    version=process.version,
                    count=slot.inputs,
                )

    async def keep(self, connection: Connection, process: Process, partition: int, outcome: Outcome) -> None:
        """Write what became of one cause of one story, locked before. Raises store.TooLarge."""
        slot = outcome.slot
        work = Work(
            slots={(process.name, slot.shop, slot.buyer, slot.key): slot},
            out=store.outgoing(partition, outcome.events),
            deposits=list(outcome.deposits),
        )
        await self._write(connection, work)

    async def _set_aside(self, work: Work) -> None:
        for asked in work.aside:
            message = await self._past.fact(seq_of(asked.fact))
            if message is None:
                self._log.say(Log.FACT_GONE, seq=seq_of(asked.fact), reason=kind_of(asked.reason))
                continue
            item = set_aside(message, asked)
            self._stories.take(work, item, [])
            say_parked(item, item.reason, self._log, self._metrics)

    def _say_tick_parked(self, key: StoryKey, failed: Parked) -> None:
        reason = kind_of(failed.reason)
        self._metrics.parked.labels(reason=reason).inc()
        self._log.say(
            Log.TICK_PARKED, process=key[0], partition=failed.partition, shop=key[1], key=key[3], reason=reason
        )

    async def _write(self, connection: Connection, work: Work, moves: Sequence[Move] = ()) -> None:
        await self._set_aside(work)
        await parked.park(connection, work.parked, self._code)
        states = store.state_rows(self.processes, {k: v for k, v in work.slots.items() if k not in work.ended})
        await store.write(connection, states=states, out=work.out, after=self._log_end(), moves=moves)
        await store.end(connection, work.ended)
        await vault.put(connection, work.deposits)
