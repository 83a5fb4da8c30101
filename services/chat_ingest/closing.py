"""Closing: when a conversation is over, and what is then told of it. Source: domain.md 3, "A conversation closes".

- **Answered**, or never asked anything: it closes `conversation_idle_minutes` after its last message.
- **Left hanging** 做最后说话的人: otherwise it goes on until the service interval ends that is open after that pause,
  or opens next. Where service never ends, or never begins, the local day's end takes its place.
- A human reply answers whatever the buyer wrote before it, in any of his conversations. A bot's does so only in a shop
  with `bot_first`, within `bot_answer_s`, and not after 转人工. A care message is no part of a conversation, even of
  one that it opens.
- A closing is told at its own time, however late it is learnt, so that an import of history makes no noise.
- What is learnt of a conversation after its closing opens it again, and the next closing tells the whole of it; once
  another conversation has begun, the closed ones are forgotten.

A round is what the buyer writes until the shop, bot or not, says something. Response times are those of the reply
clock; the longest wait is also the one that nobody ended. `questions_asked` and `order_ids` are not told apart here:
the stage `ask` counts once, and no orders are known.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from schemas.chat import (
    ConversationClosed,
    ConversationOpened,
    IntentDetected,
    MessageReceived,
    MessageSent,
    ReplyRecorded,
    Stage,
    StageReached,
)
from schemas.envelope import Event
from services.chat_ingest.facts import ChatChannel
from services.kernel.calendar import calendar_of
from services.kernel.policy import Policy
from services.kernel.process import Cause, Emit, Tick

VERSION = 1

Speaker = Literal["buyer", "agent", "bot"]


class Talk(Struct, frozen=True):
    """A conversation. last, speaker: its last message. asked: the first message that no human has answered; unserved:
    the first that no bot has. wrote: the buyer's last; bot: the first bot reply to it. human: 转人工 without an answer.
    first_ms, sum_ms, longest_ms: of its `replies`.
    """

    channel: ChatChannel
    last: datetime
    speaker: Speaker = "bot"
    asked: datetime | None = None
    unserved: datetime | None = None
    wrote: datetime | None = None
    bot: datetime | None = None
    human: datetime | None = None
    rounds: int = 0
    replies: int = 0
    first_ms: int | None = None
    sum_ms: int = 0
    longest_ms: int = 0
    agents: tuple[str, ...] = ()
    stages: frozenset[Stage] = frozenset()
    closed: bool = False


class Closing(Struct, frozen=True):
    """talks: by conversation, those that are open or were closed last. replied: the last human reply of the shop."""

    talks: dict[str, Talk] = {}
    replied: datetime | None = None


State = Closing

_MINE = (
    ConversationOpened,
    MessageReceived,
    MessageSent,
    IntentDetected,
    StageReached,
    ReplyRecorded,
    ConversationClosed,
)


def key(event: Event[Any]) -> str | None:
    return event.buyer if isinstance(event.data, _MINE) else None


def evolve(closing: Closing, event: Event[Any]) -> Closing:
    time = event.time
    match event.data:
        case ConversationOpened(conversation_id=name, channel=channel):
            still = {other: talk for other, talk in closing.talks.items() if not talk.closed}
            return replace(closing, talks={**still, name: Talk(channel, time)})
        case MessageReceived(conversation_id=name):
            return _changed(closing, name, lambda talk: _asked(talk, time, closing.replied))
        case MessageSent(conversation_id=name, care_id=None, auto=True):
            return _changed(closing, name, lambda talk: _said_by_bot(talk, time))
        case MessageSent(conversation_id=name, care_id=None, agent_id=agent):
            said = _changed(closing, name, lambda talk: _said_by_agent(talk, time, agent))
            talks = {other: _answered(talk, time) for other, talk in said.talks.items()}
            return Closing(talks, max(time, closing.replied or time))
        case IntentDetected(conversation_id=name, intent="human"):
            return _changed(closing, name, lambda talk: replace(talk, human=talk.asked and talk.wrote))
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
                yield Emit(data=_told(name, closing.talks[name], closes, policy), time=closes)
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
        if _waits_since(talk, policy):
            yield name, calendar.next_interval_end(silent) or calendar.end_of_day(silent)
        else:
            yield name, silent


def _waits_since(talk: Talk, policy: Policy) -> datetime | None:
    """The first message that was never answered; None: the shop has had the last word."""
    if talk.asked is None or talk.wrote is None or not policy.reception.bot_first:
        return talk.asked
    if talk.human or talk.unserved:
        return min(time for time in (talk.human, talk.unserved) if time)
    too_late = talk.bot is not None and talk.bot - talk.wrote > timedelta(seconds=policy.reception.bot_answer_s)
    return talk.wrote if too_late else None


def _told(name: str, talk: Talk, closes: datetime, policy: Policy) -> ConversationClosed:
    since = _waits_since(talk, policy)
    unended = calendar_of(policy).working_ms(since, closes) if since else 0
    return ConversationClosed(
        conversation_id=name,
        channel=talk.channel,
        last_speaker=talk.speaker,
        left_hanging=since is not None,
        rounds=talk.rounds,
        first_response_ms=talk.first_ms,
        average_response_ms=talk.sum_ms // talk.replies if talk.replies else None,
        longest_wait_ms=max(talk.longest_ms, unended),
        questions_asked=int("ask" in talk.stages),
        greeted="greet" in talk.stages,
        recommended="recommend" in talk.stages,
        farewelled="farewell" in talk.stages,
        agents=talk.agents,
    )


def _changed(closing: Closing, name: str, change: Callable[[Talk], Talk]) -> Closing:
    """Of a conversation that is forgotten nothing more is told."""
    talk = closing.talks.get(name)
    return closing if talk is None else replace(closing, talks={**closing.talks, name: change(talk)})


def _asked(talk: Talk, time: datetime, replied: datetime | None) -> Talk:
    said = _said(talk, time, "buyer")
    if replied is not None and time < replied:
        return said
    if said.wrote is None or time >= said.wrote:
        said = replace(said, wrote=time, bot=None)
    return replace(said, asked=min(time, said.asked or time), unserved=min(time, said.unserved or time))


def _said_by_bot(talk: Talk, time: datetime) -> Talk:
    said = _said(talk, time, "bot")
    first = talk.bot is None and talk.wrote is not None and time >= talk.wrote
    return replace(said, bot=time, unserved=None) if first else said


def _said_by_agent(talk: Talk, time: datetime, agent: str) -> Talk:
    agents = talk.agents if agent in talk.agents else (*talk.agents, agent)
    return replace(_said(talk, time, "agent"), agents=agents)


def _said(talk: Talk, time: datetime, speaker: Speaker) -> Talk:
    """One more message; it may have been said before the last one."""
    talk = replace(talk, closed=False)
    if time < talk.last:
        return talk
    round_ends = talk.speaker == "buyer" and speaker != "buyer"
    return replace(talk, last=time, speaker=speaker, rounds=talk.rounds + round_ends)


def _answered(talk: Talk, time: datetime) -> Talk:
    """A human reply, here or in another conversation: where it comes late, the buyer's last message may be newer."""
    if talk.asked is None or talk.wrote is None or time < talk.asked:
        return talk
    if time < talk.wrote:
        return replace(talk, asked=talk.wrote, unserved=talk.unserved and talk.wrote)
    answered = replace(talk, asked=None, unserved=None, human=None)
    return answered if talk.closed or time < talk.last else replace(answered, last=time, speaker="agent")


def _measured(talk: Talk, reply: ReplyRecorded) -> Talk:
    agents = talk.agents if reply.agent_id in talk.agents else (*talk.agents, reply.agent_id)
    return replace(
        talk,
        agents=agents,
        replies=talk.replies + 1,
        first_ms=reply.latency_ms if talk.first_ms is None else talk.first_ms,
        sum_ms=talk.sum_ms + reply.latency_ms,
        longest_ms=max(talk.longest_ms, reply.latency_ms),
    )
