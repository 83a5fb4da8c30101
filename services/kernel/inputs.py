"""From stored messages to inputs: decoding, and what becomes of a message that does not decode."""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from schemas.codec import DecodeError, UnknownType, decode
from schemas.policy import PolicyChanged
from schemas.subjects import NO_BUYER, InboxSubject, SubjectError, parse_event, parse_inbox, stored_partition
from services.kernel import bus
from services.kernel.policy import PolicyError, from_event
from services.kernel.process import Fact, Input
from services.kernel.reader import Message

WHOLE = -1
"""The `part` of an INBOX message that did not translate at all."""


class RawFact(Struct, frozen=True):
    """What an outside system published: the place, the bytes, and when INBOX took it."""

    source: str
    shop: str
    kind: str
    payload: bytes
    seq: int
    recorded: datetime


class Refused(Struct, frozen=True):
    """A fact that a source does not accept, with its reason and the field at fault; the bytes are parked.

    reason: quotes no data. place: where the sender finds it, where it has lines (`orders.csv row 17`).
    """

    reason: str
    field: str = ""
    place: str = ""


Source = Callable[[RawFact], Iterable[Fact[Any] | Refused]]
"""A pure function from one raw message to the facts in it (feeds.md)."""

ANY = "*"
"""Among a service's sources: the one for every source that is not named there."""

Decode = Callable[[Message], "list[Item]"]


class Item(Struct, frozen=True, kw_only=True, gc=False):
    """One input with its message, or why there is none.

    part: the fact's number within an INBOX message, or WHOLE. lane: (shop, buyer) from the subject.
    skipped: of no concern here. aside: a failure that blocks nobody.
    """

    message: Message
    partition: int
    lane: tuple[str, str] = ("", NO_BUYER)
    part: int = 0
    input: Input | None = None
    reason: str = ""
    detail: str = ""
    field: str = ""
    source: str = ""
    aside: bool = False


def decode_message(message: Message, sources: Mapping[str, Source]) -> list[Item]:
    """The inputs in one message; an empty list where it is not for this service or of an unknown type."""
    if message.stream == bus.EVENTS:
        return _event(message)
    return _facts(message, sources)


def failure_of(error: BaseException) -> tuple[str, str]:
    """(reason, traceback) of what a process, a source or the codec raised."""
    return f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))


def _event(message: Message) -> list[Item]:
    partition = stored_partition(message.subject)
    try:
        place = parse_event(message.subject)
    except SubjectError as error:
        return [Item(message=message, partition=partition, reason=f"subject: {error}", aside=True)]
    lane = (place.shop, place.buyer)
    try:
        event = decode(message.payload, seq=message.seq, recordedtime=message.recorded)
        if event.shop != place.shop or event.buyer != place.buyer:
            raise DecodeError(f"shop, buyer: the event's are not those of its subject {message.subject!r}")
        if isinstance(event.data, PolicyChanged):
            from_event(event.data)
    except UnknownType:
        return []
    except (DecodeError, PolicyError) as error:
        reason, detail = failure_of(error)
        aside = isinstance(error, PolicyError)  # the policy before it stays in force; nobody waits
        return [Item(message=message, partition=partition, lane=lane, reason=reason, detail=detail, aside=aside)]
    return [Item(message=message, partition=partition, lane=lane, input=event)]


def _facts(message: Message, sources: Mapping[str, Source]) -> list[Item]:
    partition = stored_partition(message.subject)
    try:
        place = parse_inbox(message.subject)
    except SubjectError as error:
        return [Item(message=message, partition=partition, reason=f"subject: {error}", aside=True)]
    translate = sources.get(place.source) or sources.get(ANY)
    if translate is None:
        return []
    raw = RawFact(place.source, place.shop, place.kind, message.payload, message.seq, message.recorded)
    try:
        translated: Sequence[Fact[Any] | Refused] = list(translate(raw))
    except Exception as error:
        reason, detail = failure_of(error)
        return [_aside(message, partition, place, WHOLE, reason, detail)]
    return [
        _aside(
            message,
            partition,
            place,
            number,
            fact.reason,
            ", ".join(filter(None, (fact.place, fact.field))),
            fact.field,
        )
        if isinstance(fact, Refused)
        else _fact(message, partition, place, number, fact)
        for number, fact in enumerate(translated)
    ]


def _fact(message: Message, partition: int, place: InboxSubject, number: int, fact: Fact[Any]) -> Item:
    if fact.shop != place.shop:
        reason = f"shop: the fact's is not that of its subject, {place.shop!r}"
        return _aside(message, partition, place, number, reason, "", "shop")
    name = f"in:{message.seq}:{number}"
    filled = replace(
        fact,
        id=name,
        seq=message.seq,
        recordedtime=message.recorded,
        correlationid=fact.correlationid or name,
        actor=fact.actor or place.source,
    )
    return Item(message=message, partition=partition, lane=(place.shop, NO_BUYER), part=number, input=filled)


def _aside(
    message: Message,
    partition: int,
    place: InboxSubject,
    number: int,
    reason: str,
    detail: str,
    field: str = "",
) -> Item:
    return Item(
        message=message,
        partition=partition,
        lane=(place.shop, NO_BUYER),
        part=number,
        reason=reason,
        detail=detail,
        field=field,
        source=place.source,
        aside=True,
    )
