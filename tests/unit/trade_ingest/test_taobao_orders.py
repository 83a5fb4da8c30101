"""What a snapshot of a Taobao order proves: the documentation of `in.taobao.<shop>.order`."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.order import OrderClosed, OrderCompleted, OrderDepositPaid, OrderPaid, OrderPlaced, OrderShipped
from services.trade_ingest.sources.taobao.orders import AUTOMATIC_AFTER
from services.trade_ingest.sources.taobao.states import TRADE_STATES
from services.trade_ingest.stated import Address, AllSigned, Flag, Memo, Owner, Placed, Price, Shipped
from tests.unit.trade_ingest.taobao_feed import (
    DISPATCHED,
    ENDED,
    OID,
    OPEN_ID,
    OTHER_OID,
    TID,
    at,
    has,
    line,
    of_type,
    refusals,
    shown,
    trade,
)

HAPPENED = {"order.paid", "order.shipped", "stated.shipped", "order.completed", "order.closed", "stated.all_signed"}

STATES = [
    ("TRADE_NO_CREATE_PAY", {"pay_time": None}, []),
    ("WAIT_BUYER_PAY", {"pay_time": None}, []),
    ("WAIT_BUYER_PAY", {}, []),
    ("PAY_PENDING", {}, []),
    ("WAIT_SELLER_SEND_GOODS", {}, ["order.paid"]),
    ("SELLER_CONSIGNED_PART", {}, ["order.paid", "order.shipped"]),
    ("WAIT_BUYER_CONFIRM_GOODS", {}, ["order.paid", "order.shipped"]),
    ("TRADE_BUYER_SIGNED", {"type": "cod", "pay_time": None}, ["order.paid", "order.shipped", "stated.all_signed"]),
    ("TRADE_FINISHED", ENDED, ["order.paid", "order.shipped", "order.completed"]),
    ("TRADE_CLOSED", ENDED, ["order.paid", "order.shipped", "order.closed"]),
    ("TRADE_CLOSED", {"pay_time": None}, ["order.shipped", "order.closed"]),
    ("TRADE_CLOSED_BY_TAOBAO", ENDED | {"pay_time": None}, ["order.closed"]),
]  # fmt: skip


@pytest.mark.parametrize(("status", "changes", "expected"), STATES)
def test_a_state_proves(status: str, changes: dict[str, Any], expected: list[str]) -> None:
    sent = DISPATCHED if "order.shipped" in expected else {}
    first = line(**sent, status="WAIT_BUYER_CONFIRM_GOODS" if status == "SELLER_CONSIGNED_PART" else status)
    second = line(oid=OTHER_OID, status="WAIT_SELLER_SEND_GOODS")
    lines = [first, second] if status == "SELLER_CONSIGNED_PART" else [first]
    found = shown(*lines, status=status, **changes)
    assert has(found, OrderPlaced)
    assert [fact.data.TYPE for fact in found if fact.data.TYPE in HAPPENED] == expected


def test_every_state_of_the_feed_is_tried_here() -> None:
    assert {status for status, _, _ in STATES} == set(TRADE_STATES)


def test_each_fact_has_the_snapshots_time_for_it() -> None:
    found = shown(line(**DISPATCHED), status="TRADE_FINISHED", **ENDED)
    times = {type(fact.data): fact.time for fact in found}
    assert times[OrderPlaced] == at("2026-11-11 00:00:01")
    assert times[OrderPaid] == at("2026-11-11 00:05:00")
    assert times[OrderShipped] == at("2026-11-11 18:00:00")
    assert times[OrderCompleted] == at("2026-11-20 10:00:00")
    assert {times[kind] for kind in (Owner, Price, Address, Flag)} == {at("2026-11-20 10:00:01")}
    written = {fact.data.by: fact.time for fact in found if type(fact.data) is Memo}
    assert written == {"seller": at("2026-11-20 10:00:01"), "buyer": at("2026-11-11 00:00:01")}
    assert {fact.buyer for fact in found} == {OPEN_ID}


def test_an_order_is_placed_with_its_lines_sums_and_limits() -> None:
    gift = line(oid=OTHER_OID, sku_id=None, num_iid=4001, title="赠品", num=1, price="9.90", payment="0.00")
    limit = "2026-11-24 23:59:59"
    found = shown(line(), gift, status="WAIT_BUYER_PAY", pay_time=None, timeout_action_time=limit)
    placed = of_type(found, OrderPlaced).data
    assert (placed.order_id, placed.platform, placed.shop_kind) == (str(TID), "taobao", "c_shop")
    assert (placed.total_fen, placed.postage_fen, placed.pay_mode) == (5960, 500, "online")
    assert placed.pay_by == placed.closes_at == at(limit)
    assert (placed.region, placed.virtual, placed.presale) == ("浙江省杭州市", False, None)
    first, second = placed.lines
    assert (first.line_id, first.sku, first.quantity, first.price_fen) == (str(OID), "4902000000001", 2, 2980)
    assert (first.title, first.paid_fen, first.gift) == ("碳素鱼竿 3.6米", 5460, False)
    assert (second.line_id, second.sku, second.gift) == (str(OTHER_OID), "4001", True)


@pytest.mark.parametrize(
    ("changes", "gift"),
    [
        ({"price": "0.00", "payment": "0.00"}, True),
        ({"price": "29.80", "payment": "0.00"}, True),
        ({"price": "0.00", "payment": None}, True),
        ({"price": "29.80", "payment": "0.01"}, False),
        ({"price": "29.80", "payment": None}, False),
        ({"price": "29.80", "payment": "0.00", "status": "TRADE_CLOSED_BY_TAOBAO"}, False),
    ],
)
def test_a_line_for_which_nothing_is_asked_is_a_gift(changes: dict[str, Any], gift: bool) -> None:
    assert of_type(shown(line(**changes)), OrderPlaced).data.lines[0].gift is gift


def test_the_time_limit_is_for_paying_only_while_payment_is_awaited() -> None:
    placed = of_type(shown(timeout_action_time="2026-12-01 00:00:00"), OrderPlaced).data
    assert (placed.pay_by, placed.closes_at) == (None, None)


def test_a_tmall_order_is_a_malls() -> None:
    placed = of_type(shown(source="tmall"), OrderPlaced).data
    assert (placed.platform, placed.shop_kind) == ("tmall", "mall")
    assert of_type(shown(source="tmall"), Flag).data.platform == "tmall"


@pytest.mark.parametrize("orders", ["", [], None, {"order": ""}, {"order": []}])
def test_an_order_without_lines_is_a_hint_that_it_was_placed(orders: Any) -> None:
    found = shown(orders=orders)
    assert not has(found, OrderPlaced)
    assert of_type(found, Placed).data == Placed(order_id=str(TID), platform="taobao", total_fen=5960)


def test_an_order_without_lines_says_all_the_same_that_it_is_paid_on_delivery() -> None:
    assert of_type(shown(orders=None, type="cod", pay_time=None), Placed).data.cash_on_delivery


@pytest.mark.parametrize("step", ["FRONT_NOPAID_FINAL_NOPAID", None])
def test_a_presale_before_its_deposit_is_a_hint_and_no_order_to_be_paid_by_a_limit(step: str | None) -> None:
    """The limit shown is the deposit's; balance and window of the rest are not known yet."""
    limit = {"step_trade_status": step, "timeout_action_time": "2026-11-24 23:59:59", "pay_time": None}
    found = shown(type="step", status="WAIT_BUYER_PAY", **limit)
    assert not has(found, OrderPlaced)
    hint = of_type(found, Placed)
    assert hint.time == at("2026-11-11 00:00:01")
    assert hint.data == Placed(order_id=str(TID), platform="taobao", total_fen=5960, presale=True)


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("TRADE_CLOSED_BY_TAOBAO", "FRONT_NOPAID_FINAL_NOPAID"),
        ("TRADE_CLOSED", "FRONT_PAID_FINAL_NOPAID"),
        ("WAIT_SELLER_SEND_GOODS", "FRONT_PAID_FINAL_PAID"),
    ],
)
def test_a_presale_that_is_paid_or_closed_waits_for_nothing_more_and_is_told(status: str, step: str) -> None:
    found = shown(type="step", status=status, step_trade_status=step, step_paid_fee="10.00", **ENDED)
    assert of_type(found, OrderPlaced).data.presale is None


