"""One service in memory: its stories, its policies, its parked messages, its answers to commands.

What the live decider and the live commands keep in rows is kept in dictionaries here; the meaning (services.kernel
`work`, `process`, `inputs`) is theirs.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from schemas.envelope import Accepted, Command, Event, Rejected
from schemas.ops import OpsMessageRefused
from services.kernel import bus, commands, parked, policy
from services.kernel.commands import Answered, CommandSpec, Refusal, Story, content_of
from services.kernel.inputs import Item, decode_message, seq_of, set_aside
from services.kernel.parked import Lane, Parked
from services.kernel.process import PolicyInForce, Process, Slot, beginning, handle, with_due
from services.kernel.reader import Message
from services.kernel.service import Service
from services.kernel.store import Connection, Outgoing, Row, StoryKey, outgoing, story_partition
from services.kernel.vault import Deposit, Keys
from services.kernel.work import Failure, Stories, Work, is_policy, parts

Asks = Callable[[datetime, StoryKey], None]
"""Told of every new fire instant of a story."""


class NeedsDatabase(LookupError):
    """A command's `locate` asks the service's own tables, which are not here: name its story."""


class Kept(Struct, kw_only=True):
    """A parked message of a service; `parked.status` changes as it is played again."""

    service: str
    parked: Parked


class Worker:
    """One service at work; `asks` hears when a story wants to be looked at again; `stored` gives messages of INBOX."""

    def __init__(
        self, service: Service, default: PolicyInForce, asks: Asks, keys: Keys, stored: Callable[[int], Message]
    ) -> None:
        self.service = service
        self.processes = {process.name: process for process in service.processes}
        self.kept: list[Kept] = []
        self.notices: list[OpsMessageRefused] = []
        self.errors: list[Exception] = []
        self.deposits: list[tuple[str, str, Deposit]] = []
        """(shop, buyer, contact) that went into the vault."""
        self.read = {bus.EVENTS: 0, bus.INBOX: 0}
        """How many messages of each stream it has handled."""
        self._default = default
        self._asks = asks
        self._keys = keys
        self._stored = stored
        self._policies: dict[str, tuple[int, PolicyInForce]] = {}
        self._stories = Stories(service.name, self.processes, self._policy)
        self._rows = _Rows(self.processes)
        self._work = Work(rows=self._rows)
        self._held: list[StoryKey] = []
        self._answers: dict[str, tuple[str, bytes, Answered]] = {}

    def slot(self, key: StoryKey) -> Slot:
        return self._rows[key].slot

    @property
    def slots(self) -> Mapping[StoryKey, Slot]:
        return {key: row.slot for key, row in self._rows.items()}

    def take(self, item: Item) -> None:
        """Handle one input as the live loop would."""
        if is_policy(item):
            self._switch(cast(Event[Any], item.input))
        self._stories.take(self._work, item, self._stories.of(item))
        self._commit()

    def tick(self, key: StoryKey, instant: datetime) -> None:
        """Fire a story's tick of this instant, if it still has it and does not wait behind a parked message."""
        if self._rows[key].slot.fire != instant:
            return
        self._stories.tick(self._work, key)
        if key not in self._work.slots:
            self._held.append(key)
        self._commit()

    def command(self, spec: CommandSpec, payload: bytes, received: datetime, story: Story | None) -> Answered:
        """The answer to a command in these bytes. Raises NeedsDatabase where no story is named but must be."""
        command: Command[Any] | None = None
        try:
            command = commands.decode_command(spec, payload)
            result = self._answer(spec, command, received, story)
        except Refusal as refused:
            result = refused.rejected
        except NeedsDatabase:
            raise
        except Exception as error:
            self.errors.append(error)
            result = commands.INTERNAL_ERROR
        if isinstance(result, Rejected) and command is not None:
            result = replace(result, command_id=command.command_id)
        return result

    def retry(self, row: Kept) -> None:
        """Play a parked message and those of its lane again, in order, up to the first that fails again."""
        lane = row.parked.lane
        for kept in [k for k in self.kept if k is row or (k.parked.lane == lane and k.parked.status != "aside")]:
            if failure := self._again(kept.parked):
                reason, detail = failure
                status = "aside" if kept.parked.status == "aside" else "failed"
                kept.parked = replace(kept.parked, status=status, reason=reason, detail=detail)
                break
            self.kept.remove(kept)
        self._commit()
        if not any(k.parked.lane == lane and k.parked.status != "aside" for k in self.kept):
            self._release(lane)

    def drain(self) -> list[Outgoing]:
        """What was decided and is to be put into the log."""
        out, self._work.out = self._work.out, []
        return out

    def _policy(self, shop: str) -> PolicyInForce:
        found = self._policies.get(shop)
        return found[1] if found else self._default

    def _switch(self, event: Event[Any]) -> None:
        told, before = event.data, self._policies.get(event.shop)
        if before and before[0] >= told.version:
            return
        force = PolicyInForce(policy.from_event(told), told.digest)
        self._policies[event.shop] = (told.version, force)
        assert event.recordedtime is not None
        for key, row in self._rows.items():
            if key[1] == event.shop:
                self._work.slots[key] = with_due(self.processes[key[0]], row.slot, event.recordedtime, force)
        self._commit()

    def _again(self, kept: Parked) -> Failure | None:
        if kept.message.stream == parked.TICK:
            return None
        for item in parts(decode_message(kept.message, self.service.sources, self._keys), kept.part):
            found = self._stories.of(item)
            if item.part != kept.part:
                self._stories.take(self._work, item, found)
            elif failure := self._stories.again(self._work, item, found):
                return failure
        return None

    def _release(self, lane: Lane) -> None:
        blocked = self._work.blocked
        for waiting in [place for place, behind in blocked.items() if behind == lane]:
            del blocked[waiting]
        held, self._held = self._held, []
        for key in held:
            if (fire := self._rows[key].slot.fire) is not None:
                self._asks(fire, key)

    def _answer(self, spec: CommandSpec, command: Command[Any], received: datetime, story: Story | None) -> Answered:
        """In the order of kernel/commands.py: the first answer, the story, its lane, the decision."""
        content = content_of(command)
        if seen := self._answers.get(command.command_id):
            if seen[:2] != (spec.name, content):
                raise Refusal(commands.COMMAND_CONFLICT)
            return seen[2]
        story = story or _locate(spec, command)
        result = self._decide(spec, command, received, story) if story else commands.UNKNOWN_ID
        self._answers[command.command_id] = (spec.name, content, result)
        return result

    def _decide(self, spec: CommandSpec, command: Command[Any], received: datetime, story: Story) -> Answered:
        shop, buyer, name = story
        if any(place in self._work.blocked for place in ((shop, buyer, ""), story)):
            raise Refusal(commands.LANE_BLOCKED)
        key = (spec.process, shop, buyer, name)
        row = self._rows[key]
        outcome = handle(self.processes[spec.process], row.slot, command, received, self._policy(shop))
        if outcome.rejected is not None:
            return outcome.rejected
        self._work.out += outgoing(row.partition, outcome.events)
        self._work.slots[key] = outcome.slot
        self._work.deposits += outcome.deposits
        self._commit()
        return Accepted(command_id=command.command_id, events=tuple(event.id for event in outcome.events))

    def _commit(self) -> None:
        work = self._work
        for asked in work.aside:
            self._stories.take(work, set_aside(self._stored(seq_of(asked.fact)), asked), [])
        work.aside.clear()
        self.deposits += work.deposits
        work.deposits.clear()
        ended = {key for key in work.ended if work.slots.pop(key, None)}
        for key in ended:
            del self._rows[key]
        work.ended.clear()
        for key, slot in work.slots.items():
            row = self._rows[key]
            self._rows[key] = Row(slot, row.partition, row.version)
            if slot.fire is not None and slot.fire != row.slot.fire:
                self._asks(slot.fire, key)
        work.slots.clear()
        if work.parked:
            self.kept += [Kept(service=self.service.name, parked=found) for found in work.parked]
            work.parked.clear()
        if work.notices:
            self.notices += work.notices
            work.notices.clear()


class _Rows(dict[StoryKey, Row]):
    """State rows, each made when it is first asked for."""

    def __init__(self, processes: Mapping[str, Process]) -> None:
        self._processes = processes

    def __missing__(self, key: StoryKey) -> Row:
        name, shop, buyer, story = key
        process = self._processes[name]
        row = Row(beginning(process, shop, buyer, story), story_partition(process, shop, buyer), process.version)
        self[key] = row
        return row


class _NoDatabase:
    def __getattr__(self, name: str) -> Any:
        raise NeedsDatabase(name)


def _locate(spec: CommandSpec, command: Command[Any]) -> Story | None:
    """Run a `locate` that awaits nothing."""
    asked = spec.locate(cast(Connection, _NoDatabase()), command).__await__()
    try:
        next(asked)
    except StopIteration as done:
        return cast(Story | None, done.value)
    except NeedsDatabase as error:
        raise NeedsDatabase(f"{spec.name}: locate asks the database ({error}); say story=") from None
    asked.close()
    raise NeedsDatabase(f"{spec.name}: locate waits for something; say story=")
