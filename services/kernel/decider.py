"""Inputs through the processes of a service, within one transaction: load, fold, decide, write back.

No state is kept between transactions. A message that cannot be decoded or decided is parked; its lane waits, all
others go on.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from schemas.envelope import Event
from schemas.ops import OpsMessageRefused
from schemas.policy import PolicyChanged
from schemas.subjects import NO_BUYER
from services.kernel import crash, ids, parked, refold, store
from services.kernel.inputs import Decode, Item, failure_of
from services.kernel.metrics import Metrics
from services.kernel.parked import Lane, Parked, kind_of, parked_item, say_parked
from services.kernel.policybook import PolicyBook
from services.kernel.process import Process, Slot, Tick, fire_before, handle, story_of
from services.kernel.reader import Message
from services.kernel.store import Connection, Outgoing, Row, StoryKey
from services.kernel.telemetry import Log, Logger

REDRIVE = 500
"""Parked messages of one lane played in one transaction."""


class Work(Struct):
    """What one transaction has read and what it will write."""

    rows: dict[StoryKey, Row] = msgspec.field(default_factory=dict[StoryKey, Row])
    slots: dict[StoryKey, Slot] = msgspec.field(default_factory=dict[StoryKey, Slot])
    out: list[Outgoing] = msgspec.field(default_factory=list[Outgoing])
    parked: list[Parked] = msgspec.field(default_factory=list[Parked])
    blocked: set[Lane] = msgspec.field(default_factory=set[Lane])
    notices: list[OpsMessageRefused] = msgspec.field(default_factory=list[OpsMessageRefused])

    def slot(self, key: StoryKey) -> Slot:
        return self.slots.get(key) or self.rows[key].slot


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
        self._service = service
        self._past = past
        self._log = log
        self._metrics = metrics
        self._code = code
        self._log_end = log_end

    async def handle(self, connection: Connection, items: Sequence[Item]) -> list[OpsMessageRefused]:
        """Fold and decide these inputs in their order; what was refused, to be told to its senders.

        Where the first is a `policy.changed` it comes into force before anything else is decided. Raises
        store.StateNewer and what asyncpg raises.
        """
        if items and is_policy(items[0]):
            await self._switch(connection, items[0])
        await self.policies.guard(connection)
        work = Work()
        work.blocked = await parked.blocked_lanes(connection, {item.partition for item in items})
        stories = [self._stories(item) for item in items]
        await self._load(connection, work, {key for found in stories if found for key in found})
        for item, found in zip(items, stories, strict=True):
            if isinstance(found, Exception):
                self._park(work, item, *failure_of(found), keys=())
            elif item.input is None:
                self._undecodable(work, item)
            elif lane := self._waits(work, item, found):
                work.parked.append(parked_item(item, lane, "waiting"))
            else:
                self._run(work, item, found)
            crash.point("mid_batch")
        await self._write(connection, work)
        return work.notices

    async def _switch(self, connection: Connection, item: Item) -> None:
        event = item.input
        assert isinstance(event, Event)
        now = item.message.recorded
        if await self.policies.switch(connection, event, self.processes, now):
            self._log.say(Log.POLICY_SWITCHED, shop=event.shop, seq=event.seq, digest=event.data.digest)

    async def fire(
        self, connection: Connection, owned: Collection[int], until: datetime, limit: int
    ) -> set[int]:
        """Fire the ticks whose instant has come; the partitions that they belong to."""
        await self.policies.guard(connection)
        work = Work()
        rows = await store.lock_due(connection, self.processes, owned, until, limit)
        await self._refold(connection, rows)
        work.rows = rows
        for key, row in rows.items():
            process, slot = self.processes[key[0]], row.slot
            if slot.due is None or slot.fire is None or slot.fire > until:
                work.slots[key] = slot
                continue
            try:
                outcome = handle(process, slot, Tick(slot.due), slot.fire, self.policies.of(slot.shop))
                out = store.outgoing(row.partition, outcome.events)
            except Exception as error:
                self._park_tick(work, key, row, error)
            else:
                work.slots[key] = outcome.slot
                work.out += out
                self._metrics.ticks.inc()
        await self._write(connection, work)
        return {row.partition for row in rows.values()}

    async def redrive(self, connection: Connection, lane: Lane, decode: Decode) -> set[int]:
        """Play a lane's parked messages again, in order, up to the first that fails again."""
        await self.policies.guard(connection)
        rows = await parked.lane_rows(connection, lane, REDRIVE + 1)
        work, done = Work(), list[int]()
        failed: tuple[int, str, str] | None = None
        for row in rows[:REDRIVE]:
            items = [] if row["stream"] == parked.TICK else _parts(decode(parked.message_of(row)), row)
            failed = await self._again(connection, work, items, row["id"])
            if failed:
                break
            done.append(row["id"])
        more = rows[REDRIVE]["id"] if len(rows) > REDRIVE and not failed else None
        await self._write(connection, work)
        await parked.settle(connection, lane, done, failed, more, self._code)
        self._log.say(Log.PARKED_RETRIED, shop=lane[0], count=len(done), reason=kind_of(failed[1]) if failed else None)
        return {row["partition"] for row in rows}

    async def _again(
        self, connection: Connection, work: Work, items: Sequence[Item], row: int
    ) -> tuple[int, str, str] | None:
        for item in items:
            if item.input is None:
                return row, item.reason, item.detail
            found = self._stories(item)
            if isinstance(found, Exception):
                return row, *failure_of(found)
            await self._load(connection, work, {key for key in found if key not in work.rows})
            try:
                self._decide(work, item, found)
            except Exception as error:
                return row, *failure_of(error)
        return None

    def _stories(self, item: Item) -> list[StoryKey] | Exception:
        if item.input is None:
            return []
        try:
            return [
                (process.name, *story)
                for process in self.processes.values()
                if (story := story_of(process, item.input)) is not None
            ]
        except Exception as error:
            return error

    async def lock(self, connection: Connection, keys: Collection[StoryKey]) -> dict[StoryKey, Row]:
        """These stories' rows, locked, made where missing, of the present version. Raises store.StateNewer."""
        rows = await store.lock_rows(connection, self.processes, keys)
        await self._refold(connection, rows)
        return rows

    async def _load(self, connection: Connection, work: Work, keys: Collection[StoryKey]) -> None:
        work.rows |= await self.lock(connection, keys)

    async def _refold(self, connection: Connection, rows: dict[StoryKey, Row]) -> None:
        """Fold the stories of an older version of their process anew from the log."""
        for key, row in rows.items():
            process = self.processes[key[0]]
            if row.version < process.version:
                slot = await self._past.story(connection, process, row.slot, self.policies.of(key[1]))
                rows[key] = Row(slot, row.partition, process.version)
                self._log.say(Log.STATE_REFOLDED, process=process.name, key=key[3], version=process.version, count=slot.inputs)

    def _waits(self, work: Work, item: Item, found: Sequence[StoryKey]) -> Lane | None:
        """The blocked lane that this input waits for."""
        if not work.blocked:
            return None
        shop, buyer = item.lane
        lanes = [(shop, buyer, ""), *((shop, buyer, key) for *_, key in found)]
        return next((lane for lane in lanes if lane in work.blocked), None)

    def _run(self, work: Work, item: Item, found: Sequence[StoryKey]) -> None:
        try:
            self._decide(work, item, found)
        except Exception as error:
            self._park(work, item, *failure_of(error), keys=[key for *_, key in found])

    def _decide(self, work: Work, item: Item, found: Sequence[StoryKey]) -> None:
        """One input through all its stories, or (where anything raises) through none."""
        cause = item.input
        assert cause is not None
        now = item.message.recorded
        staged: dict[StoryKey, Slot] = {}
        out: list[Outgoing] = []
        for key in found:
            process, slot, partition = self.processes[key[0]], work.slot(key), work.rows[key].partition
            policy = self.policies.of(slot.shop)
            if slot.fire is not None and slot.fire < now:
                ticked = fire_before(process, slot, now, policy)
                slot = ticked.slot
                out += store.outgoing(partition, ticked.events)
            outcome = handle(process, slot, cause, now, policy)
            staged[key] = outcome.slot
            out += store.outgoing(partition, outcome.events)
        work.slots |= staged
        work.out += out

    def _undecodable(self, work: Work, item: Item) -> None:
        if not item.aside:
            self._park(work, item, item.reason, item.detail, keys=())
            return
        work.parked.append(parked_item(item, (*item.lane, ""), "aside", item.reason, item.detail))
        self._sayparked_item(item, item.reason)
        if item.source:
            work.out.append(self._refusal(work, item))

    def _refusal(self, work: Work, item: Item) -> Outgoing:
        data = OpsMessageRefused(
            source=item.source,
            shop=item.lane[0],
            inbox_seq=item.message.seq,
            reason=item.reason[:500],
            field=item.field or None,
        )
        work.notices.append(data)
        source, cause = f"carebus/{self._service}", f"in:{item.message.seq}:{item.part}"
        event = Event(
            data=data,
            shop=item.lane[0],
            time=item.message.recorded,
            id=ids.event_id(source, item.lane[0], NO_BUYER, "refused", cause, 0),
            source=source,
            actor=self._service,
            correlationid=cause,
            causationid=cause,
            basis=f"in:{item.message.seq}",
        )
        return store.outgoing(item.partition, [event])[0]

    def _park(self, work: Work, item: Item, reason: str, detail: str, keys: Sequence[str]) -> None:
        """Park an input and block its lane; on buyer `-` the key alone, and nobody where the key is not known."""
        shop, buyer = item.lane
        if buyer != NO_BUYER:
            lanes = [(shop, buyer, "")]
        else:
            lanes = [(shop, buyer, key) for key in dict.fromkeys(keys)]
        if not lanes:
            work.parked.append(parked_item(item, (shop, buyer, ""), "aside", reason, detail))
        else:
            work.parked.append(parked_item(item, lanes[0], "failed", reason, detail))
            work.blocked.update(lanes)
        self._sayparked_item(item, reason)

    def _park_tick(self, work: Work, key: StoryKey, row: Row, error: Exception) -> None:
        process, shop, buyer, story = key
        lane = (shop, buyer, "" if buyer != NO_BUYER else story)
        slot = row.slot
        assert slot.fire is not None
        message = Message(parked.TICK, slot.inputs, f"{process}/{story}", slot.fire, b"")
        reason, detail = failure_of(error)
        work.parked.append(
            Parked(
                message=message,
                lane=lane,
                status="failed",
                partition=row.partition,
                reason=reason,
                detail=detail,
            )
        )
        self._metrics.parked.labels(reason=type(error).__name__).inc()
        self._log.say(Log.TICK_PARKED, process=process, partition=row.partition, shop=shop, key=story, error=error)

    async def _write(self, connection: Connection, work: Work) -> None:
        await store.write_slots(connection, self.processes, work.slots)
        await store.insert_outbox(connection, work.out, self._log_end())
        await parked.park(connection, work.parked, self._code)


def is_policy(item: Item) -> bool:
    """Whether this input changes the policy of a shop."""
    return isinstance(item.input, Event) and isinstance(item.input.data, PolicyChanged)


def _parts(items: Iterable[Item], row: Mapping[str, int]) -> list[Item]:
    """Of an INBOX message the one fact that was parked; of a message that did not translate at all, all of them."""
    found = list(items)
    one = [item for item in found if item.part == row["part"]]
    return found if row["part"] == 0 and row["status"] == "retry" and not one else one
