"""Reply clock: how long a buyer waited for a human answer, and who must hear of it. Source: domain.md 3, answer times.

Who waits, and since when, is `waiting`; here it is measured and told.

- **The wait** starts at the first unanswered buyer message and is stopped by any human reply of the shop. It goes on
  through a transfer and a pause; the reply is credited to who gives it. Only service time counts, so what is left
  off-hours 离线留言 is due from the next opening. A message that is learnt only after its answer begins no cycle.
- **Bots** are counted apart: each bot reply that finds a message no bot has answered is measured from it.
- **Acknowledgements** 好的 start no ladder: the wait is that of the first message that asks for something. Where
  there is none, it is the acknowledgement's, for a last word is due.
- **The ladder** nudge -> warn -> breach is climbed once a cycle, and once for a message: one that goes on waiting in
  the next cycle has only the rungs before it that were not told for it. The targets are those of the day on which the
  wait begins to count, promo or not. A message learnt later than `late_fact_hours` starts none; its answer is still
  measured.
- **Who should answer** is said by the newest event that names somebody in this conversation, not by the one that is
  learnt last.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from schemas.chat import MessageReceived, MessageSent, ReplyOverdue, ReplyRecorded, Transferred
from schemas.envelope import Event
from services.chat_ingest.facts import BOT
from services.chat_ingest.waiting import HEARD, LEVELS, Level, Waiting, Waits, for_a_human, foremost, heard
from services.kernel.calendar import calendar_of
from services.kernel.policy import Policy
from services.kernel.policy.trade import ReplyTargets
from services.kernel.process import Cause, Emit, Tick

VERSION = 3


class ReplyClock(Struct, frozen=True):
    """responded: the conversation whose first human answer is known. agent: who should answer in the conversation
    agent_in; agent_at: the time of the event that said so.
    """

    waits: Waits = Waits()
    responded: str = ""
    agent: str | None = None
    agent_in: str = ""
    agent_at: datetime | None = None


State = ReplyClock


def key(event: Event[Any]) -> str | None:
    return event.buyer if isinstance(event.data, (*HEARD, ReplyRecorded)) else None


def evolve(clock: ReplyClock, event: Event[Any]) -> ReplyClock:
    clock = replace(clock, waits=heard(clock.waits, event))
    match event.data:
        case MessageReceived(conversation_id=conversation, agent_id=agent):
            return _served(clock, conversation, agent, event.time)
        case MessageSent(auto=False, care_id=None, conversation_id=conversation, agent_id=agent):
            return _served(clock, conversation, agent, event.time)
        case Transferred(conversation_id=conversation, to_agent=agent):
            return _served(clock, conversation, agent, event.time)
        case ReplyRecorded(by_bot=False, conversation_id=conversation):
            return replace(clock, responded=conversation)
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
                    cycle=clock.waits.cycle.number,
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
    cycle = clock.waits.answered
    first = foremost(list(cycle.waiting) if reply.auto else for_a_human(cycle.waiting, policy))
    if first is None:
        return
    calendar, transferred = calendar_of(policy), None if reply.auto else cycle.transferred
    counts = transferred is not None and first.time <= transferred <= time
    recorded = ReplyRecorded(
        conversation_id=first.conversation_id,
        cycle=cycle.number,
        agent_id=reply.agent_id,
        by_bot=reply.auto,
        latency_ms=calendar.working_ms(first.time, time),
        first=not reply.auto and first.conversation_id != clock.responded,
        since_transfer_ms=calendar.working_ms(transferred, time) if transferred and counts else None,
    )
    yield Emit(data=recorded, time=time)


def _rungs(clock: ReplyClock, policy: Policy) -> Iterator[tuple[Waiting, Level, datetime]]:
    """The rungs not yet taken, of the first message that starts a ladder, and when each is reached."""
    late = timedelta(hours=policy.escalations.late_fact_hours)
    asking = (one for one in for_a_human(clock.waits.cycle.waiting, policy) if not one.ack)
    waiting = next((one for one in asking if one.learnt - one.time <= late), None)
    if waiting is None:
        return
    calendar = calendar_of(policy)
    opens = calendar.next_open(waiting.time)
    if opens is None:
        return
    targets = calendar.reply_targets(opens)
    for level in LEVELS[clock.waits.cycle.rungs :]:
        instant = calendar.plus_working(waiting.time, _after(targets, level))
        if instant is not None:
            yield waiting, level, instant


def _after(targets: ReplyTargets, level: Level) -> timedelta:
    seconds = {"nudge": targets.nudge_s, "warn": targets.warn_s, "breach": targets.breach_s}
    return timedelta(seconds=seconds[level])


def _served(clock: ReplyClock, conversation: str, agent: str | None, time: datetime) -> ReplyClock:
    """Who should answer in this conversation: whom it was addressed or transferred to, or who replied last. Another
    conversation begins with nobody; an event older than the one that set this changes nothing.
    """
    named = agent is not None and agent != BOT
    if not named and conversation == clock.agent_in:
        return clock
    if clock.agent_at is not None and time < clock.agent_at:
        return clock
    return replace(clock, agent=agent if named else None, agent_in=conversation, agent_at=time)
