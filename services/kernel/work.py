"""Inputs and ticks through the stories of one service: which wait, what fails, what is decided. No I/O.

The live decider loads rows around it and writes what it leaves; the in-memory runner keeps the rows. There is no
second meaning.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from schemas.envelope import Event
from schemas.ops import OpsMessageRefused
from schemas.policy import PolicyChanged
from schemas.subjects import NO_BUYER
from services.kernel import ids, parked
from services.kernel.inputs import WHOLE, Item, failure_of
from services.kernel.parked import Lane, Parked, park_failed, park_waiting
from services.kernel.process import (
    Fact,
    Outcome,
    PolicyInForce,
    Process,
    SetAside,
    Slot,
    Tick,
    fire_before,
    handle,
    story_of,
)
from services.kernel.reader import Message
from services.kernel.store import Outgoing, Row, StoryKey, outgoing
from services.kernel.vault import Deposit

Failure = tuple[str, str]
"""(reason, traceback)"""


class Work(Struct):
    """What one transaction has read and what it will write."""

    rows: dict[StoryKey, Row] = msgspec.field(default_factory=dict[StoryKey, Row])
    slots: dict[StoryKey, Slot] = msgspec.field(default_factory=dict[StoryKey, Slot])
    out: list[Outgoing] = msgspec.field(default_factory=list[Outgoing])
    parked: list[Parked] = msgspec.field(default_factory=list[Parked])
    blocked: dict[Lane, Lane] = msgspec.field(default_factory=dict[Lane, Lane])
    notices: list[OpsMessageRefused] = msgspec.field(default_factory=list[OpsMessageRefused])
    deposits: list[tuple[str, str, Deposit]] = msgspec.field(default_factory=list[tuple[str, str, Deposit]])
    aside: list[SetAside] = msgspec.field(default_factory=list[SetAside])
    """Facts to be parked; whoever runs this finds their messages and takes them as refused (`inputs.set_aside`)."""
    ended: set[StoryKey] = msgspec.field(default_factory=set[StoryKey])

    def slot(self, key: StoryKey) -> Slot:
        return self.slots.get(key) or self.rows[key].sound()


class Stories(Struct, frozen=True):
    """The processes of one service by name, and the policy of each shop."""

    service: str
    processes: Mapping[str, Process]
    policy: Callable[[str], PolicyInForce]

    def of(self, item: Item) -> list[StoryKey] | Exception:
        """The stories that an input belongs to, in the order of the processes; or what a `key` raised.

        A process that reads INBOX hears facts and no events, any other events and no facts.
        """
        if item.input is None:
            return []
        fact = isinstance(item.input, Fact)
        try:
            return [
                (process.name, *story)
                for process in self.processes.values()
                if process.inbox is fact and (story := story_of(process, item.input)) is not None
            ]
        except Exception as error:
            return error

    def take(self, work: Work, item: Item, found: list[StoryKey] | Exception) -> Parked | None:
        """Take one input; `found` is what `of` said. What failed of it; one that waits has not failed."""
        if isinstance(found, Exception):
            return _park(work, item, (), failure_of(found))
        if item.input is None:
            if item.source:
                work.out.append(self._refusal(work, item))
            return _park(work, item, (), (item.reason, item.detail))
        if behind := _waits(work, item, found):
            waiting = park_waiting(item, behind, [key for *_, key in found])
            work.parked.append(waiting)
            work.blocked.update({(*item.lane, key): behind for key in waiting.keys})
            return None
        try:
            self._decide(work, item, found)
        except Exception as error:
            return _park(work, item, [key for *_, key in found], failure_of(error))
        return None

    def again(self, work: Work, item: Item, found: list[StoryKey] | Exception) -> Failure | None:
        """Take an input that was parked; why it failed once more."""
        if isinstance(found, Exception):
            return failure_of(found)
        if item.input is None:
            return item.reason, item.detail
        try:
            self._decide(work, item, found)
        except Exception as error:
            return failure_of(error)
        return None

    def tick(self, work: Work, key: StoryKey) -> Parked | None:
        """Fire the tick that a story has; what failed of it. A story that waits behind a parked one is left alone."""
        row = work.rows[key]
        process, slot = self.processes[key[0]], row.slot
        assert slot.due is not None
        assert slot.fire is not None
        if _behind(work, (slot.shop, slot.buyer), (slot.key,)):
            return None
        try:
            outcome = handle(process, row.sound(), Tick(slot.due), slot.fire, self.policy(slot.shop))
            out = outgoing(row.partition, outcome.events)
        except Exception as error:
            return _park_tick(work, process, row, error)
        work.slots[key] = outcome.slot
        work.out += out
        _keep(work, outcome)
        if outcome.ended:
            work.ended.add(key)
        return None

    def _decide(self, work: Work, item: Item, found: Sequence[StoryKey]) -> None:
        """One input through all its stories, or (where anything raises) through none."""
        cause = item.input
        assert cause is not None
        now: datetime = item.message.recorded
        staged: dict[StoryKey, Slot] = {}
        outcomes: list[Outcome] = []
        out: list[Outgoing] = []
        for key in found:
            process, slot, partition = self.processes[key[0]], work.slot(key), work.rows[key].partition
            policy = self.policy(slot.shop)
            if slot.fire is not None and slot.fire < now:
                ticked = fire_before(process, slot, now, policy)
                slot = ticked.slot
                out += outgoing(partition, ticked.events)
                outcomes.append(ticked)
            outcome = handle(process, slot, cause, now, policy)
            staged[key] = outcome.slot
            out += outgoing(partition, outcome.events)
            outcomes.append(outcome)
        work.slots |= staged
        work.ended -= staged.keys()
        work.out += out
        for outcome in outcomes:
            _keep(work, outcome)

    def _refusal(self, work: Work, item: Item) -> Outgoing:
        data = OpsMessageRefused(
            source=item.source,
            shop=item.lane[0],
            inbox_seq=item.message.seq,
            reason=item.reason[:500],
            field=item.field[:500] or None,
            place=item.where[:500] or None,
        )
        work.notices.append(data)
        source, cause = f"carebus/{self.service}", f"in:{item.message.seq}:{item.part}"
        event = Event(
            data=data,
            shop=item.lane[0],
            time=item.message.recorded,
            id=ids.event_id(source, item.lane[0], NO_BUYER, "refused", cause, 0),
            source=source,
            actor=self.service,
            correlationid=cause,
            causationid=cause,
            basis=f"in:{item.message.seq}",
        )
        return outgoing(item.partition, [event])[0]


def _keep(work: Work, outcome: Outcome) -> None:
    work.deposits += outcome.deposits
    work.aside += outcome.aside


def is_policy(item: Item) -> bool:
    """Whether this input changes the policy of a shop."""
    return isinstance(item.input, Event) and isinstance(item.input.data, PolicyChanged)


def parts(items: Sequence[Item], part: int) -> list[Item]:
    """Of an INBOX message the one fact that was parked; of one that did not translate at all, every fact."""
    return [item for item in items if WHOLE in (part, item.part) or item.part == part]


def _waits(work: Work, item: Item, found: Sequence[StoryKey]) -> Lane | None:
    return _behind(work, item.lane, [key for *_, key in found])


def _behind(work: Work, lane: tuple[str, str], keys: Sequence[str]) -> Lane | None:
    """The lane that these keys of (shop, buyer) wait behind."""
    if not work.blocked:
        return None
    lanes = ((*lane, key) for key in ("", *keys))
    return next((work.blocked[place] for place in lanes if place in work.blocked), None)


def _park(work: Work, item: Item, keys: Sequence[str], failure: Failure) -> Parked:
    failed = park_failed(item, keys, *failure)
    work.parked.append(failed)
    if failed.status == "failed":
        work.blocked.update({(*item.lane, key): failed.lane for key in failed.keys})
    return failed


def _park_tick(work: Work, process: Process, row: Row, error: Exception) -> Parked:
    slot = row.slot
    assert slot.fire is not None
    key = "" if slot.buyer != NO_BUYER else slot.key
    lane = (slot.shop, slot.buyer, key)
    reason, detail = failure_of(error)
    failed = Parked(
        message=Message(parked.TICK, slot.inputs, f"{process.name}/{slot.key}", slot.fire, b""),
        lane=lane,
        keys=(key,),
        status="failed",
        partition=row.partition,
        reason=reason,
        detail=detail,
    )
    work.parked.append(failed)
    work.blocked[lane] = lane
    return failed
