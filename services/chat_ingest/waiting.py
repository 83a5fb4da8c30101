"""Waiting: who waits for an answer, and since when. Source: domain.md 3, answer times.

The reply clock and the closing both fold this, so that they cannot disagree.

- A message waits from its own time until a human of the shop replies, in whatever conversation. No answer is a care
  message, nor what the shop wrote before the message, whenever that is learnt. What waits in a conversation that is
  closed has ended unanswered.
- A bot's reply stops nothing. In a shop with `bot_first` a message asks for a human only if it is 转人工, or if no bot
  answers it within `bot_answer_s`.
- An acknowledgement 好的 waits too, for a last word is due; where anything else waits, the wait is that one's.
- Platforms reuse message ids: an intent is that of the message which has its id, its conversation and its time.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from schemas.chat import (
    ConversationClosed,
    IntentDetected,
    MessageReceived,
    MessageSent,
    ReplyOverdue,
    Transferred,
)
from schemas.envelope import Event
from services.kernel.policy import Policy

KEPT = 50
"""Unanswered messages that are remembered: of more, the first and the last, and rather those that no bot answered."""

Level = Literal["nudge", "warn", "breach"]
LEVELS: tuple[Level, ...] = ("nudge", "warn", "breach")
"""The rungs of the reply ladder."""


class Waiting(Struct, frozen=True):
    """An unanswered message. learnt: when the log took it. ack, human: its intent. bot: when a bot first replied.
    rungs: how many had been taken when one was last told for it.
    """

    message_id: str
    conversation_id: str
    time: datetime
    learnt: datetime
    ack: bool = False
    human: bool = False
    bot: datetime | None = None
    rungs: int = 0


class Cycle(Struct, frozen=True):
    """From the first unanswered message on, in order of time. transferred: the last transfer in it."""

    number: int = 0
    waiting: tuple[Waiting, ...] = ()
    transferred: datetime | None = None

    @property
    def rungs(self) -> int:
        """How many have been taken, for whichever message: each is told once a cycle."""
        return max((one.rungs for one in self.waiting), default=0)


class Waits(Struct, frozen=True):
    """answered: the part of a cycle that the last event, a reply, has answered. replied: the last human reply."""

    cycle: Cycle = Cycle()
    answered: Cycle = Cycle()
    replied: datetime | None = None


HEARD = (MessageReceived, MessageSent, Transferred, IntentDetected, ConversationClosed, ReplyOverdue)
"""What `heard` must be told of; of other events it takes no notice."""


def heard(waits: Waits, event: Event[Any]) -> Waits:
    time, waits = event.time, replace(waits, answered=Cycle())
    match event.data:
        case MessageReceived(message_id=message, conversation_id=conversation):
            if waits.replied is not None and time < waits.replied:
                return waits
            new = Waiting(message, conversation, time, event.recordedtime or time)
            return replace(waits, cycle=_joined(waits.cycle, new))
        case MessageSent(care_id=None, auto=True):
            asked = tuple(one for one in waits.cycle.waiting if one.time <= time and one.bot is None)
            marked = _marked(waits.cycle, asked, lambda one: replace(one, bot=time))
            return replace(waits, cycle=marked, answered=replace(waits.cycle, waiting=asked))
        case MessageSent(care_id=None):
            ended, left = _parted(waits.cycle, lambda one: one.time <= time)
            return Waits(left, ended, max(time, waits.replied or time))
        case Transferred():
            return replace(waits, cycle=_transferred(waits.cycle, time))
        case IntentDetected(intent="ack"):
            meant = _meant(waits.cycle, event.data, time)
            return replace(waits, cycle=_marked(waits.cycle, meant, lambda one: replace(one, ack=True)))
        case IntentDetected(intent="human"):
            meant = _meant(waits.cycle, event.data, time)
            return replace(waits, cycle=_marked(waits.cycle, meant, lambda one: replace(one, human=True)))
        case ConversationClosed(conversation_id=conversation):
            _, left = _parted(waits.cycle, lambda one: one.conversation_id == conversation and one.time <= time)
            return replace(waits, cycle=left)
        case ReplyOverdue(cycle=number) as told if number == waits.cycle.number:
            return replace(waits, cycle=_climbed(waits.cycle, told))
        case _:
            return waits


def for_a_human(waiting: Iterable[Waiting], policy: Policy) -> list[Waiting]:
    """Those of these messages that a human must answer."""
    reception = policy.reception
    in_time = timedelta(seconds=reception.bot_answer_s)
    return [
        one
        for one in waiting
        if not reception.bot_first or one.human or one.bot is None or one.bot - one.time > in_time
    ]


def foremost(waiting: list[Waiting]) -> Waiting | None:
    """The message whose wait it is: the first that asks for something, else the first acknowledgement."""
    return next((one for one in waiting if not one.ack), next(iter(waiting), None))


def _joined(cycle: Cycle, new: Waiting) -> Cycle:
    """One more unanswered message, in order of time; it may have been said before those that are known."""
    if not cycle.waiting:
        return Cycle(cycle.number + 1, (new,))
    place = bisect_right(cycle.waiting, new.time, key=lambda one: one.time)
    waiting = (*cycle.waiting[:place], new, *cycle.waiting[place:])
    if len(waiting) > KEPT:
        spare = _spare(waiting)
        waiting = (*waiting[:spare], *waiting[spare + 1 :])
    return replace(cycle, waiting=waiting)


def _spare(waiting: tuple[Waiting, ...]) -> int:
    """Which is forgotten of too many: neither the last nor the first of a conversation, nor one that a rung was told
    for; rather one that asks for nobody, else the newest but the last.
    """
    inner = range(1, len(waiting) - 1)
    beside = [n for n in inner if waiting[n - 1].conversation_id == waiting[n].conversation_id] or list(inner)
    untold = [n for n in beside if not waiting[n].rungs] or beside
    quiet = (n for n in untold if not waiting[n].human and (waiting[n].ack or waiting[n].bot))
    return next(quiet, untold[-1])


def _parted(cycle: Cycle, over: Callable[[Waiting], bool]) -> tuple[Cycle, Cycle]:
    """The cycle with what is over, and what goes on: the same cycle if nothing is over, else another, in which each
    message keeps the rungs that were told for it.
    """
    gone = tuple(one for one in cycle.waiting if over(one))
    left = tuple(one for one in cycle.waiting if not over(one))
    if not gone:
        return Cycle(), cycle
    ended = replace(cycle, waiting=gone)
    if not left:
        return ended, Cycle(cycle.number)
    kept = cycle.transferred if cycle.transferred and cycle.transferred >= left[0].time else None
    return ended, Cycle(cycle.number + 1, left, kept)


def _transferred(cycle: Cycle, time: datetime) -> Cycle:
    if not cycle.waiting or time < cycle.waiting[0].time:
        return cycle
    return replace(cycle, transferred=max(time, cycle.transferred or time))


def _meant(cycle: Cycle, intent: IntentDetected, time: datetime) -> tuple[Waiting, ...]:
    """An intent is detected at its message's time."""
    message = (intent.message_id, intent.conversation_id, time)
    return tuple(one for one in cycle.waiting if (one.message_id, one.conversation_id, one.time) == message)


def _climbed(cycle: Cycle, told: ReplyOverdue) -> Cycle:
    """The rung is that of the first message with its id that starts a ladder; it tells no time."""
    rungs = LEVELS.index(told.level) + 1
    named = sorted((one for one in cycle.waiting if one.message_id == told.message_id), key=lambda one: one.ack)
    return _marked(cycle, tuple(named[:1]), lambda one: replace(one, rungs=max(rungs, one.rungs)))


def _marked(cycle: Cycle, which: tuple[Waiting, ...], mark: Callable[[Waiting], Waiting]) -> Cycle:
    return replace(cycle, waiting=tuple(mark(one) if one in which else one for one in cycle.waiting))
