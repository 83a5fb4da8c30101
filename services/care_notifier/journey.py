"""Journey: what a buyer is told of the way of an order - paid, shipped, signed (domain.md 4).

Keyed by buyer, the orders inside. It only proposes; the buyer's contact rules allow or hold back (`contact`). Each
(kind, order, step) is proposed once, however often and in whatever order its facts are told. What is learnt late is
proposed too, with the expiry of its fact, so that the log explains why nobody was told.

| kind | on | step |
| --- | --- | --- |
| payment_thanks 付款关怀 | order.paid | - |
| shipped 发货提醒 | order.shipped | the waybill: orders shipped together (合并发货) are told of once |
| signed 签收提醒 | order.signed by the buyer | the waybill, or the parcel where shipping was not heard of |

What a message needs to know of an order (goods, cash on delivery, virtual) is what the log has told so far: where the
placing comes behind the payment or the parcel, the message is the plain one.

A parcel signed for by a station or locker is another kind (at_station), which is not proposed yet. An ended order
keeps its few words here that stop a second message.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from schemas.care import CareKind, CareProposed
from schemas.envelope import Event
from schemas.order import (
    OrderAddressChanged,
    OrderClosed,
    OrderCompleted,
    OrderLine,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    OrderSigned,
)
from schemas.subjects import NO_BUYER
from services.kernel.policy import Policy

VERSION = 1

LISTED = 5
"""Goods, or orders in one parcel, that a message names; of more it says 等N件."""


class Order(Struct, frozen=True):
    """What a message may have to say of an order. parcels: parcel -> waybill.

    virtual: no logistics messages. at_the_door: 货到付款, paid when it is signed. closed: 交易关闭, nothing is said of
    it any more. goods: empty once it has ended.
    """

    virtual: bool = False
    at_the_door: bool = False
    closed: bool = False
    goods: str = ""
    region: str = ""
    origin: str = ""
    parcels: dict[str, str] = {}


class Journey(Struct, frozen=True):
    """said: what has been proposed, as `<kind>:<order>`, `<kind>:<waybill>` or `<kind>:<order>/<parcel>`."""

    orders: dict[str, Order] = {}
    said: frozenset[str] = frozenset()

    def order(self, order_id: str) -> Order:
        return self.orders.get(order_id, Order())


State = Journey

_MINE = (
    OrderPlaced, OrderAddressChanged, OrderPaid, OrderShipped, OrderSigned, OrderCompleted, OrderClosed, CareProposed,
)  # fmt: skip


def key(event: Event[Any]) -> str | None:
    return event.buyer if isinstance(event.data, _MINE) and event.buyer != NO_BUYER else None


def evolve(journey: Journey, event: Event[Any]) -> Journey:
    match event.data:
        case OrderPlaced() as placed:
            return _with(
                journey,
                placed.order_id,
                virtual=placed.virtual,
                at_the_door=placed.pay_mode == "cash_on_delivery",
                goods=goods(placed.lines),
                region=placed.region,
                origin=placed.origin_region,
            )
        case OrderAddressChanged(order_id=order, region=region):
            return _with(journey, order, region=region) if region else journey
        case OrderShipped(order_id=order, parcel_id=parcel, waybill=waybill):
            return _with(journey, order, parcels={**journey.order(order).parcels, parcel: waybill})
        case OrderCompleted(order_id=order):
            return _with(journey, order, goods="")
        case OrderClosed(order_id=order, line_ids=None):
            return _with(journey, order, goods="", closed=True)
        case CareProposed() as proposed:
            return replace(journey, said=journey.said | _words(proposed))
        case _:
            return journey


def decide(journey: Journey, cause: object, now: datetime, policy: Policy) -> Iterable[CareProposed]:
    match cause:
        case Event(data=OrderPaid(order_id=order_id)):
            order = journey.order(order_id)
            if order.closed or order.at_the_door or f"payment_thanks:{order_id}" in journey.said:
                return  # it is over; or paid at the door: nothing left to verify; or thanked for before
            template = "payment_thanks.virtual" if order.virtual else "payment_thanks"
            values = {
                "商品清单": order.goods or "您的商品",
                "收货地区": order.region or "您的收货地址",
                "发货时效说明": "",  # said only where it is true at sending, which needs the shop's calendar
            }
            yield from _proposal(cause, "payment_thanks", now, policy, template, values, order_id)
        case Event(data=OrderShipped() as shipped):
            told = {f"shipped:{shipped.waybill}", f"signed:{shipped.order_id}/{shipped.parcel_id}"} & journey.said
            order = journey.order(shipped.order_id)
            if order.closed or order.virtual or told:
                return  # it is over; no logistics messages; told of, perhaps for another order in it; or signed for
            values = {
                "订单号": orders_named((shipped.order_id, *shipped.together_with)),
                "快递公司": shipped.carrier,
                "运单号": shipped.waybill,
                "预计天数": str(transit_days(order, policy)),
            }
            yield from _proposal(
                cause, "shipped", now, policy, "shipped", values, shipped.order_id, shipped.parcel_id, shipped.waybill
            )
        case Event(data=OrderSigned(order_id=order_id, parcel_id=parcel, by="self" | "other")):
            order = journey.order(order_id)
            waybill = order.parcels.get(parcel, "")
            if order.closed or order.virtual or {f"signed:{waybill}", f"signed:{order_id}/{parcel}"} & journey.said:
                return  # it is over; no logistics messages; or this parcel was told of
            yield from _proposal(cause, "signed", now, policy, "signed", {}, order_id, parcel, waybill or parcel)
        case _:
            return


def due(journey: Journey, policy: Policy) -> datetime | None:
    return None


def care_id(shop: str, buyer: str, kind: CareKind, order: str, step: str) -> str:
    """One intent per (buyer, kind, order, step): the same one has the same id, which tells nothing of it."""
    return hashlib.sha256("\x1f".join((shop, buyer, kind, order, step)).encode()).hexdigest()[:32]


def goods(lines: Sequence[OrderLine]) -> str:
    """The goods as a buyer reads them: 杯子×2、勺子, 等5件 where there are more than LISTED lines."""
    named = "、".join(line.title + (f"×{line.quantity}" if line.quantity > 1 else "") for line in lines[:LISTED])
    return named if len(lines) <= LISTED else f"{named}等{sum(line.quantity for line in lines)}件"


def orders_named(orders: Sequence[str]) -> str:
    """The orders under one waybill: 1001、1002, 等7个订单 where there are more than LISTED."""
    named = "、".join(orders[:LISTED])
    return named if len(orders) <= LISTED else f"{named}等{len(orders)}个订单"


def transit_days(order: Order, policy: Policy) -> int:
    """Expected days on the way: same province 3, elsewhere 5, 陕甘宁青新藏 7, plus the slack (domain.md 2).

    A region begins with its province, whose first two characters tell it from all others.
    """
    transit, origin = policy.orders.transit, order.origin or policy.shop.ship_from
    if order.region and order.region[:2] == origin[:2]:
        days = transit.same_province_days
    elif order.region.startswith(transit.far_regions):
        days = transit.far_days
    else:
        days = transit.elsewhere_days
    return days + policy.calendar.transit_slack_days


def _proposal(
    cause: Event[Any],
    kind: CareKind,
    now: datetime,
    policy: Policy,
    template: str,
    values: dict[str, str],
    order: str,
    parcel: str | None = None,
    step: str = "",
) -> Iterable[CareProposed]:
    """The intent, unless the shop has switched the kind off."""
    rule = policy.care.kinds.of(kind)
    if not rule.enabled:
        return
    begins = cause.time + timedelta(seconds=rule.after_s)
    ends = (cause.time if rule.expires_from == "anchor" else begins) + timedelta(seconds=rule.expires_s)
    yield CareProposed(
        care_id=care_id(cause.shop, cause.buyer, kind, order, step),
        kind=kind,
        order_id=order,
        parcel_id=parcel,
        step=step,
        marketing=rule.marketing,
        template=template,
        values=values,
        not_before=max(begins, now),
        expires_at=ends,
    )


def _words(proposed: CareProposed) -> frozenset[str]:
    words = {f"{proposed.kind}:{proposed.step or proposed.order_id}"}
    if proposed.parcel_id:
        words.add(f"{proposed.kind}:{proposed.order_id}/{proposed.parcel_id}")
    return frozenset(words)


def _with(journey: Journey, order_id: str, **changed: Any) -> Journey:
    return replace(journey, orders={**journey.orders, order_id: replace(journey.order(order_id), **changed)})