@pytest.mark.parametrize(
    ("changes", "virtual"),
    [
        ({"shipping_type": "virtual"}, True),
        ({"type": "auto_delivery"}, True),
        ({"type": "ec"}, True),
        ({"type": "game_equipment"}, True),
        ({"shipping_type": "free"}, False),
        ({"type": "guarantee_trade", "shipping_type": None}, False),
    ],
)
def test_goods_that_nobody_carries_are_virtual_and_never_shipped(changes: dict[str, Any], virtual: bool) -> None:
    found = shown(status="WAIT_BUYER_CONFIRM_GOODS", consign_time="2026-11-11 18:00:00", **changes)
    assert of_type(found, OrderPlaced).data.virtual is virtual
    assert has(found, Shipped) is not virtual


@pytest.mark.parametrize(
    ("status", "step", "deposit", "paid"),
    [
        ("WAIT_BUYER_PAY", "FRONT_NOPAID_FINAL_NOPAID", None, None),
        ("WAIT_BUYER_PAY", "FRONT_PAID_FINAL_NOPAID", 1000, None),
        ("WAIT_SELLER_SEND_GOODS", "FRONT_PAID_FINAL_PAID", None, 5960),
    ],
)
def test_a_paid_deposit_is_not_a_paid_order(status: str, step: str, deposit: int | None, paid: int | None) -> None:
    step_paid = "59.60" if paid else "10.00"
    found = shown(type="step", status=status, step_trade_status=step, step_paid_fee=step_paid)
    assert [fact.data.paid_fen for fact in found if type(fact.data) is OrderDepositPaid] == [deposit] * (
        deposit is not None
    )
    assert [fact.data.paid_fen for fact in found if type(fact.data) is OrderPaid] == [paid] * (paid is not None)


