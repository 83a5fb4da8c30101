"""`in.jd.<shop>.order`: orders of 京东 as the bridge polls them (`jingdong.pop.order.search`, `.get`). Pure.

Amounts are yuan strings, times naive GMT+8; `0001-01-01 00:00:00` and `1970-01-01 00:00:00` stand for none.

An order is a bare `orderInfo`, `{orderInfo: {...}}`, a list of them, or the API's answer around them. Facts have the
time that the order gives them; where it gives none (shipping without `outBoundDate`, an end without `orderEndTime`),
that of its last change, `modified`: it had happened by then. The hour of a payment decides when to ship, so a payment
without `paymentConfirmTime` is only a hint; of cash on delivery (货到付款) it came by the end, too late to matter.

What each `orderState` proves is said in _STATES. The buyer is `open_id_buyer`; `pin` is the account's name, under which
chats know him: without an open id his orders live in the lane of that name.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.order import OrderClosed, OrderCompleted, OrderLine, OrderPaid, OrderPlaced, OrderShipped
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
from services.trade_ingest.stated import Flag, Memo, Owner, Paid, Placed, Price, Shipped

_ENVELOPES = (
    "jingdong_pop_order_search_responce",  # spelled so
    "jingdong_pop_order_get_responce",
    "searchorderinfo_result",
    "orderDetailInfo",
    "orderInfo",
)


class State(Struct, frozen=True, kw_only=True):
    """What an order in this state has behind it; `paid` but for cash on delivery (货到付款)."""

    paid: bool = False
    shipped: bool = False
    completed: bool = False
    closed: bool = False
    virtual: bool = False


_STATES = {
    "WAIT_SELLER_STOCK_OUT": State(paid=True),  # 等待出库
    "WAIT_SELLER_DELIVERY": State(paid=True),  # 等待发货, of overseas goods within China
    "WAIT_SEND_CODE": State(paid=True, virtual=True),  # 等待发码: a voucher's code, no parcel
    "WAIT_GOODS_RECEIVE_CONFIRM": State(paid=True, shipped=True),  # 等待确认收货
    "FINISHED_L": State(paid=True, completed=True),  # 完成
    "TRADE_CANCELED": State(closed=True),  # 取消, before or after payment
    "LOCKED": State(),  # 已锁定: held by the platform, whatever it was before
    "POP_ORDER_PAUSE": State(),  # 暂停: likewise
}

_PAY_MODE = re.compile(r"([1-6])(?:-.*)?")
"""`payType`: 1 货到付款, 2 邮局汇款, 3 自提, 4 在线支付, 5 公司转账, 6 银行转账; also as `4-在线支付`."""

_CASH_ON_DELIVERY = "1"


def _orders(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    return snapshots(raw, _ENVELOPES, ("orderInfoList",), _facts)


translate = only("order", _orders)


def _facts(raw: RawFact, order: Fields) -> Iterable[Fact[Any]]:
    order_id = order.must("orderId", order.id("orderId"))
    created = order.must("orderStartTime", order.local("orderStartTime"))
    seen = order.local("modified") or raw.recorded
    buyer, named = unmasked(order.id("open_id_buyer", BuyerId)), unmasked(order.text("pin"))
    if buyer:
        owner = Owner(order_id=order_id, open_id=buyer, alias=raw.keys.alias(raw.shop, named) if named else "")
        yield Fact(data=owner, shop=raw.shop, buyer=buyer, time=created)
    else:
        buyer = raw.keys.nick_lane(raw.shop, named) if named else NO_BUYER
    for time, data in (*_life(order, order_id, created, seen), *_values(raw, order, order_id, created, seen)):
        yield Fact(data=data, shop=raw.shop, buyer=buyer, time=time)


def _life(order: Fields, order_id: str, created: datetime, seen: datetime) -> Iterable[Told]:
    state = order.must("orderState", order.choice("orderState", _STATES))
    cash = _pay_mode(order) == _CASH_ON_DELIVERY
    mode = "cash_on_delivery" if cash else "online"
    ended = order.local("orderEndTime") or seen
    lines, total = _lines(order), _total(order)
    if lines and total is not None:
        placed = OrderPlaced(
            order_id=order_id,
            platform="jd",
            shop_kind="mall",  # 京东商城: the price of an item is not edited
            lines=tuple(lines),
            total_fen=total,
            postage_fen=order.yuan("freightPrice") or 0,
            pay_mode=mode,
            region=_region(order.object("consigneeInfo")),
            virtual=state.virtual,
        )
        yield created, placed
    else:
        yield created, Placed(order_id=order_id, platform="jd", total_fen=total, cash_on_delivery=cash)

    paid_at, paid = order.local("paymentConfirmTime"), order.yuan("orderPayment")
    if paid_at is None and cash and state.completed:
        paid_at = ended  # the courier took it at signing (domain.md 2)
    if paid_at and paid is not None:
        yield paid_at, OrderPaid(order_id=order_id, paid_fen=paid + (order.yuan("balanceUsed") or 0))
    elif paid_at or (state.paid and not cash):
        yield paid_at or seen, Paid(order_id=order_id)

    sent, waybill = order.local("outBoundDate") or min(ended, seen), order.id("waybill")
    if waybill and (state.shipped or state.completed):
        carrier = order.id("logisticsId") or ""
        yield sent, OrderShipped(order_id=order_id, parcel_id=waybill, carrier=carrier, waybill=waybill)
    elif state.shipped:
        yield sent, Shipped(order_id=order_id)

    if state.completed:  # by the buyer or by itself, the order does not say: `automatic` claims no act of the buyer
        yield ended, OrderCompleted(order_id=order_id, cause="automatic")
    if state.closed:
        reason = order.text("orderStateRemark") or "取消"
        yield ended, OrderClosed(order_id=order_id, reason=reason, paid=paid_at is not None)


def _values(raw: RawFact, order: Fields, order_id: str, created: datetime, seen: datetime) -> Iterable[Told]:
    total = _total(order)
    if total is not None:
        yield seen, Price(order_id=order_id, total_fen=total, postage_fen=order.yuan("freightPrice"))
    if receiver := order.object("consigneeInfo"):
        contact = Contact(
            name=legible(receiver.text("fullname")),
            phone=legible(receiver.text("mobile")) or legible(receiver.text("telephone")),
            address=legible(receiver.text("fullAddress")),
        )
        told_by = unmasked(receiver.text("oaid")) or in_full(contact)
        if found := address(raw, order_id, contact, _region(receiver), told_by):
            yield seen, found
    if asked := order.long_text("orderRemark"):
        yield created, Memo(order_id=order_id, memo=asked, by="buyer")
    memo = (order.long_text("venderRemark") or "") if order.said("venderRemark") else None
    if memo is not None:
        yield seen, Memo(order_id=order_id, memo=memo)
    if flag := order.text("flag"):
        yield seen, Flag(order_id=order_id, platform="jd", raw_code=flag, memo=memo)


def _pay_mode(order: Fields) -> str | None:
    said = order.text("payType")
    if said is None:
        return None
    if found := _PAY_MODE.fullmatch(said):
        return found[1]
    raise order.wrong("payType", "not one of the values that are known here")


def _total(order: Fields) -> int | None:
    """What the goods cost after the shop's own discount, and the freight. `orderTotalPrice` has neither."""
    goods = order.yuan("orderSellerPrice")
    if goods is None and (listed := order.yuan("orderTotalPrice")) is not None:
        goods = listed - (order.yuan("sellerDiscount") or 0)
    return None if goods is None else goods + (order.yuan("freightPrice") or 0)


def _lines(order: Fields) -> list[OrderLine]:
    """JD's lines have no ids: they are told by their SKU."""
    items = order.objects("itemInfoList")
    skus = [item.must("skuId", item.id("skuId")) for item in items]
    return [
        OrderLine(
            line_id=line_id,
            sku=sku,
            title=item.text("skuName") or "",
            quantity=item.must("itemTotal", item.whole("itemTotal")),
            price_fen=item.must("jdPrice", item.yuan("jdPrice")),
        )
        for line_id, sku, item in zip(once_each(skus), skus, items, strict=True)
    ]


def _region(receiver: Fields | None) -> str:
    if receiver is None:
        return ""
    return region(receiver.text("province", Place), receiver.text("city", Place))
