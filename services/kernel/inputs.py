"""From stored messages to inputs: decoding, and what becomes of a message that does not decode."""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from schemas.codec import DecodeError, UnknownType, decode
from schemas.policy import PolicyChanged
from schemas.subjects import NO_BUYER, InboxSubject, SubjectError, parse_event, parse_inbox, stored_partition, untoken
from services.kernel import bus
from services.kernel.policy import PolicyError, from_event
from services.kernel.process import Fact, Input, SetAside
from services.kernel.reader import Message
from services.kernel.vault import NO_KEYS, Keys, NoKeys

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""A time before this (1970-01-01, 0001-01-01) is a null in the disguise of a time (feeds.md, trap 3)."""

AHEAD = timedelta(hours=1)
"""A time further ahead of its reception than this has a wrong clock or a wrong time zone."""

WHOLE = -1
"""The `part` of an INBOX message that did not translate at all."""


class RawFact(Struct, frozen=True):
    """What an outside system published: the place, the bytes, and when INBOX took it.

    keys: what the source digests nicks and seals contact data with.
    """

    source: str
    shop: str
    kind: str
    payload: bytes
    seq: int
    recorded: datetime
    keys: Keys = NO_KEYS


class Refused(Struct, frozen=True):
    """A fact that a source does not accept, with its reason and the field at fault; the bytes are parked.

    reason: quotes no data. place: where the sender finds it, where it has lines (`orders.csv row 17`).
    """

    reason: str
    field: str = ""
    place: str = ""


Source = Callable[[RawFact], Iterable[Fact[Any] | Refused]]
"""A pure function from one raw message to the facts in it (feeds.md)."""

MAX_ID = 200
"""The longest id (schemas.types.Id)."""

ANY = "*"
"""Among a service's sources: the one for every source that is not named there."""

Decode = Callable[[Message], "list[Item]"]


class Item(Struct, frozen=True, kw_only=True, gc=False):
    """One input with its message, or why there is none.

    part: the fact's number within an INBOX message, or WHOLE. lane: (shop, buyer) from the subject.
    field, where: what was wrong with it, and where its sender finds it. aside: a failure that blocks nobody.
    """

    message: Message
    partition: int
    lane: tuple[str, str] = ("", NO_BUYER)
    part: int = 0
    input: Input | None = None
    reason: str = ""
    detail: str = ""
    field: str = ""
    where: str = ""
    source: str = ""
    aside: bool = False


def decode_message(message: Message, sources: Mapping[str, Source], keys: Keys = NO_KEYS) -> list[Item]:
    """The inputs in one message; an empty list where it is not for this service or of an unknown type."""
    if message.stream == bus.EVENTS:
        return _event(message)
    return _facts(message, sources, keys)


def time_fault(time: datetime, received: datetime) -> str:
    """Why a fact cannot have happened then; empty: it can. What every source holds its times to."""
    if time < EARLIEST:
        return f"a time before {EARLIEST.year}; is it a null?"
    return "a time that lies ahead; is the time zone right?" if time > received + AHEAD else ""


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


def _facts(message: Message, sources: Mapping[str, Source], keys: Keys) -> list[Item]:
    partition = stored_partition(message.subject)
    try:
        place = parse_inbox(message.subject)
    except SubjectError:
        return _misspelt(message, sources)
    if not (_is_id(place.source) and _is_id(place.shop)):
        return _misspelt(message, sources)
    translate = sources.get(place.source) or sources.get(ANY)
    if translate is None:
        return []
    raw = RawFact(place.source, place.shop, place.kind, message.payload, message.seq, message.recorded, keys)
    try:
        translated: Sequence[Fact[Any] | Refused] = list(translate(raw))
    except NoKeys as error:
        return [_aside(message, partition, place, WHOLE, str(error), "")]
    except Exception as error:
        _, detail = failure_of(error)
        reason = f"{type(error).__name__}: a bug of the source"  # what the sender is told; the text may quote data
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
            fact.place,
        )
        if isinstance(fact, Refused)
        else _fact(message, partition, place, number, fact)
        for number, fact in enumerate(translated)
    ]


def _misspelt(message: Message, sources: Mapping[str, Source]) -> list[Item]:
    """A message whose subject is not of the grammar: refused by the one service whose source and kind it names.

    A token that spells no id of the contract (`schemas.types.Id`) stands for itself, so its sender
    (`in.canonical.店铺.trade`) is told under the name that was meant. A source says nothing to a kind that is another
    service's; asked with no payload, it refuses one of its own.
    """
    partition = stored_partition(message.subject)
    tokens = message.subject.split(".")[2:]
    if len(tokens) != 3:
        return [Item(message=message, partition=partition, reason="subject: not in.<source>.<shop>.<kind>", aside=True)]
    place = InboxSubject(partition, *map(_meant, tokens))
    translate = sources.get(place.source) or sources.get(ANY)
    if translate is None:
        return []
    try:
        own = bool(list(translate(RawFact(place.source, place.shop, place.kind, b"", message.seq, message.recorded))))
    except Exception:
        own = True
    reason = "subject: a token that is no id as schemas/subjects.py writes it; other letters go as = + base64url"
    return [_aside(message, partition, place, WHOLE, reason, "", "subject")] if own else []


def _meant(text: str) -> str:
    try:
        found = untoken(text)
    except SubjectError:
        return text[:MAX_ID]
    return found if _is_id(found) else text[:MAX_ID]


def _is_id(text: str) -> bool:
    """Of a length that an id may have, and without NUL, which PostgreSQL cannot keep."""
    return 0 < len(text) <= MAX_ID and "\0" not in text


def _fact(message: Message, partition: int, place: InboxSubject, number: int, fact: Fact[Any]) -> Item:
    if fact.shop != place.shop:
        reason = f"shop: the fact's is not that of its subject, {place.shop!r}"
        return _aside(message, partition, place, number, reason, "", "shop")
    name = fact_id(message.seq, number)
    filled = replace(
        fact,
        id=name,
        seq=message.seq,
        recordedtime=message.recorded,
        correlationid=fact.correlationid or name,
        actor=fact.actor or place.source,
    )
    return Item(message=message, partition=partition, lane=(place.shop, NO_BUYER), part=number, input=filled)


def fact_id(seq: int, part: int) -> str:
    return f"in:{seq}:{part}"


def seq_of(fact: str) -> int:
    """The INBOX sequence in a fact's id."""
    return int(fact.split(":")[1])


def set_aside(message: Message, asked: SetAside) -> Item:
    """A fact of this message as one that is refused after all."""
    part = int(asked.fact.split(":")[2])
    return _aside(message, stored_partition(message.subject), parse_inbox(message.subject), part, asked.reason, "")


def _aside(
    message: Message,
    partition: int,
    place: InboxSubject,
    number: int,
    reason: str,
    detail: str,
    field: str = "",
    where: str = "",
) -> Item:
    return Item(
        message=message,
        partition=partition,
        lane=(place.shop, NO_BUYER),
        part=number,
        reason=reason,
        detail=detail,
        field=field,
        where=where,
        source=place.source,
        aside=True,
    )
