"""`story(process).given(...).when(...).when_it_is(...).then(...)`: one process under test, in virtual time.

    story(reminder).given(
        event(placed, at="10:00:00"),
    ).when_it_is("10:10:00").then(
        CareProposed(...),
    )

- `given` is history: it is folded, and so is what the process decides about it, ticks included; that is not compared.
- `when` and `when_it_is` are what is looked at; `then` compares the data of everything decided since `given` or the
  `then` before, in order and exactly. `then()` says that nothing was decided.
- Times are aware datetimes, or `"10:00:20"` (UTC; `"22:30:00+08:00"` elsewhere) on the day DAY.

It runs on the in-memory runner, so what is decided is encoded, logged and read back as it will be. A process that
raises, or a state that its row could not hold, fails the story at once.
"""

from collections.abc import Sequence
from datetime import datetime
from types import ModuleType
from typing import Any

import msgspec

from schemas.envelope import Command, Event, EventData, Rejected
from schemas.subjects import NO_BUYER
from services.kernel.clock import EPOCH
from services.kernel.commands import CommandSpec
from services.kernel.commands import Story as StoryName
from services.kernel.inputs import RawFact
from services.kernel.policy import Policy
from services.kernel.process import Fact, Process, Slot, process_of
from services.kernel.service import Service
from services.replay import telling
from services.replay.given import BEGINNING, BUYER, SHOP, When, Wish, at, command, event, fact
from services.replay.memory import Memory
from services.replay.telling import DAY

__all__ = ["BUYER", "DAY", "SHOP", "Story", "Wish", "at", "command", "event", "fact", "story"]


def story(process: ModuleType | Process) -> "Story":
    """The beginning of a story of this process, under the default policy."""
    return Story(process if isinstance(process, Process) else process_of(process))


