"""`in.pdd.<shop>.order`: orders of 拼多多 as they are (`pdd.order.information.get`, `pdd.order.list.get`). Pure.

Amounts are yuan, as numbers or strings; times naive GMT+8. Facts have the time that the order gives them, values
(price, receiver, memo, flag) that of its last change, `updated_at`.

PDD names no buyer: `buyer_open_id` is no field of the platform but what the bridge adds where it knows him from the
chat; without it the facts wait for whoever assigns the order. `open_address_id` names an address, not a person.

**`refund_status` proves no event.** 2, 3 and 4 say that something is asked for, on its way or paid back, and neither
which refund, nor how much, nor when: a refund is told by its own number, by whatever feed has it. It is read all the
same, so that a status that nobody knows is not passed over.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from schemas.order import OrderClosed, OrderCompleted, OrderDepositPaid, OrderLine, OrderPaid, OrderPlaced, OrderShipped
from schemas.subjects import NO_BUYER
from schemas.types import BuyerId
from services.kernel.fields import Fields
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.kernel.vault import Contact
from services.trade_ingest.sources.kinds import only
from services.trade_ingest.sources.snapshots import (
    Place,
    Told,
    address,
    in_full,
    legible,
    once_each,
    region,
    snapshots,
    unmasked,
)
from services.trade_ingest.stated import AllSigned, Flag, Memo, Owner, Paid, Placed, Price, Shipped

_ENVELOPES = ("order_info_get_response", "order_list_get_response", "order_sn_increment_get_response", "order_info")
_LISTS = ("order_list", "order_sn_list")

_SHIPPED = {"1": False, "2": True, "3": True}
"""`order_status`: 1 待发货, 2 已发货待签收, 3 已签收."""

_SIGNED = "3"
_REFUNDS = {"1": "none", "2": "asked", "3": "on its way", "4": "paid back"}
_CANCELLED = "2"
"""`confirm_status`: 0 未成交, 1 已成交, 2 已取消."""

_STEPS = {"0": "unpaid", "1": "deposit", "2": "all"}
"""`step_trade_status`: what of a presale (定金预售) is paid."""


def _orders(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    return snapshots(raw, _ENVELOPES, _LISTS, _facts)


translate = only("order", _orders)


def _facts(raw: RawFact, order: Fields) -> Iterable[Fact[Any]]:
    order_id = order.must("order_sn", order.id("order_sn"))
    created = order.must("created_time", order.local("created_time"))
    seen = order.local("updated_at") or raw.recorded
    buyer = unmasked(order.id("buyer_open_id", BuyerId))
    if buyer:
        yield Fact(data=Owner(order_id=order_id, open_id=buyer), shop=raw.shop, buyer=buyer, time=created)
    else:
        buyer = NO_BUYER
    for time, data in (*_life(order, order_id, created, seen), *_values(raw, order, order_id, created, seen)):
        yield Fact(data=data, shop=raw.shop, buyer=buyer, time=time)


def _life(order: Fields, order_id: str, created: datetime, seen: datetime) -> Iterable[Told]:
    shipped = order.must("order_status", order.choice("order_status", _SHIPPED))
    order.choice("refund_status", _REFUNDS)
    total, ship_by = _total(order), order.local("last_ship_time", ahead=True)
    lines = [*_lines(order, "item_list"), *_lines(order, "gift_list")]
    if lines and total is not None:
        placed = OrderPlaced(
            order_id=order_id,
            platform="pdd",
            shop_kind="c_shop",  # its shops edit prices (`order_change_amount` 改价)
            lines=tuple(lines),
            total_fen=total,
            postage_fen=order.yuan("postage") or 0,
            ship_by=ship_by,
            region=_region(order),
        )
        yield created, placed
    else:
        yield created, Placed(order_id=order_id, platform="pdd", total_fen=total)

    yield from _payments(order, order_id, shipped, seen, ship_by)

    received = order.local("receive_time")
    sent = order.local("shipping_time") or min(received or seen, seen)
    parcels = list(_parcels(order))
    for waybill, carrier in parcels if shipped else ():
        yield sent, OrderShipped(order_id=order_id, parcel_id=waybill, carrier=carrier, waybill=waybill)
    if shipped and not parcels:
        yield sent, Shipped(order_id=order_id)

    if order.text("order_status") == _SIGNED:
        yield received or seen, AllSigned(order_id=order_id)
    if received:  # 确认收货, by the buyer or by itself: `automatic` claims no act of the buyer
        yield received, OrderCompleted(order_id=order_id, cause="automatic")
    if order.text("confirm_status") == _CANCELLED:
        yield seen, OrderClosed(order_id=order_id, reason="已取消", paid=order.local("pay_time") is not None)


def _payments(order: Fields, order_id: str, shipped: bool, seen: datetime, ship_by: datetime | None) -> Iterable[Told]:
    """A paid deposit (定金) is not `paid`; the balance is."""
    paid_at, paid = order.local("pay_time"), order.yuan("pay_amount")
    presale = order.object("step_order_info")
    step = presale.choice("step_trade_status", _STEPS) if presale else None
    if presale and step == "deposit":
        deposit = presale.must("advanced_paid_fee", presale.yuan("advanced_paid_fee"))
        yield paid_at or seen, OrderDepositPaid(order_id=order_id, paid_fen=deposit)
    elif step == "unpaid":
        return
    elif paid_at and paid is not None:
        yield paid_at, OrderPaid(order_id=order_id, paid_fen=paid, ship_by=ship_by)
    elif paid_at or shipped:
        yield paid_at or seen, Paid(order_id=order_id)


def _parcels(order: Fields) -> Iterable[tuple[str, str]]:
    """(waybill, carrier): the parcel, and those of its further packages and gifts. A resending (补寄) is a case's."""
    for one in (order, *order.objects("extra_delivery_list"), *order.objects("gift_delivery_list")):
        if waybill := one.id("tracking_number"):
            yield waybill, one.id("logistics_id") or ""


