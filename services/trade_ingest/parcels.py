"""Parcels: a scan of the courier becomes the event that it is, of the parcel that it means (domain.md 2).

A parcel is known by its waybill; that is its id too, unless a feed gave it another. A scan that names only the order
is of its one parcel, and waits while it has none or several.
"""

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

_SIGNERS = ("self", "station", "locker", "other")


def shipped(facts: OrderFacts, fact: Fact[OrderShipped]) -> OrderFacts:
    """Once a parcel. What a repetition says more of it (its lines, that it is the last one) is remembered.

    A parcel that is heard of after the whole order was received, and was sent before, was received with it.
    """
    data, known = fact.data, facts.parcels.get(fact.data.waybill)
    shipped_at = known.at if known and known.parcel_id == data.parcel_id else fact.time
    parcel = Parcel(data.parcel_id, shipped_at, data.line_ids, data.partial)
    if parcel == known:
        return facts
    facts = once(replace(facts, parcels={**facts.parcels, data.waybill: parcel}), fact, data)
    if facts.all_signed is None:
        return facts
    return _received(facts, replace(fact, time=facts.all_signed), parcel)


def traced(facts: OrderFacts, fact: Fact[stated.ParcelTraced]) -> OrderFacts:
    scan = fact.data
    if scan.waybill is None:
        if len(facts.parcels) != 1:
            return put_by(facts, fact)
        parcel_id = next(iter(facts.parcels.values())).parcel_id
    else:
        known = facts.parcels.get(scan.waybill)
        parcel_id = known.parcel_id if known else scan.waybill
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
    return bool(sent) and (sent.issuperset(facts.lines) or not all(parcel.partial for parcel in parcels))


def _received(facts: OrderFacts, fact: Fact[Any], parcel: Parcel) -> OrderFacts:
    """At the fact's time; not a parcel that was shipped later (a replacement), nor one that is signed for."""
    signed = [OrderSigned(order_id=fact.data.order_id, parcel_id=parcel.parcel_id, by=by) for by in _SIGNERS]
    if parcel.at > fact.time or any(mark(one, fact.time) in facts.known for one in signed):
        return facts
    return once(facts, fact, signed[-1])


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
