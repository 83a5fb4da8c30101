"""Whose order a message tells of: its number, its buyer as far as the message names one, and what it was wrapped in."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.subjects import NO_BUYER
from schemas.types import BuyerId
from services.kernel.fields import Fields
from services.kernel.inputs import RawFact
from services.kernel.process import Fact
from services.trade_ingest.sources.snapshots import unmasked
from services.trade_ingest.stated import Owner


class Whose(Struct, frozen=True):
    """buyer: the open id, else the lane of the nick, else NO_BUYER. owner: where the message has both names."""

    order_id: str
    buyer: str
    owner: Owner | None = None


def whose(raw: RawFact, fields: Fields, order: str = "tid") -> Whose:
    """Raises Unreadable where the order's number is missing. Who is masked is nobody."""
    order_id = fields.must(order, fields.id(order))
    open_id = unmasked(fields.id("buyer_open_uid", BuyerId))
    nick = unmasked((fields.text("buyer_nick") or "").strip())
    if not nick:
        return Whose(order_id, open_id or NO_BUYER)
    if open_id is None:
        return Whose(order_id, raw.keys.nick_lane(raw.shop, nick))
    alias = raw.keys.alias(raw.shop, nick)
    return Whose(order_id, open_id, Owner(order_id=order_id, open_id=open_id, alias=alias))


def facts(raw: RawFact, whom: Whose, time: datetime, data: Iterable[Any]) -> Iterator[Fact[Any]]:
    """These statements, all of one time, and whose they are."""
    found = list(data)
    if found and whom.owner is not None:
        found.insert(0, whom.owner)
    for one in found:
        yield Fact(data=one, shop=raw.shop, buyer=whom.buyer, time=time)


def unwrapped(fields: Fields, response: str, name: str) -> Fields:
    """The object in an API response, bare or in a row of the RDS push (`jdp_response`). Raises Unreadable."""
    for wrapper in ("jdp_response", response):
        fields = fields.object(wrapper) or fields
    return fields.must(name, fields.object(name))


def line_of(fields: Fields, whom: Whose) -> str | None:
    """The line (子订单) that a message concerns; None: the whole order, whose `oid` is its `tid`, 0 or missing."""
    line = fields.id("oid")
    return None if line in (None, "0", whom.order_id) else line
