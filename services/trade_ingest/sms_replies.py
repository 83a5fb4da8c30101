"""SMS replies: each answer to the shop's SMS once, whatever repeats it.

The story is a phone number's in a shop, under its digest. An answer is told from its repetition by what it says and
when, never by the gateway's id (platforms reuse them). The story is forgotten once INBOX no longer holds its last
answer.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from schemas.buyer import BuyerSmsReplied
from schemas.envelope import Event
from services.kernel.policy import Policy
from services.kernel.process import Emit, Ended, Fact, Tick

VERSION = 1
INBOX = True

KEPT = timedelta(days=14)
"""As long as INBOX keeps a message (design.md), which may be played again until then."""
MOST = 100
"""Answers that are remembered of one number; of more, the first ones are forgotten."""


class SmsReplies(Struct, frozen=True):
    """known: (time, what it said) of each answer that was stated. last: when INBOX took the newest."""

    known: tuple[tuple[datetime, str], ...] = ()
    last: datetime | None = None


State = SmsReplies


def key(item: Event[Any] | Fact[Any]) -> str | None:
    return item.data.phone_digest if isinstance(item.data, BuyerSmsReplied) else None


def evolve(replies: SmsReplies, item: Event[Any] | Fact[Any]) -> SmsReplies:
    match item:
        case Event():
            return SmsReplies((*replies.known, (item.time, item.data.says))[-MOST:], replies.last)
        case Fact():
            return SmsReplies(replies.known, item.recordedtime)


def decide(
    replies: SmsReplies, cause: Event[Any] | Fact[Any] | Tick, now: datetime, policy: Policy
) -> Iterable[Emit | Ended]:
    match cause:
        case Fact(data=BuyerSmsReplied() as reply) if (cause.time, reply.says) not in replies.known:
            yield Emit(data=reply, buyer=cause.buyer, time=cause.time)
        case Tick():
            yield Ended()
        case _:
            pass


def due(replies: SmsReplies, policy: Policy) -> datetime | None:
    return None if replies.last is None else replies.last + KEPT