def test_a_presale_waits_for_its_balance_until_the_platforms_limit() -> None:
    limit = "2026-12-01 00:00:00"
    presale = {"step_trade_status": "FRONT_PAID_FINAL_NOPAID", "step_paid_fee": "10.00", "timeout_action_time": limit}
    placed = of_type(shown(type="step", status="WAIT_BUYER_PAY", **presale), OrderPlaced).data
    assert (placed.presale.deposit_fen, placed.presale.balance_fen) == (1000, 4960)
    assert placed.presale.until == placed.presale.opens_at == placed.pay_by == at(limit)


def test_a_presale_closed_after_its_deposit_was_never_paid() -> None:
    step = {"step_trade_status": "FRONT_PAID_FINAL_NOPAID", "step_paid_fee": "10.00"}
    assert of_type(shown(type="step", status="TRADE_CLOSED", **step), OrderClosed).data.paid is False


@pytest.mark.parametrize(
    ("status", "changes", "paid"),
    [
        ("WAIT_SELLER_SEND_GOODS", {}, None),
        ("WAIT_BUYER_CONFIRM_GOODS", {"consign_time": "2026-11-11 18:00:00"}, None),
        ("TRADE_BUYER_SIGNED", {"consign_time": "2026-11-11 18:00:00"}, "2026-11-11 00:05:02"),
        ("TRADE_FINISHED", ENDED, "2026-11-20 10:00:00"),
        ("TRADE_CLOSED", {}, None),
    ],
)
def test_cash_on_delivery_is_paid_at_signing(status: str, changes: dict[str, Any], paid: str | None) -> None:
    found = shown(line(**DISPATCHED), status=status, type="cod", pay_time=None, **changes)
    assert of_type(found, OrderPlaced).data.pay_mode == "cash_on_delivery"
    assert [fact.time for fact in found if type(fact.data) is OrderPaid] == ([at(paid)] if paid else [])


def test_a_paid_order_without_a_payment_time_is_refused_for_that_alone() -> None:
    message = {"trade": trade(pay_time="0001-01-01 00:00:00")}
    assert [refused.field for refused in refusals(message, "order")] == ["trade.pay_time"]


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        (AUTOMATIC_AFTER - timedelta(seconds=1), "buyer"),
        (AUTOMATIC_AFTER, "automatic"),
        (AUTOMATIC_AFTER + timedelta(days=3), "automatic"),
    ],
)
def test_completed_within_ten_days_of_the_last_shipping_is_the_buyers_doing(after: timedelta, cause: str) -> None:
    shipped = datetime(2026, 11, 1, 12)
    first = line(**DISPATCHED | {"consign_time": "2026-10-20 12:00:00"})
    last = line(oid=OTHER_OID, **DISPATCHED | {"invoice_no": "SF1", "consign_time": str(shipped)})
    found = shown(
        first, last, status="TRADE_FINISHED", end_time=str(shipped + after), consign_time="2026-10-20 12:00:00"
    )
    assert of_type(found, OrderCompleted).data.cause == cause


def test_of_what_nobody_shipped_no_act_of_the_buyer_is_claimed() -> None:
    found = shown(type="auto_delivery", status="TRADE_FINISHED", **ENDED)
    assert of_type(found, OrderCompleted).data.cause == "automatic"


def test_the_state_signed_is_of_the_whole_order_when_it_was_last_modified() -> None:
    found = shown(line(**DISPATCHED), status="TRADE_BUYER_SIGNED", type="cod")
    assert of_type(found, AllSigned).time == at("2026-11-11 00:05:02")


@pytest.mark.parametrize(
    ("status", "paid", "reason"),
    [("TRADE_CLOSED", True, "付款后退款关闭"), ("TRADE_CLOSED_BY_TAOBAO", False, "未付款关闭")],
)
def test_a_closed_order_is_closed_as_a_whole_and_its_price_is_no_news(status: str, paid: bool, reason: str) -> None:
    found = shown(line(), line(oid=OTHER_OID), status=status, payment="0.00", **ENDED)
    closed = of_type(found, OrderClosed)
    assert closed.data == OrderClosed(order_id=str(TID), reason=reason, paid=paid)
    assert closed.time == at("2026-11-20 10:00:00")
    assert not has(found, Price)


def test_a_line_closed_singly_is_closed_alone() -> None:
    closed = line(oid=OTHER_OID, status="TRADE_CLOSED", end_time="2026-11-12 08:00:00")
    fact = of_type(shown(line(), closed), OrderClosed)
    assert fact.data == OrderClosed(order_id=str(TID), reason="付款后退款关闭", paid=True, line_ids=(str(OTHER_OID),))
    assert fact.time == at("2026-11-12 08:00:00")