def _values(raw: RawFact, order: Fields, order_id: str, created: datetime, seen: datetime) -> Iterable[Told]:
    """The receiver can be read until the parcel leaves, at most; the platform's own id of the address stays."""
    total = _total(order)
    if total is not None:
        yield seen, Price(order_id=order_id, total_fen=total, postage_fen=order.yuan("postage"))
    contact = Contact(
        name=legible(order.text("receiver_name")) or order.text("receiver_name_mask") or "",
        phone=legible(order.text("receiver_phone")) or order.text("receiver_phone_mask") or "",
        address=_address(order),
    )
    told_by = unmasked(order.text("open_address_id")) or in_full(contact)
    if found := address(raw, order_id, contact, _region(order), told_by):
        yield seen, found
    if asked := order.long_text("buyer_memo"):
        yield created, Memo(order_id=order_id, memo=asked, by="buyer")
    memo = (order.long_text("remark") or "") if order.said("remark") else None
    if memo is not None:
        yield seen, Memo(order_id=order_id, memo=memo)
    tag = order.whole("remark_tag")
    if tag is not None:
        yield seen, Flag(order_id=order_id, platform="pdd", raw_code=str(tag), memo=memo)


def _total(order: Fields) -> int | None:
    """The goods at their changed price, and the postage; what coupons take off shows in what was paid."""
    goods = order.yuan("goods_amount")
    return None if goods is None else goods + (order.yuan("postage") or 0)


def _lines(order: Fields, name: str) -> list[OrderLine]:
    """PDD's lines have no ids: they are told by their SKU, gifts (赠品) apart from what was bought."""
    items = order.objects(name)
    gift = name == "gift_list"
    skus = [item.must("sku_id", item.id("sku_id")) for item in items]
    return [
        OrderLine(
            line_id=f"gift-{line_id}" if gift else line_id,
            sku=sku,
            title=item.text("goods_name") or "",
            quantity=item.must("goods_count", item.whole("goods_count")),
            price_fen=item.must("goods_price", item.yuan("goods_price")),
            gift=gift,
        )
        for line_id, sku, item in zip(once_each(skus), skus, items, strict=True)
    ]


def _address(order: Fields) -> str:
    """`receiver_address` is without the places before it."""
    detail = legible(order.text("receiver_address")) or order.text("receiver_address_mask")
    places = (order.text(name, Place) or "" for name in ("province", "city", "town"))
    return "".join(places) + detail if detail else ""


def _region(order: Fields) -> str:
    return region(order.text("province", Place), order.text("city", Place))
