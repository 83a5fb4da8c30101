"""`in.douyin.<shop>.push`: what the platform pushes, a list of `{tag, msg_id, data}` or one of them.

`p_id` is the order, `s_ids` its lines. Amounts are fen, times epoch seconds. No message names the buyer: its facts wait
for the order's detail (detail.py). `msg_id` is not read: the platform uses it again, and what is one fact is told by
its content.

Tags are those of the platform's message documents (op.jinritemai.com, message-docs/30 and /31), as far as they state
something that the contract has an event for; two more, which the samples have, are taken in silence, and their readers
say why. Every other tag is refused.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Literal

from schemas.order import OrderClosed, OrderCompleted, OrderPaid, OrderShipped
from services.kernel.fields import Fields, Unreadable, messages
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.kernel.vault import Contact
from services.trade_ingest.sources.douyin import receiver
from services.trade_ingest.sources.douyin.refunds import pushed as refund
from services.trade_ingest.sources.snapshots import Told, address, in_full, part
from services.trade_ingest.stated import AddressTouched, Flag, Memo, Paid, Placed, Price, Shipped

Reader = Callable[[RawFact, Fields, str], Iterable[Told]]

CASH_ON_DELIVERY = "0"
"""`pay_type` 货到付款."""

CANCELLED = "订单取消"
"""The reason of a closing that the platform gives none for."""

_PAID_STATES = frozenset({"2", "3", "5", "101", "105"})
"""`order_status`: 2 备货中, 3 已发货, 5 已完成, 101 部分发货, 105 已支付; 1 待支付 and 4 已取消 say of no payment."""


def pay_mode(order: Fields) -> Literal["online", "cash_on_delivery"]:
    """How an order is paid, as push and detail say it; a push seldom does."""
    return "cash_on_delivery" if order.text("pay_type") == CASH_ON_DELIVERY else "online"


def translate(raw: RawFact) -> Iterator[Fact[Any] | Refused]:
    """A heartbeat of the platform, an empty list, is taken in silence."""
    try:
        found = messages(raw)
    except Unreadable as error:
        yield Refused(str(error), error.field)
        return
    for message in found:
        yield from part(partial(_facts, raw, message))


def _facts(raw: RawFact, message: Fields) -> Iterable[Fact[Any]]:
    tag = message.must("tag", message.text("tag"))
    if tag not in _TAGS:
        raise message.wrong("tag", f"not one of the tags that are known here: {', '.join(_TAGS)}")
    data = message.must("data", message.object("data"))
    order_id = data.must("p_id", data.id("p_id"))
    for time, said in _TAGS[tag](raw, data, order_id):
        yield Fact(data=said, shop=raw.shop, time=time)


def _created(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
    """Without lines and total: a hint."""
    yield (
        _at(data, "create_time"),
        Placed(order_id=order_id, platform="douyin", cash_on_delivery=pay_mode(data) == "cash_on_delivery"),
    )


def _paid(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
    """Paid, or (the pending ones, 已支付待处理) paid without a time and a sum: a hint of the time it was received.

    Of an order to be paid on delivery (货到付款) the message says that the shop has confirmed it: no payment, silence.
    """
    if data.text("pay_type") == CASH_ON_DELIVERY:
        return
    time, paid = data.epoch("pay_time"), data.fen("pay_amount")
    if time is None or paid is None:
        yield time or raw.recorded, Paid(order_id=order_id)
    else:
        yield time, OrderPaid(order_id=order_id, paid_fen=paid)


def _shipped(raw: RawFact, data: Fields, order_id: str, partly: bool = False) -> Iterable[Told]:
    """A parcel is told by its waybill: the message that the whole order is shipped has no `pack_id`, only a waybill."""
    time = _at(data, "update_time")
    parcel = data.object("logistics_msg")
    waybill = parcel.id("logistics_code") if parcel else None
    lines = [line.id("shipped_order_id") for line in parcel.objects("shipped_order_info")] if parcel else []
    line_ids = tuple(dict.fromkeys(filter(None, lines))) or None
    if parcel is None or waybill is None:
        yield time, Shipped(order_id=order_id, partial=partly, line_ids=line_ids)
        return
    shipped = OrderShipped(
        order_id=order_id,
        parcel_id=waybill,
        carrier=parcel.text("express_company_id") or "",
        waybill=waybill,
        line_ids=line_ids,
        partial=partly,
    )
    yield time, shipped


def _completed(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
    """The message is the same for 确认收货 by the buyer and by itself: `automatic` claims no act of the buyer."""
    yield _at(data, "complete_time"), OrderCompleted(order_id=order_id, cause="automatic")


def _cancelled(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
    """Paid only where its status says so; the message has no word for it."""
    paid = data.text("order_status") in _PAID_STATES
    reason = data.text("cancel_reason") or CANCELLED
    yield _at(data, "cancel_time"), OrderClosed(order_id=order_id, reason=reason, paid=paid)


def _address_changed(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
    """To a receiver that can be read, or (encrypted, masked) to one that the detail will bring: a hint."""
    time = _at(data, "update_time")
    said = data.object("receiver_msg")
    contact, region = receiver.of_push(said) if said else (Contact(), "")
    changed = address(raw, order_id, contact, region, in_full(contact))
    yield time, changed or AddressTouched(order_id=order_id)


def _price_changed(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
    """`total_amount` is without the postage."""
    goods = data.must("total_amount", data.fen("total_amount"))
    postage = data.fen("post_amount") or 0
    yield _at(data, "modify_time"), Price(order_id=order_id, total_fen=goods + postage, postage_fen=postage)


def _memo(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
    time, memo = _at(data, "update_time"), data.long_text("remark") or ""
    yield time, Memo(order_id=order_id, memo=memo)
    star = data.whole("star")
    if star is not None:
        yield time, Flag(order_id=order_id, platform="douyin", raw_code=str(star), memo=memo)


def _address_asked(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
    """The buyer asks for another receiver (`receiver_msg`; `post_receiver_msg` is the present one): only a wish.

    The shop answers it on the platform; granted, the change comes as tag 105. Taken in silence: a fact now would send
    the parcel, or its messages, to an address that the shop may refuse.
    """
    _at(data, "apply_time")
    return ()


def _appointed(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
    """The day on which the buyer wants the parcel: the contract has no event of it. Taken in silence."""
    data.must("exp_delivery_time", data.text("exp_delivery_time"))
    return ()


def _at(data: Fields, name: str) -> datetime:
    return data.must(name, data.epoch(name))


_TAGS: dict[str, Reader] = {
    "0": _paid,  # TradePending, as its sample numbers it
    "100": _created,  # TradeCreate
    "101": _paid,  # TradePaid
    "102": _shipped,  # TradeSellerShip: the whole order
    "103": _completed,  # TradeSuccess
    "104": _shipped,  # TradeLogisticsChanged: it travels under another waybill, a parcel that must be told
    "105": _address_changed,  # TradeAddressChanged
    "106": _cancelled,  # TradeCanceled
    "108": partial(_shipped, partly=True),  # TradePartlySellerShip
    "109": _price_changed,  # TradeAmountChanged
    "110": _paid,  # TradePending by the documents, TradePaid by its sample
    "111": _address_asked,  # TradeAddressChangeApplied
    "112": _appointed,  # TradeAppointment
    "113": _memo,  # TradeMemoModify
    "200": refund("requested", "apply_time"),  # RefundCreated
    "201": refund("agreed", "agree_time"),  # RefundAgreed
    "202": refund("agreed", "agree_time"),  # ReturnApplyAgreed: to the return that comes before the refund
    "203": refund("goods_returned", "return_time"),  # BuyerReturnGoods
    "204": refund("refused", "refuse_time"),  # RefundRefused
    "205": refund("refused", "refuse_time"),  # ReturnApplyRefused
    "206": refund("completed", "success_time"),  # RefundSuccess
    "207": refund("closed", "close_time"),  # RefundClosed
    "208": refund("requested", "modify_time"),  # RefundModified: the buyer asks for another kind or sum
}
