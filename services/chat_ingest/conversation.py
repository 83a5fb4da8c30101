"""Conversation: each chat message once, in the conversation to which its time belongs. Source: domain.md 1, 3.

- **Once.** A message is known by who said what under which message id at which time: platforms reuse message ids, and
  pages and files repeat each other. (The same line of two feeds, one of which gives it an id of the platform and one
  does not, counts twice.) Each is remembered for REMEMBERED from the day on which it was learnt, however long
  ago it was said: an import of last year's chats can be repeated too.
- **Where.** A conversation goes on until a pause of `conversation_idle_minutes`. A message belongs to the one whose
  span, with that pause on either side, covers its own time; the earlier one where two do. So one that comes late goes
  where it was said, not where the talk is now; one said where nothing is known opens a conversation of its own there.
  What has been decided is not decided again: two conversations that a late message would join stay two.
- A recall (撤回) is placed like a message.

Closing, service time, stages and intents are not looked at here.
"""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from schemas.chat import ConversationOpened, MessageRecalled, MessageReceived, MessageSent
from schemas.envelope import Event
from services.chat_ingest.facts import BuyerWrote, ShopWrote, TakenBack
from services.kernel.policy import Policy
from services.kernel.process import Cause, Emit, Fact

VERSION = 1
INBOX = True

REMEMBERED = timedelta(days=90)
"""How long after a message was learnt a repetition is known as one: by then INBOX (14 days) has long lost it, and
exports are taken every day (policy `archive_every_days`).
"""


class Span(Struct, frozen=True):
    """A conversation, from its first to its last known message. touched: the day on which one was last learnt."""

    conversation_id: str
    first: datetime
    last: datetime
    touched: date


class Conversation(Struct, frozen=True):
    """spans: touched within REMEMBERED, in order of time. learnt: day -> digests of the messages learnt on it.
    today: the newest day on which anything was learnt.
    """

    spans: tuple[Span, ...] = ()
    learnt: dict[date, tuple[str, ...]] = {}
    today: date = date.min


State = Conversation

_Said = MessageReceived | MessageSent | MessageRecalled
_Stated = BuyerWrote | ShopWrote | TakenBack


def key(item: Event | Fact) -> str | None:
    return item.buyer if isinstance(item.data, _Stated | _Said | ConversationOpened) else None


def evolve(conversation: Conversation, item: Event | Fact) -> Conversation:
    match item:
        case Fact():
            return _on_day(conversation, (item.recordedtime or item.time).date())
        case Event(data=ConversationOpened(conversation_id=name), time=time):
            return _placed(conversation, Span(name, time, time, conversation.today))
        case Event(data=MessageReceived() | MessageSent() | MessageRecalled() as said, time=time):
            return _learnt(_extended(conversation, said.conversation_id, time), _digest(said, time))
        case _:
            return conversation


def decide(conversation: Conversation, cause: Cause, now: datetime, policy: Policy) -> Iterable[Emit]:
    match cause:
        case Fact(data=BuyerWrote() | ShopWrote() | TakenBack() as stated, time=time, shop=shop, buyer=buyer):
            digest = _digest(stated.event(""), time)
            if any(digest in digests for digests in conversation.learnt.values()):
                return
            idle = timedelta(minutes=policy.reception.conversation_idle_minutes)
            name = _covering(conversation, time, idle)
            if name is None:
                name = _name(shop, buyer, digest)
                yield Emit(
                    data=ConversationOpened(conversation_id=name, channel=stated.channel), buyer=buyer, time=time
                )
            yield Emit(data=stated.event(name), buyer=buyer, time=time)
        case _:
            return


def due(conversation: Conversation, policy: Policy) -> datetime | None:
    return None


def _covering(conversation: Conversation, time: datetime, idle: timedelta) -> str | None:
    """A pause as long as `idle` ends a conversation."""
    for span in conversation.spans:
        if time - span.last < idle and span.first - time < idle:
            return span.conversation_id
    return None


def _name(shop: str, buyer: str, digest: str) -> str:
    """Its first message names a conversation, the same whenever it is decided; nothing can be read out of it."""
    return "c-" + hashlib.sha256("\x1f".join((shop, buyer, digest)).encode()).hexdigest()[:24]


def _digest(said: _Said, time: datetime) -> str:
    what = f"{said.kind}\x1f{said.text}" if isinstance(said, MessageReceived | MessageSent) else said.by
    identity = "\x1f".join((said.TYPE, said.message_id or "", time.isoformat(), what))
    return hashlib.sha256(identity.encode()).hexdigest()[:20]


def _on_day(conversation: Conversation, day: date) -> Conversation:
    """A new day of learning: what is beyond memory is forgotten."""
    if day <= conversation.today:
        return conversation
    return Conversation(
        spans=tuple(span for span in conversation.spans if day - span.touched <= REMEMBERED),
        learnt={then: digests for then, digests in conversation.learnt.items() if day - then <= REMEMBERED},
        today=day,
    )


def _learnt(conversation: Conversation, digest: str) -> Conversation:
    today = (*conversation.learnt.get(conversation.today, ()), digest)
    return replace(conversation, learnt={**conversation.learnt, conversation.today: today})


def _placed(conversation: Conversation, new: Span) -> Conversation:
    spans = sorted((*conversation.spans, new), key=lambda span: span.first)
    return replace(conversation, spans=tuple(spans))


def _extended(conversation: Conversation, name: str, time: datetime) -> Conversation:
    spans = tuple(
        Span(name, min(span.first, time), max(span.last, time), conversation.today)
        if span.conversation_id == name
        else span
        for span in conversation.spans
    )
    return replace(conversation, spans=spans)
