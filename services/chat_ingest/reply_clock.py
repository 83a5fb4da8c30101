"""Reply clock: how long a buyer waited for a human answer, and who must hear of it. Source: domain.md 3, answer times.

- **The wait** starts at the first unanswered buyer message and is stopped by any human reply of the shop. It goes on
  through a transfer and a pause; the reply is credited to who gives it. Only service time counts, so what is left
  off-hours 离线留言 is due from the next opening.
- **No answer** is a care message, nor what the shop wrote before the message, whenever that is learnt. A message that
  is learnt only after its answer begins no cycle. When a conversation is closed, what waited in it has ended
  unanswered: the next message starts anew.
- **Bots** are counted apart and stop nothing: each bot reply that finds a message no bot has answered is measured from
  it. In a shop with `bot_first` a message asks for a human only if it is 转人工, or if no bot answers it within
  `bot_answer_s`; then its clock starts at its own time.
- **Acknowledgements** 好的 start no ladder: the wait is that of the first message that asks for something. Where
  there is none, it is the acknowledgement's, for a last word is due.
- **The ladder** nudge -> warn -> breach is climbed once a cycle, with the targets of the day on which the wait begins
  to count, promo or not. A message learnt later than `late_fact_hours` starts none; its answer is still measured.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
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
    ReplyRecorded,
    Transferred,
)
from schemas.envelope import Event
from services.chat_ingest.facts import BOT
from services.kernel.calendar import calendar_of
from services.kernel.policy import Policy
from services.kernel.policy.trade import ReplyTargets
from services.kernel.process import Cause, Emit, Tick

VERSION = 2

KEPT = 50
"""Unanswered messages that are remembered: of more, the first and the last, and rather those that no bot answered."""

Level = Literal["nudge", "warn", "breach"]
LEVELS: tuple[Level, ...] = ("nudge", "warn", "breach")


class Waiting(Struct, frozen=True):
    """An unanswered message. learnt: when the log took it. ack, human: its intent. bot: when a bot first replied."""

    message_id: str
    conversation_id: str
    time: datetime
    learnt: datetime
    ack: bool = False
    human: bool = False
    bot: datetime | None = None


class Cycle(Struct, frozen=True):
    """From the first unanswered message on. transferred: the last transfer in it. rungs: how many have been taken."""

    number: int = 0
    waiting: tuple[Waiting, ...] = ()
    transferred: datetime | None = None
    rungs: int = 0


class ReplyClock(Struct, frozen=True):
    """ended: the cycle that the last event, a human reply, has ended. replied: the last human reply. answered: the
    conversation whose first human answer is known. agent: who should answer, in the conversation agent_in.
    """

    cycle: Cycle = Cycle()
    ended: Cycle = Cycle()
    replied: datetime | None = None
    answered: str = ""
    agent: str | None = None
    agent_in: str = ""


State = ReplyClock

_MINE = (
    MessageReceived,
    MessageSent,
    Transferred,
    IntentDetected,
    ConversationClosed,
    ReplyRecorded,
    ReplyOverdue,
)


def key(event: Event[Any]) -> str | None:
    return event.buyer if isinstance(event.data, _MINE) else None


def evolve(clock: ReplyClock, event: Event[Any]) -> ReplyClock:
    time, clock = event.time, replace(clock, ended=Cycle())
    match event.data:
        case MessageReceived(conversation_id=conversation, agent_id=agent) as message:
            served = _served(clock, conversation, agent)
            if clock.replied is not None and time < clock.replied:
                return served
            waiting = Waiting(message.message_id, conversation, time, event.recordedtime or time)
            return replace(served, cycle=_joined(clock.cycle, waiting))
        case MessageSent(auto=False, care_id=None, conversation_id=conversation, agent_id=agent):
            ended, left = _parted(clock.cycle, lambda one: one.time <= time)
            replied = max(time, clock.replied or time)
            return replace(_served(clock, conversation, agent), cycle=left, ended=ended, replied=replied)
        case Transferred(conversation_id=conversation, to_agent=agent):
            return replace(_served(clock, conversation, agent), cycle=_transferred(clock.cycle, time))
        case IntentDetected(intent="ack", message_id=message):
            return _marked(clock, lambda one: replace(one, ack=True) if one.message_id == message else one)
        case IntentDetected(intent="human", message_id=message):
            return _marked(clock, lambda one: replace(one, human=True) if one.message_id == message else one)
        case ConversationClosed(conversation_id=conversation):
            _, left = _parted(clock.cycle, lambda one: one.conversation_id == conversation and one.time <= time)
            return replace(clock, cycle=left)
        case ReplyRecorded(by_bot=True):
            return _marked(clock, lambda one: replace(one, bot=time) if one.time <= time and one.bot is None else one)
        case ReplyRecorded(conversation_id=conversation):
            return replace(clock, answered=conversation)
        case ReplyOverdue(level=level, cycle=number) if number == clock.cycle.number:
            rungs = max(clock.cycle.rungs, LEVELS.index(level) + 1)
            return replace(clock, cycle=replace(clock.cycle, rungs=rungs))
        case _:
            return clock


def decide(clock: ReplyClock, cause: Cause, now: datetime, policy: Policy) -> Iterable[Emit | ReplyOverdue]:
    match cause:
        case Event(data=MessageSent(care_id=None) as reply, time=time):
            yield from _recorded(clock, reply, time, policy)
        case Tick():
            calendar = calendar_of(policy)
            for waiting, level, instant in _rungs(clock, policy):
                if instant > now:
                    return
                yield ReplyOverdue(
                    conversation_id=waiting.conversation_id,
                    cycle=clock.cycle.number,
                    level=level,
                    waited_ms=calendar.working_ms(waiting.time, now),
                    message_id=waiting.message_id,
                    agent_id=clock.agent,
                )
        case _:
            return


def due(clock: ReplyClock, policy: Policy) -> datetime | None:
    return next((instant for _, _, instant in _rungs(clock, policy)), None)


def _recorded(clock: ReplyClock, reply: MessageSent, time: datetime, policy: Policy) -> Iterator[Emit]:
    """What this reply answered, if anything waited for it."""
    if reply.auto:
        cycle, asked = clock.cycle, [one for one in clock.cycle.waiting if one.time <= time and one.bot is None]
    else:
        cycle, asked = clock.ended, [one for one in clock.ended.waiting if _for_a_human(one, policy)]
    if not asked:
        return
    first = next((one for one in asked if not one.ack), asked[0])
    calendar, transferred = calendar_of(policy), None if reply.auto else cycle.transferred
    counts = transferred is not None and first.time <= transferred <= time
    recorded = ReplyRecorded(
        conversation_id=first.conversation_id,
        cycle=cycle.number,
        agent_id=reply.agent_id,
        by_bot=reply.auto,
        latency_ms=calendar.working_ms(first.time, time),
        first=not reply.auto and first.conversation_id != clock.answered,
        since_transfer_ms=calendar.working_ms(transferred, time) if transferred and counts else None,
    )
    yield Emit(data=recorded, time=time)


def _rungs(clock: ReplyClock, policy: Policy) -> Iterator[tuple[Waiting, Level, datetime]]:
    """The rungs not yet taken, of the first message that starts a ladder, and when each is reached."""
    late = timedelta(hours=policy.escalations.late_fact_hours)
    loud = (one for one in clock.cycle.waiting if not one.ack and one.learnt - one.time <= late)
    waiting = next((one for one in loud if _for_a_human(one, policy)), None)
    if waiting is None:
        return
    calendar = calendar_of(policy)
    opens = calendar.next_open(waiting.time)
    if opens is None:
        return
    targets = calendar.reply_targets(opens)
    for level in LEVELS[clock.cycle.rungs :]:
        instant = calendar.plus_working(waiting.time, _after(targets, level))
        if instant is not None:
            yield waiting, level, instant


def _after(targets: ReplyTargets, level: Level) -> timedelta:
    seconds = {"nudge": targets.nudge_s, "warn": targets.warn_s, "breach": targets.breach_s}
    return timedelta(seconds=seconds[level])


def _for_a_human(waiting: Waiting, policy: Policy) -> bool:
    if not policy.reception.bot_first or waiting.human or waiting.bot is None:
        return True
    return waiting.bot - waiting.time > timedelta(seconds=policy.reception.bot_answer_s)


def _served(clock: ReplyClock, conversation: str, agent: str | None) -> ReplyClock:
    """Who should answer in this conversation: whom it was addressed or transferred to, or who replied last."""
    if agent is None or agent == BOT:
        agent = clock.agent if conversation == clock.agent_in else None
    return replace(clock, agent=agent, agent_in=conversation)


def _joined(cycle: Cycle, new: Waiting) -> Cycle:
    """One more unanswered message, in order of time; it may have been said before those that are known."""
    if not cycle.waiting:
        return Cycle(cycle.number + 1, (new,))
    place = bisect_right(cycle.waiting, new.time, key=lambda one: one.time)
    waiting = (*cycle.waiting[:place], new, *cycle.waiting[place:])
    if len(waiting) > KEPT:
        spare = next((n for n in range(1, KEPT) if waiting[n].ack or waiting[n].bot), KEPT - 1)
        waiting = (*waiting[:spare], *waiting[spare + 1 :])
    return replace(cycle, waiting=waiting)


def _parted(cycle: Cycle, over: Callable[[Waiting], bool]) -> tuple[Cycle, Cycle]:
    """The cycle with what is over, and what goes on: the same cycle if nothing is over, else another."""
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


def _marked(clock: ReplyClock, mark: Callable[[Waiting], Waiting]) -> ReplyClock:
    return replace(clock, cycle=replace(clock.cycle, waiting=tuple(mark(one) for one in clock.cycle.waiting)))
