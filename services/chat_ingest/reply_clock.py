"""Reply clock: how long a buyer waited for a human answer. Source: domain.md 3, answer times.

The clock starts at the first unanswered buyer message and is stopped by any human reply of the shop; it goes on through
a transfer and through a pause of the conversation. Bot replies are counted apart, once a cycle, and do not stop it. A
care message is no reply to anything. What the shop wrote before a message does not answer it, whenever it is learnt.
A message that is learnt only after its answer begins no cycle, and its answer is not measured.

All time counts here: service hours, the ladder of warnings and `bot_first` need the calendar and the intents.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from schemas.chat import MessageReceived, MessageSent, ReplyRecorded, Transferred
from schemas.envelope import Event
from services.kernel.policy import Policy
from services.kernel.process import Cause, Emit

VERSION = 1

_MILLISECOND = timedelta(milliseconds=1)


class ReplyClock(Struct, frozen=True):
    """since, until: the first and the last unanswered message. waiting_in: the conversation of the first.
    bot: a bot has replied in this cycle. transferred: the last transfer of this cycle. replied: the last human
    reply. answered: the conversation whose first human answer is known.
    """

    since: datetime | None = None
    until: datetime | None = None
    waiting_in: str = ""
    cycle: int = 0
    bot: bool = False
    transferred: datetime | None = None
    replied: datetime | None = None
    answered: str = ""


State = ReplyClock


def key(event: Event) -> str | None:
    return event.buyer if isinstance(event.data, MessageReceived | MessageSent | Transferred | ReplyRecorded) else None


def evolve(clock: ReplyClock, event: Event) -> ReplyClock:
    time = event.time
    match event.data:
        case MessageReceived(conversation_id=conversation) if clock.replied is None or time >= clock.replied:
            return _waiting(clock, conversation, time)
        case MessageSent(auto=False, care_id=None):
            return replace(clock, replied=max(time, clock.replied or time))
        case Transferred() if clock.since is not None and time >= clock.since:
            return replace(clock, transferred=time)
        case ReplyRecorded(by_bot=True):
            return replace(clock, bot=True)
        case ReplyRecorded(conversation_id=conversation):
            return _answered(clock, conversation, time)
        case _:
            return clock


def decide(clock: ReplyClock, cause: Cause, now: datetime, policy: Policy) -> Iterable[Emit]:
    match cause:
        case Event(data=MessageSent(care_id=None) as reply, time=time) if clock.since is not None:
            if time < clock.since or (reply.auto and clock.bot):
                return
            transferred = None if reply.auto else clock.transferred
            recorded = ReplyRecorded(
                conversation_id=clock.waiting_in,
                cycle=clock.cycle,
                agent_id=reply.agent_id,
                by_bot=reply.auto,
                latency_ms=(time - clock.since) // _MILLISECOND,
                first=not reply.auto and clock.waiting_in != clock.answered,
                since_transfer_ms=max(0, (time - transferred) // _MILLISECOND) if transferred else None,
            )
            yield Emit(data=recorded, time=time)
        case _:
            return


def due(clock: ReplyClock, policy: Policy) -> datetime | None:
    return None


def _waiting(clock: ReplyClock, conversation: str, time: datetime) -> ReplyClock:
    """One more unanswered message; it may have been said before those that are known."""
    if clock.since is None or clock.until is None:
        return _new_cycle(clock, conversation, time)
    if time < clock.since:
        return replace(clock, since=time, waiting_in=conversation)
    return replace(clock, until=max(time, clock.until))


def _answered(clock: ReplyClock, conversation: str, time: datetime) -> ReplyClock:
    """Where a reply is learnt late, what the buyer wrote after it is still unanswered: the last of it is known."""
    stopped = replace(clock, since=None, until=None, answered=conversation)
    return _new_cycle(stopped, conversation, clock.until) if clock.until and clock.until > time else stopped


def _new_cycle(clock: ReplyClock, conversation: str, time: datetime) -> ReplyClock:
    return replace(
        clock, since=time, until=time, waiting_in=conversation, cycle=clock.cycle + 1, bot=False, transferred=None
    )
