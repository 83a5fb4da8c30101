"""Closing: when a conversation is over, and what is then told of it. Source: domain.md 3, "A conversation closes".

- **Answered**, or never asked anything: it closes `conversation_idle_minutes` after its last message.
- **Left hanging** 做最后说话的人: otherwise it goes on until the service interval ends that is open after that pause,
  or opens next. Where service never ends, or never begins, the local day's end takes its place.
- Who waits, and since when, is what `waiting` says, as for the reply clock: a human reply answers whatever the buyer
  wrote before it, in any of his conversations. A care message is no part of a conversation, even of one that it opens.
- A closing is told at its own time, however late it is learnt, so that an import of history makes no noise.
- What is learnt of a conversation after its closing opens it again, and the next closing tells the whole of it; once
  another conversation has begun, the closed ones are forgotten.

A round is what the buyer writes until the shop, bot or not, says something. Response times are those of the reply
clock; the longest wait is also the one that nobody ended. `questions_asked` are the need questions 提问 that humans
ask, by the phrase files; `order_ids` stays empty: no orders are known here.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from schemas.chat import (
    ConversationClosed,
    ConversationOpened,
    MessageReceived,
    MessageSent,
    ReplyRecorded,
    Stage,
    StageReached,
)
from schemas.envelope import Event
from services.chat_ingest.facts import ChatChannel
from services.chat_ingest.phrases import phrasebook
from services.chat_ingest.waiting import HEARD, Waiting, Waits, for_a_human, foremost, heard
from services.kernel.calendar import calendar_of
from services.kernel.policy import Policy
from services.kernel.process import Cause, Emit, Tick

VERSION = 2

Speaker = Literal["buyer", "agent", "bot"]


class Talk(Struct, frozen=True):
    """A conversation. last, speaker: its last message. questions: of need, asked by humans. first_ms, sum_ms,
    longest_ms: of its `replies`.
    """

    channel: ChatChannel
    last: datetime
    speaker: Speaker = "bot"
    rounds: int = 0
    questions: int = 0
    replies: int = 0
    first_ms: int | None = None
    sum_ms: int = 0
    longest_ms: int = 0
    agents: tuple[str, ...] = ()
    stages: frozenset[Stage] = frozenset()
    closed: bool = False


class Closing(Struct, frozen=True):
    """talks: by conversation, those that are open or were closed last. waits: of all of them."""

    talks: dict[str, Talk] = {}
    waits: Waits = Waits()


State = Closing

_MINE = (*HEARD, ConversationOpened, StageReached, ReplyRecorded)


def key(event: Event[Any]) -> str | None:
    return event.buyer if isinstance(event.data, _MINE) else None


def evolve(closing: Closing, event: Event[Any]) -> Closing:
    time, closing = event.time, replace(closing, waits=heard(closing.waits, event))
    match event.data:
        case ConversationOpened(conversation_id=name, channel=channel):
            still = {other: talk for other, talk in closing.talks.items() if not talk.closed}
            return replace(closing, talks={**still, name: Talk(channel, time)})
        case MessageReceived(conversation_id=name):
            return _changed(closing, name, lambda talk: _said(talk, time, "buyer"))
        case MessageSent(conversation_id=name, care_id=None, auto=True):
            return _changed(closing, name, lambda talk: _said(talk, time, "bot"))
        case MessageSent(conversation_id=name, care_id=None) as reply:
            return _answered(_changed(closing, name, lambda talk: _said_by_agent(talk, time, reply)), time)
        case StageReached(conversation_id=name, stage=stage):
            return _changed(closing, name, lambda talk: replace(talk, stages=talk.stages | {stage}))
        case ReplyRecorded(conversation_id=name, by_bot=False) as reply:
            return _changed(closing, name, lambda talk: _measured(talk, reply))
        case ConversationClosed(conversation_id=name):
            return _changed(closing, name, lambda talk: replace(talk, closed=True))
        case _:
            return closing


def decide(closing: Closing, cause: Cause, now: datetime, policy: Policy) -> Iterable[Emit]:
    match cause:
        case Tick():
            over = [(closes, name) for name, closes in _closings(closing, policy) if closes <= now]
            for closes, name in sorted(over):
                yield Emit(data=_told(closing, name, closes, policy), time=closes)
        case _:
            return


def due(closing: Closing, policy: Policy) -> datetime | None:
    return min((closes for _, closes in _closings(closing, policy)), default=None)


def _closings(closing: Closing, policy: Policy) -> Iterable[tuple[str, datetime]]:
    """Each open conversation, and when it closes as things are."""
    idle, calendar = timedelta(minutes=policy.reception.conversation_idle_minutes), calendar_of(policy)
    for name, talk in closing.talks.items():
        if talk.closed:
            continue
        silent = talk.last + idle
        if _unanswered(closing, name, policy):
            yield name, calendar.next_interval_end(silent) or calendar.end_of_day(silent)
        else:
            yield name, silent


def _unanswered(closing: Closing, name: str, policy: Policy) -> Waiting | None:
    """The message of this conversation whose wait nobody has ended; None: the shop has had the last word."""
    asked = (one for one in closing.waits.cycle.waiting if one.conversation_id == name)
    return foremost(for_a_human(asked, policy))


def _told(closing: Closing, name: str, closes: datetime, policy: Policy) -> ConversationClosed:
    talk, asked = closing.talks[name], _unanswered(closing, name, policy)
    unended = calendar_of(policy).working_ms(asked.time, closes) if asked else 0
    return ConversationClosed(
        conversation_id=name,
        channel=talk.channel,
        last_speaker=talk.speaker,
        left_hanging=asked is not None,
        rounds=talk.rounds,
        first_response_ms=talk.first_ms,
        average_response_ms=talk.sum_ms // talk.replies if talk.replies else None,
        longest_wait_ms=max(talk.longest_ms, unended),
        questions_asked=max(talk.questions, int("ask" in talk.stages)),
        greeted="greet" in talk.stages,
        recommended="recommend" in talk.stages,
        farewelled="farewell" in talk.stages,
        agents=talk.agents,
    )


def _changed(closing: Closing, name: str, change: Callable[[Talk], Talk]) -> Closing:
    """Of a conversation that is forgotten nothing more is told."""
    talk = closing.talks.get(name)
    return closing if talk is None else replace(closing, talks={**closing.talks, name: change(talk)})


def _said_by_agent(talk: Talk, time: datetime, reply: MessageSent) -> Talk:
    questions = talk.questions + phrasebook().read_agent(reply.text, time).questions
    return replace(_said(talk, time, "agent"), agents=_with(talk.agents, reply.agent_id), questions=questions)


def _said(talk: Talk, time: datetime, speaker: Speaker) -> Talk:
    """One more message; it may have been said before the last one."""
    talk = replace(talk, closed=False)
    if time < talk.last:
        return talk
    round_ends = talk.speaker == "buyer" and speaker != "buyer"
    return replace(talk, last=time, speaker=speaker, rounds=talk.rounds + round_ends)


def _answered(closing: Closing, time: datetime) -> Closing:
    """A human reply is the last word in every conversation in which it answered what was said last."""
    for name in {one.conversation_id for one in closing.waits.answered.waiting}:
        closing = _changed(
            closing, name, lambda talk: replace(talk, last=time, speaker="agent") if time >= talk.last else talk
        )
    return closing


def _measured(talk: Talk, reply: ReplyRecorded) -> Talk:
    return replace(
        talk,
        agents=_with(talk.agents, reply.agent_id),
        replies=talk.replies + 1,
        first_ms=reply.latency_ms if talk.first_ms is None else talk.first_ms,
        sum_ms=talk.sum_ms + reply.latency_ms,
        longest_ms=max(talk.longest_ms, reply.latency_ms),
    )


def _with(agents: tuple[str, ...], agent: str) -> tuple[str, ...]:
    return agents if agent in agents else (*agents, agent)
