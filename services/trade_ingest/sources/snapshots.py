"""What the feeds that push snapshots have in common: envelopes, the receiver, names for what has none. Pure.

A part of a message (an order of a list, a message of a push) is read whole or refused whole, and never holds up its
neighbours. What is told must fit the contract: a sum may be too large where its parts were not.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from services.kernel.fields import Fields, Unreadable, is_masked, messages, told
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.kernel.vault import Contact
from services.trade_ingest import stated

Told = tuple[datetime, Any]
"""A statement, and its time."""

Place = Annotated[str, Meta(max_length=100)]
"""The name of a province, a city or a district."""

_CIPHERED = re.compile(r"[#$~][!-~]{16,}|[A-Za-z0-9+/]{40,}={0,2}")
"""How receivers look that a platform gave out encrypted: Douyin `#..#..##` and `$..$`, PDD `~..~`, JD bare base64."""


def snapshots(
    raw: RawFact,
    objects: Sequence[str],
    lists: Sequence[str],
    read: Callable[[RawFact, Fields], Iterable[Fact[Any]]],
) -> Iterator[Fact[Any] | Refused]:
    """The facts of every snapshot in a message; `objects`, `lists`: the fields that the platform wraps them in.

    A list without an order, as a poll brings it that found nothing, is taken in silence.
    """
    try:
        found = [order for one in messages(raw) for order in _unwrapped(one, objects, lists)]
    except Unreadable as error:
        yield Refused(str(error), error.field)
        return
    for order in found:
        yield from part(partial(_speaking, read, raw, order))


def part(read: Callable[[], Iterable[Fact[Any]]]) -> Iterator[Fact[Any] | Refused]:
    """What `read` makes of one part of a message, or why it cannot be read."""
    yield from told(lambda: map(_fitting, read()))


def unmasked(name: str | None) -> str | None:
    """A name that identifies somebody; None where it is masked, and nobody's (feeds.md, trap 6)."""
    return None if name is None or is_masked(name) else name


def region(province: str | None, city: str | None) -> str:
    """The receiver's region: province and city with a blank between, masks and all. (Taobao's run together.)"""
    return " ".join(filter(None, (province, city)))


def _speaking(
    read: Callable[[RawFact, Fields], Iterable[Fact[Any]]], raw: RawFact, order: Fields
) -> Iterable[Fact[Any]]:
    if found := list(read(raw, order)):
        return found
    raise Unreadable("nothing in it that says anything of the order")


def _unwrapped(answer: Fields, objects: Sequence[str], lists: Sequence[str]) -> list[Fields]:
    for name in lists:
        if answer.said(name):
            return [order for item in answer.objects(name) for order in _unwrapped(item, objects, lists)]
    for name in objects:
        if inner := answer.object(name):
            return _unwrapped(inner, objects, lists)
    return [answer]


def _fitting(fact: Fact[Any]) -> Fact[Any]:
    try:
        msgspec.convert(msgspec.to_builtins(fact.data), type(fact.data))
    except msgspec.ValidationError as error:
        raise Unreadable(f"{fact.data.TYPE}: {error}") from None
    return fact


def once_each(skus: Iterable[str]) -> list[str]:
    """Line ids for a platform that gives its lines none: the sku; its second line `-2`, and so on."""
    seen: Counter[str] = Counter()
    named: list[str] = []
    for sku in skus:
        seen[sku] += 1
        named.append(sku if seen[sku] == 1 else f"{sku}-{seen[sku]}")
    return named


def legible(text: str | None) -> str:
    """A receiver's name, phone or address as it can be read, masks included; ciphertext says nothing to anybody."""
    return "" if text is None or _CIPHERED.fullmatch(text) else text


def in_full(contact: Contact) -> str:
    """Name, phone and address together; empty where one is missing or masked."""
    parts = (contact.name, contact.phone, contact.address)
    return "" if not all(parts) or any(map(is_masked, parts)) else "|".join(parts)


def address(raw: RawFact, order_id: str, contact: Contact, region: str, told_by: str | None) -> stated.Address | None:
    """The receiver, sealed; None where nothing tells it from another.

    told_by: what does (`in_full`, or the platform's own id of an address). A masked value never does.
    """
    digest = raw.keys.digest("address", told_by) if told_by else None
    if digest is None:
        return None
    return stated.Address(
        order_id=order_id,
        address_digest=digest,
        region=region,
        deposit=raw.keys.seal(raw.shop, contact, region),
    )
