"""`in.douyin.<shop>.order`: an order as it is now, `{shop_order_detail: {...}}` of `order/orderDetail`, or the short
`{p_id, doudian_open_id}`. Amounts are fen, times epoch seconds.

The buyer is `doudian_open_id`; `open_id` is a mini program's and identifies nobody. Each fact has the time that the
detail gives it; values (price, receiver, memo, flag) have that of its last update.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal

from schemas.order import (
    OrderClosed,
    OrderCompleted,
    OrderDepositPaid,
    OrderLine,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    Presale,
)
from schemas.subjects import NO_BUYER
from schemas.types import BuyerId
from services.kernel.fields import Fields
from services.kernel.inputs import RawFact
from services.kernel.process import Fact
from services.trade_ingest.sources.douyin import receiver
from services.trade_ingest.sources.douyin.push import CANCELLED, pay_mode
from services.trade_ingest.sources.snapshots import Told, address, in_full, unmasked
from services.trade_ingest.stated import AllSigned, Flag, Memo, Owner, Paid, Placed, Price, Shipped

_STATES: dict[str, Literal["placed", "paid", "partly", "shipped", "closed", "completed"]] = {
    "1": "placed",  # 待确认/待支付
    "105": "paid",  # 已支付
    "2": "paid",  # 备货中
    "101": "partly",  # 部分发货
    "3": "shipped",  # 已发货
    "4": "closed",  # 已取消
    "5": "completed",  # 已完成
}

_VIRTUAL = {"0": False, "2": True, "4": True, "5": True, "6": True}
"""`order_type`: 0 普通, 2 虚拟商品, 4 电子券, 5 三方核销, 6 服务市场."""


def facts(raw: RawFact, order: Fields) -> Iterable[Fact[Any]]:
    order_id = order.must("order_id", order.id("order_id") or order.id("p_id"))
    buyer = unmasked(order.id("doudian_open_id", BuyerId))
    fact = partial(Fact, shop=raw.shop, buyer=buyer or NO_BUYER)
    seen = order.epoch("update_time") or raw.recorded
    if buyer:
        yield fact(data=Owner(order_id=order_id, open_id=buyer), time=order.epoch("create_time") or seen)
    for time, data in (*_life(order, order_id, seen), *_values(raw, order, order_id, seen)):
        yield fact(data=data, time=time)


def _life(order: Fields, order_id: str, seen: datetime) -> Iterable[Told]:
    state = order.choice("order_status", _STATES)
    mode = pay_mode(order)
    cash = mode == "cash_on_delivery"
    virtual = order.choice("order_type", _VIRTUAL) or False
    lines = order.objects("sku_order_list")
    total = order.fen("order_amount")
    ship_by = order.epoch("exp_ship_time", ahead=True)
    deposits, balances = _phases(order, 1), _phases(order, 2)
    received = _all(lines, "logistics_receipt_time") if lines else None
    finished = (order.epoch("finish_time") or seen) if state == "completed" else None
    # What is to be paid on delivery is paid at signing (domain.md 2). Its `pay_time` is the shop's confirming, which
    # comes before the parcel leaves.
    settled = order.epoch("pay_time") if not balances else _all(balances, "phase_pay_time")
    paid_at = (finished and (received or finished)) if cash else settled

    if created := order.epoch("create_time"):
        presale = _presale(deposits, balances)
        open_presale = bool(deposits or balances) and paid_at is None and state != "closed"
        if lines and total is not None and (presale or not open_presale):
            placed = OrderPlaced(
                order_id=order_id,
                platform="douyin",
                shop_kind="c_shop",  # its shops edit prices (改价, tag 109)
                lines=tuple(map(_line, lines)),
                total_fen=total,
                postage_fen=order.fen("post_amount") or 0,
                pay_mode=mode,
                ship_by=ship_by,
                region=receiver.of_detail(order)[1],
                virtual=virtual,
                presale=presale,
            )
            yield created, placed
        else:
            yield (
                created,
                Placed(
                    order_id=order_id, platform="douyin", total_fen=total, cash_on_delivery=cash, presale=open_presale
                ),
            )

    if deposits and (deposited := _all(deposits, "phase_pay_time")):
        yield deposited, OrderDepositPaid(order_id=order_id, paid_fen=_sum(deposits, "phase_pay_amount"))

    paid = order.fen("pay_amount")
    if paid_at and paid is not None:
        yield paid_at, OrderPaid(order_id=order_id, paid_fen=paid, ship_by=ship_by)
    elif paid_at or (not cash and state in ("paid", "partly", "shipped", "completed")):
        yield paid_at or seen, Paid(order_id=order_id)

    parcels = list(_parcels(order, order_id, state == "partly", seen))
    yield from parcels
    if not parcels and not virtual and state in ("partly", "shipped"):
        yield order.epoch("ship_time") or seen, Shipped(order_id=order_id, partial=state == "partly")

    if received:
        yield received, AllSigned(order_id=order_id)
    if finished:
        cause = "buyer" if lines and _all(lines, "confirm_receipt_time") else "automatic"
        yield finished, OrderCompleted(order_id=order_id, cause=cause)
    if state == "closed":
        reason = order.text("cancel_reason") or CANCELLED
        yield seen, OrderClosed(order_id=order_id, reason=reason, paid=paid_at is not None)


def _line(line: Fields) -> OrderLine:
    """`origin_amount` is the price a piece; `given_product_type` FREE a gift (赠品)."""
    return OrderLine(
        line_id=line.must("order_id", line.id("order_id")),
        sku=line.must("sku_id", line.id("sku_id") or line.id("product_id")),
        title=line.text("product_name") or "",
        quantity=line.must("item_num", line.whole("item_num")),
        price_fen=line.must("origin_amount", line.fen("origin_amount")),
        paid_fen=line.fen("pay_amount") if line.epoch("pay_time") else None,
        gift=line.text("given_product_type") == "FREE",
    )


def _parcels(order: Fields, order_id: str, partly: bool, seen: datetime) -> Iterable[Told]:
    for parcel in order.objects("logistics_info"):
        if waybill := parcel.id("tracking_no"):
            lines = [line.id("sku_order_id") for line in parcel.objects("product_info")]
            time = parcel.epoch("ship_time") or order.epoch("ship_time") or seen
            shipped = OrderShipped(
                order_id=order_id,
                parcel_id=waybill,  # as in push.py
                carrier=parcel.text("company_name") or parcel.text("company") or "",
                waybill=waybill,
                line_ids=tuple(dict.fromkeys(filter(None, lines))) or None,
                partial=partly,
            )
            yield time, shipped


def _values(raw: RawFact, order: Fields, order_id: str, seen: datetime) -> Iterable[Told]:
    total = order.fen("order_amount")
    if total is not None:
        yield seen, Price(order_id=order_id, total_fen=total, postage_fen=order.fen("post_amount"))
    contact, region = receiver.of_detail(order)
    if found := address(raw, order_id, contact, region, in_full(contact) or unmasked(order.text("open_address_id"))):
        yield seen, found
    if asked := order.long_text("buyer_words"):
        yield order.epoch("create_time") or seen, Memo(order_id=order_id, memo=asked, by="buyer")
    memo = (order.long_text("seller_words") or "") if order.said("seller_words") else None
    if memo is not None:
        yield seen, Memo(order_id=order_id, memo=memo)
    star = order.whole("seller_remark_stars")
    if star is not None:
        yield seen, Flag(order_id=order_id, platform="douyin", raw_code=str(star), memo=memo)


def _phases(order: Fields, phase: int) -> list[Fields]:
    """定金预售: of each line the deposit (phase 1) and the balance (phase 2)."""
    return [one for one in order.objects("order_phase_list") if one.whole("current_phase") == phase]


def _presale(deposits: Sequence[Fields], balances: Sequence[Fields]) -> Presale | None:
    opens = [one.epoch("phase_open_time", ahead=True) for one in balances]
    closes = [one.epoch("phase_close_time", ahead=True) for one in balances]
    if not deposits or not opens or None in opens or None in closes:
        return None
    return Presale(
        deposit_fen=_sum(deposits, "phase_payable_price"),
        balance_fen=_sum(balances, "phase_payable_price"),
        opens_at=min(filter(None, opens)),
        until=max(filter(None, closes)),
    )


def _sum(phases: Sequence[Fields], name: str) -> int:
    return sum(phase.must(name, phase.fen(name)) for phase in phases)


def _all(parts: Sequence[Fields], name: str) -> datetime | None:
    """The last of these times; None where a part has none."""
    times = [part.epoch(name) for part in parts]
    return None if None in times else max(filter(None, times))
