"""Parcels: a scan of the courier becomes the event that it is, of the parcel that it means (domain.md 2).

**One parcel, one id.** Feeds name a parcel differently: a warehouse by a number of its own, the platform and the
courier by the waybill. It is told under the first name by which it was told of, for ever; the statement that it was
shipped says which names are one parcel's. What was told under another name before that stays as it is, and is known
under the id from then on: it is not told again.

A scan that names only the order is of its one parcel, and waits while it has none or several.
"""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from schemas.order import (
    OrderArrived,
    OrderParcelException,
    OrderParcelMoved,
    OrderPickupScanned,
    OrderRejected,
    OrderShipped,
    OrderSigned,
)
from services.kernel.process import Fact
from services.trade_ingest import stated
from services.trade_ingest.identity import mark
from services.trade_ingest.order_memory import OrderFacts, Parcel, once, put_by
from services.trade_ingest.places import same_city

SCANS = (OrderPickupScanned, OrderParcelMoved, OrderArrived, OrderSigned, OrderRejected, OrderParcelException)
"""The contract's own events of one parcel on its way."""

_SIGNERS = ("self", "station", "locker", "other")


def shipped(facts: OrderFacts, fact: Fact[OrderShipped]) -> OrderFacts:
    """Once a parcel. What a repetition says more of it (its lines, that it is the last one) is remembered.

    A parcel that is heard of after the whole order was received, and was sent before, was received with it.
    """
    data = fact.data
    facts, parcel_id = _one_parcel(facts, data)
    known = facts.parcels.get(parcel_id)
    parcel = Parcel(parcel_id, known.at if known else fact.time, data.line_ids, data.partial)
    if parcel == known:
        return facts
    facts = replace(facts, parcels={**facts.parcels, parcel_id: parcel})
    facts = once(facts, fact, replace(data, parcel_id=parcel_id))
    if facts.all_signed is None:
        return facts
    return _received(facts, replace(fact, time=facts.all_signed), parcel)


def scanned(facts: OrderFacts, fact: Fact[Any]) -> OrderFacts:
    """The contract's own event, under the id of its parcel."""
    facts, parcel_id = _called(facts, fact.data.parcel_id)
    same = parcel_id == fact.data.parcel_id
    return once(facts, fact, fact.data if same else replace(fact.data, parcel_id=parcel_id))


def traced(facts: OrderFacts, fact: Fact[stated.ParcelTraced]) -> OrderFacts:
    scan = fact.data
    if scan.waybill is None:
        if len(facts.parcels) != 1:
            return put_by(facts, fact)
        parcel_id = next(iter(facts.parcels.values())).parcel_id
    else:
        facts, parcel_id = _called(facts, scan.waybill)
    return once(facts, fact, _event(scan, parcel_id, facts.region))


def all_signed(facts: OrderFacts, fact: Fact[stated.AllSigned]) -> OrderFacts:
    """`order.signed` by `other` of every parcel that nobody signed for; who did is not said."""
    if facts.all_signed is None:
        facts = replace(facts, all_signed=fact.time)
    for parcel in facts.parcels.values():
        facts = _received(facts, fact, parcel)
    return facts if facts.parcels else put_by(facts, fact, timed=False)


def has_shipped(facts: OrderFacts, hint: stated.Shipped) -> bool:
    """Whether the parcels that are known are those that the hint tells of."""
    parcels = facts.parcels.values()
    if any(parcel.line_ids is None for parcel in parcels):
        return True
    sent = {line for parcel in parcels for line in parcel.line_ids or ()}
    if hint.line_ids:
        return sent.issuperset(hint.line_ids)
    if hint.partial:
        return bool(parcels)
    return bool(sent) and (sent.issuperset(facts.line_ids) or not all(parcel.partial for parcel in parcels))


def _received(facts: OrderFacts, fact: Fact[Any], parcel: Parcel) -> OrderFacts:
    """At the fact's time; not a parcel that was shipped later (a replacement), nor one that is signed for."""
    signed = _signings(fact.data.order_id, parcel.parcel_id)
    if parcel.at > fact.time or any(mark(one, fact.time) in facts.known for one in signed):
        return facts
    return once(facts, fact, signed[-1])


def _called(facts: OrderFacts, name: str) -> tuple[OrderFacts, str]:
    """The id of the parcel of this name; a name that is new is one."""
    if found := _id(facts, name):
        return facts, found
    return replace(facts, parcel_ids={**facts.parcel_ids, name: name}), name


def _id(facts: OrderFacts, name: str) -> str | None:
    parcel = facts.parcels.get(name)
    return parcel.parcel_id if parcel else facts.parcel_ids.get(name)


def _one_parcel(facts: OrderFacts, data: OrderShipped) -> tuple[OrderFacts, str]:
    """The id of the parcel that was shipped: what has its waybill for an id is the same under whatever other id.

    Two ids of a sender's own under one waybill are two parcels of it.
    """
    own, waybill = data.parcel_id, data.waybill
    by_own, by_waybill = _id(facts, own), _id(facts, waybill)
    parcel_id = by_own or own
    if by_waybill is not None and waybill in (own, by_waybill):
        parcel_id = by_waybill
    if by_own not in (None, parcel_id):
        facts = _known_as(facts, by_own, parcel_id)
    names = {name: id for name, id in ((waybill, by_waybill or parcel_id), (own, parcel_id)) if name != id}
    return replace(facts, parcel_ids={**facts.parcel_ids, **names}) if names else facts, parcel_id


def _known_as(facts: OrderFacts, other: str, parcel_id: str) -> OrderFacts:
    """What happens to a parcel once, and was told under the other name, is known under its id."""
    pairs = zip(_once_a_parcel(other), _once_a_parcel(parcel_id), strict=True)
    more = [new for old, new in pairs if old in facts.known and new not in facts.known]
    return replace(facts, known=(*facts.known, *more))


def _once_a_parcel(parcel_id: str) -> list[str]:
    whose = {"order_id": "", "parcel_id": parcel_id}
    events = (OrderPickupScanned(**whose), OrderArrived(**whose), OrderRejected(**whose), *_signings("", parcel_id))
    return [mark(one, datetime.min) for one in events]


def _signings(order_id: str, parcel_id: str) -> list[OrderSigned]:
    return [OrderSigned(order_id=order_id, parcel_id=parcel_id, by=by) for by in _SIGNERS]


def _event(scan: stated.ParcelTraced, parcel_id: str, region: str) -> Any:
    """The event that a scan is. Arrived: sent to the buyer's door, or at a place in the receiver's city."""
    order_id, city = scan.order_id, scan.city or None
    match scan.action:
        case "pickup":
            return OrderPickupScanned(order_id=order_id, parcel_id=parcel_id, city=city)
        case "sent_city":
            return OrderArrived(order_id=order_id, parcel_id=parcel_id, city=city)
        case "arrival" if same_city(scan.city, region):
            return OrderArrived(order_id=order_id, parcel_id=parcel_id, city=city)
        case "signed":
            place = scan.place or None
            return OrderSigned(order_id=order_id, parcel_id=parcel_id, by=scan.signed_by, place=place)
        case "rejected":
            return OrderRejected(order_id=order_id, parcel_id=parcel_id, reason=scan.reason)
        case "failed" | "lost" | "damaged" | "returned" | "confiscated":
            return OrderParcelException(order_id=order_id, parcel_id=parcel_id, kind=scan.action, reason=scan.reason)
        case _:
            return OrderParcelMoved(order_id=order_id, parcel_id=parcel_id, action=scan.action, city=city)