class Story:
    """Each step returns the story, so that it goes on in a chain."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._policy: Policy | None = None
        self._facts: list[Fact[Any]] = []
        self._memory: Memory | None = None
        self._inputs: list[str] = []
        self._compared = 0
        self._rejected: Rejected | None = None

    def under(self, policy: Policy) -> "Story":
        """Under this policy instead of the default one; before anything else."""
        if self._memory is not None:
            raise ValueError("under: the story has begun; a later change is a PolicyChanged event")
        self._policy = policy
        return self

    def given(self, *inputs: Any) -> "Story":
        """History: events, facts, commands, or mere data (an event of the present); not compared."""
        self._play("given", inputs)
        if self._rejected is not None:
            raise AssertionError(self._tell("a given command was rejected", []))
        self._look_away()
        return self

    def when(self, *inputs: Any) -> "Story":
        """What the process is to decide upon, as in `given`."""
        return self._play("when", inputs)

    def when_it_is(self, instant: When) -> "Story":
        """Time passes: all ticks up to and including this instant fire. Raises ValueError for the past."""
        memory, moment = self._begun(), at(instant)
        if moment < memory.now:
            raise ValueError(f"it is {telling.clock(memory.now)} already, not {telling.clock(moment)}")
        self._inputs.append(f"when it is {telling.clock(moment)}")
        memory.advance(moment)
        self._check()
        return self

    def then(self, *expected: Any) -> "Story":
        """Exactly these data were decided, in this order; an `Emit` also says time, lane or actor. None: nothing."""
        found = telling.differences(expected, self._decided)
        if self._rejected is not None:
            found.append(telling.rejected_line(self._rejected))
        if found:
            raise AssertionError(self._tell(f"{self._process.name} decided otherwise", found, expected))
        self._look_away()
        return self

    def then_rejected(self, code: str, field: str | None = None) -> "Story":
        """The last command was rejected with this code, and nothing was decided."""
        rejected = self._rejected
        found = [f"1. expected nothing, decided {telling.shown(one.data)}" for one in self._decided]
        if rejected is None:
            found.append(f"expected a rejection {code!r}, there was none")
        elif rejected.code != code:
            found.append(f"code: expected {code!r}, found {rejected.code!r}: {rejected.message}")
        elif field is not None and rejected.field != field:
            found.append(f"field: expected {field!r}, found {rejected.field!r}")
        if found:
            raise AssertionError(self._tell(f"{self._process.name} decided otherwise", found))
        self._look_away()
        return self

    def then_state(self, key: str = "", /, **expected: Any) -> "Story":
        """These fields of the state are so. key: of which story, where there are several."""
        state = self._slot(key).state
        found = [
            line
            for name, value in expected.items()
            for line in telling.unequal(name, value, getattr(state, name), "found")
        ]
        if found:
            raise AssertionError(
                self._tell(f"the state of {self._process.name} is otherwise: {telling.shown(state)}", found)
            )
        return self

    @property
    def memory(self) -> Memory:
        """The runner below, for what a story does not say."""
        return self._begun()

    @property
    def _decided(self) -> Sequence[Event[Any]]:
        log = self._begun().log[self._compared :]
        return [one for one in log if one.source == self._process.source]

    def _play(self, step: str, inputs: Sequence[Any]) -> "Story":
        for item in inputs:
            match item:
                case Wish():
                    self._ask(step, item)
                case Fact():
                    self._facts.append(item)
                    self._say(step, item)
                    number = str(len(self._facts) - 1).encode()
                    self._begun().publish("story", item.shop, "fact", number, item.recordedtime)
                case Event():
                    self._say(step, item)
                    self._begun().append(item, item.recordedtime or item.time)
                case _ if hasattr(item, "NAME"):
                    self._ask(step, command(item))
                case _ if hasattr(item, "TYPE"):
                    self._play(step, [event(item, self._present())])
                case _:
                    raise TypeError(f"{step}: {item!r} is no event, fact, command, or data of one")
            self._check()
        return self

    def _ask(self, step: str, wish: Wish) -> None:
        memory, asked = self._begun(), wish.command
        numbered = msgspec.structs.replace(asked, command_id=asked.command_id or f"command-{len(self._inputs) + 1}")
        moment = wish.at or self._present()
        self._inputs.append(
            f"{step} {telling.clock(moment)} {asked.actor.role} {asked.actor.id}: {telling.shown(asked.data)}"
        )
        spec = CommandSpec(
            name=getattr(asked.data, "NAME", type(asked.data).__name__),
            data=type(asked.data),
            process=self._process.name,
            locate=_nowhere,
        )
        answer = memory.command(self._process.name, spec, numbered, moment, self._place(wish))
        self._rejected = answer if isinstance(answer, Rejected) else None

    def _place(self, wish: Wish) -> StoryName:
        shop = wish.command.shop
        if wish.key or wish.buyer:
            buyer = NO_BUYER if self._process.inbox else wish.buyer or BUYER
            return (shop, buyer, wish.key or wish.buyer)
        if len(self._slots) > 1:
            raise ValueError(f"command: say key=, there are {sorted(slot.key for slot in self._slots)}")
        if self._slots:
            return (shop, self._slots[0].buyer, self._slots[0].key)
        return (shop, NO_BUYER if self._process.inbox else BUYER, BUYER)

    def _slot(self, key: str) -> Slot:
        found = [slot for slot in self._slots if slot.key == key or not key]
        if len(found) != 1:
            raise ValueError(f"then_state: {key!r} is not one of the stories {sorted(s.key for s in self._slots)}")
        return found[0]

    @property
    def _slots(self) -> list[Slot]:
        return list(self._begun().slots.values())

    def _begun(self) -> Memory:
        if self._memory is None:
            service = Service(name=self._process.name, processes=[self._process], sources={"story": self._translate})
            self._memory = Memory([service], self._policy)
        return self._memory

    def _translate(self, raw: RawFact) -> Sequence[Fact[Any]]:
        return [self._facts[int(raw.payload)]]

    def _present(self) -> datetime:
        now = self._begun().now
        return at(BEGINNING) if now == EPOCH else now

    def _say(self, step: str, item: Any) -> None:
        self._inputs.append(f"{step} {telling.input_line(item)}")

    def _look_away(self) -> None:
        """What was decided until now is not compared again."""
        self._compared, self._rejected = len(self._begun().log), None

    def _check(self) -> None:
        """Raise for what a process raised, and for a state that does not come back from its row."""
        memory = self._begun()
        if memory.errors:
            raise AssertionError(self._tell(f"{self._process.name} raised", [])) from memory.errors[-1]
        if memory.parked:
            parked = memory.parked[0].parked
            raise AssertionError(
                self._tell(f"{self._process.name} raised {parked.reason}\n{parked.detail.rstrip()}", [])
            )
        for slot in self._slots:
            back = msgspec.json.decode(msgspec.json.encode(slot.state), type=type(slot.state))
            if back != slot.state:
                lines = list(telling.unequal("", slot.state, back, "read back"))
                raise AssertionError(self._tell("the state does not come back from its row", lines))

    def _tell(self, what: str, found: Sequence[str], expected: Sequence[EventData | Any] | None = None) -> str:
        sections = [what]
        if expected is not None:
            shown = [f"{n}. {telling.shown(one)}" for n, one in enumerate(expected, 1)]
            sections.append(telling.listed("expected", shown))
        decided = [f"{n}. {telling.decided_line(one)}" for n, one in enumerate(self._decided, 1)]
        sections.append(telling.listed("decided", decided))
        if found:
            sections.append(telling.listed("difference", found))
        sections.append(telling.listed("inputs", self._inputs))
        return "\n".join(sections)


async def _nowhere(connection: Any, asked: Command[Any]) -> StoryName | None:
    """A story says itself where its commands go."""
    return None
