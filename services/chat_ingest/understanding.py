"""Understanding: what the messages of a chat say, as events, by the phrase files. Source: domain.md 3.

Only what was written is read: a picture, a file or a card has an address for a text.

| heard | told |
| --- | --- |
| a buyer's message | `chat.intent_detected`, each intent of the message once |
| its first bargaining message (议价) since the shop last wrote | `chat.bargained`, the conversation's next round |
| a human agent's message | `chat.stage_reached`, each stage when the conversation first reaches it |
| what is never said, by whomever | `chat.rule_broken`, each rule of the message once |
| a human claims a grant (已向主管申请) that this buyer's lane does not know | `chat.rule_broken` `grant_claimed` |

Each is told at its message's time. A care message is not read: its templates are checked when they are loaded. Promises
are recognised (`phrases`) but not recorded here yet.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from schemas.chat import Bargained, IntentDetected, MessageReceived, MessageSent, RuleBroken, Stage, StageReached
from schemas.envelope import Event
from schemas.grant import GrantGiven, GrantKind
from schemas.subjects import NO_BUYER
from services.chat_ingest.phrases import AgentText, phrasebook
from services.kernel.policy import Policy
from services.kernel.process import Cause, Emit

VERSION = 1

KEPT = 5
"""Conversations, and grants, of a buyer that are remembered: a late message may belong to one before the last."""


class Talk(Struct, frozen=True):
    """A conversation. bargaining: the buyer has bargained since the shop last wrote."""

    conversation_id: str
    stages: tuple[Stage, ...] = ()
    round: int = 0
    bargaining: bool = False


class Understanding(Struct, frozen=True):
    """talks: the last KEPT conversations, in the order in which they were last written in. grants: from when until when
    something holds that an agent may promise a buyer.
    """

    talks: tuple[Talk, ...] = ()
    grants: tuple[tuple[datetime, datetime], ...] = ()

    def talk(self, conversation_id: str) -> Talk:
        return next((t for t in self.talks if t.conversation_id == conversation_id), Talk(conversation_id))


State = Understanding

_PROMISED: frozenset[GrantKind] = frozenset({"discount", "gift", "compensation", "time", "price"})
"""Grants of what an agent says to a buyer; leave, a transfer or a hang-up are none of his business."""

_Heard = MessageReceived | MessageSent | StageReached | Bargained | GrantGiven


def key(event: Event[Any]) -> str | None:
    return event.buyer if isinstance(event.data, _Heard) and event.buyer != NO_BUYER else None


def evolve(known: Understanding, event: Event[Any]) -> Understanding:
    match event.data:
        case MessageSent(care_id=None, conversation_id=conversation):
            return _with(known, replace(known.talk(conversation), bargaining=False))
        case StageReached(conversation_id=conversation, stage=stage):
            talk = known.talk(conversation)
            return _with(known, replace(talk, stages=(*talk.stages, stage)))
        case Bargained(conversation_id=conversation, round=number):
            return _with(known, replace(known.talk(conversation), round=number, bargaining=True))
        case GrantGiven(kind=kind, expires_at=expires) if kind in _PROMISED:
            return replace(known, grants=(*known.grants, (event.time, expires))[-KEPT:])
        case _:
            return known


def decide(known: Understanding, cause: Cause, now: datetime, policy: Policy) -> Iterable[Emit]:
    match cause:
        case Event(data=MessageReceived(kind="text") as said, time=time):
            for data in _of_the_buyer(known.talk(said.conversation_id), said):
                yield Emit(data=data, time=time)
        case Event(data=MessageSent(kind="text", care_id=None) as said, time=time):
            read = phrasebook().read_agent(said.text, time.astimezone(ZoneInfo(policy.calendar.time_zone)))
            for data in _of_the_shop(known, said, read, time):
                yield Emit(data=data, time=time)
        case _:
            return


def due(known: Understanding, policy: Policy) -> datetime | None:
    return None


def _of_the_buyer(talk: Talk, said: MessageReceived) -> Iterable[IntentDetected | Bargained]:
    read = phrasebook().read_buyer(said.text)
    where = {"conversation_id": said.conversation_id, "message_id": said.message_id}
    for found in read.intents:
        yield IntentDetected(**where, intent=found.intent, phrase=found.phrase)
    if read.bargains and not talk.bargaining:
        yield Bargained(**where, round=talk.round + 1, agent_id=said.agent_id)


def _of_the_shop(
    known: Understanding, said: MessageSent, read: AgentText, time: datetime
) -> Iterable[StageReached | RuleBroken]:
    where = {"conversation_id": said.conversation_id, "message_id": said.message_id, "agent_id": said.agent_id}
    if not said.auto:
        reached = known.talk(said.conversation_id).stages
        for found in read.stages:
            if found.stage not in reached:
                yield StageReached(**where, stage=found.stage)
        if read.claims_grant is not None and not any(given <= time <= until for given, until in known.grants):
            yield RuleBroken(**where, rule="grant_claimed", phrase=read.claims_grant)
    for forbidden in read.forbidden:
        yield RuleBroken(**where, rule=forbidden.rule, phrase=forbidden.phrase)


def _with(known: Understanding, talk: Talk) -> Understanding:
    others = tuple(t for t in known.talks if t.conversation_id != talk.conversation_id)
    return replace(known, talks=(*others, talk)[-KEPT:])
