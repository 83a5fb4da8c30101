"""Douyin's order detail: what its status proves, and how its values are read."""

from typing import Any

import pytest
from hypothesis import given, settings

from schemas.order import (
    OrderCompleted,
    OrderDepositPaid,
    OrderLine,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    Presale,
)
from schemas.subjects import NO_BUYER
from services.kernel.process import Fact
from services.trade_ingest.sources import douyin
from services.trade_ingest.stated import (
    Address,
    AllSigned,
    Flag,
    Memo,
    Owner,
    Paid,
    Placed,
)
from tests.unit.trade_ingest.douyin_messages import AT, DETAIL, GIFT, ID, PACKED, RECEIVER, SKU, detail, push
from tests.unit.trade_ingest.feeds import KEYS, NOW, Feed, epoch, fits_the_contract, nearly, types

feed = Feed(douyin.translate, "douyin", "order")

OPEN_ID = DETAIL["doudian_open_id"]
CLEAR: dict[str, Any] = {"post_receiver": "周一", "post_tel": "13678643212", "post_addr": RECEIVER["addr"]}
VALUES = ["stated.price", "stated.address", "stated.memo", "stated.memo", "stated.flag"]
LIFE = ["stated.owner", "order.placed", "order.paid"]


@pytest.mark.parametrize(
    ("change", "proved"),
    [
        ({"order_status": 1, "pay_time": 0}, LIFE[:2]),
        ({"order_status": 105}, LIFE),
        ({"order_status": 2}, LIFE),
        ({"order_status": 2, "pay_time": 0}, [*LIFE[:2], "stated.paid"]),
        ({"order_status": 2, "pay_type": 0}, LIFE[:2]),  # 货到付款: its pay_time is the shop's confirming
        ({"order_status": 101, "logistics_info": [PACKED]}, [*LIFE, "order.shipped"]),
        ({"order_status": 3, "logistics_info": PACKED}, [*LIFE, "order.shipped"]),
        ({"order_status": 3, "logistics_info": ""}, [*LIFE, "stated.shipped"]),
        ({"order_status": 3, "order_type": 2}, LIFE),  # virtual: nothing travels
        ({"order_status": 5, "finish_time": AT + 50}, [*LIFE, "order.completed"]),
        ({"order_status": 4}, [*LIFE, "order.closed"]),
        ({"sku_order_list": [SKU | {"logistics_receipt_time": AT}]}, [*LIFE, "stated.all_signed"]),
        ({"sku_order_list": [SKU | {"logistics_receipt_time": AT}, GIFT]}, LIFE),
        ({"sku_order_list": ""}, ["stated.owner", "stated.placed", "order.paid"]),
    ],
)
def test_a_detail_proves_what_must_be_behind_its_status(change: dict[str, Any], proved: list[str]) -> None:
    facts = feed.facts(detail(**change))
    assert types(facts) == [*proved, *VALUES]
    assert {fact.buyer for fact in facts} == {OPEN_ID}


def test_a_detail_places_the_order_with_its_lines() -> None:
    placed = feed.one(OrderPlaced, detail(sku_order_list=[SKU, GIFT]))
    assert placed.time == epoch(AT - 60)
    assert placed.data == OrderPlaced(
        order_id=ID,
        platform="douyin",
        shop_kind="c_shop",
        lines=(
            OrderLine(line_id=ID, sku="3373737", title="杯子", quantity=2, price_fen=10000, paid_fen=20500),
            OrderLine(line_id="2", sku="1", title="杯子", quantity=2, price_fen=0, paid_fen=0, gift=True),
        ),
        total_fen=20500,
        postage_fen=500,
        ship_by=epoch(1800000000),
        region="浙江省 杭州市",
    )


def test_each_fact_of_a_detail_has_its_own_time_and_each_value_that_of_the_last_update() -> None:
    order = detail(order_status=5, finish_time=AT + 50, logistics_info=[PACKED])
    times = {fact.data.TYPE: fact.time for fact in feed.facts(order)}
    assert times["order.paid"] == epoch(AT)
    assert times["order.shipped"] == epoch(AT + 30)
    assert times["order.completed"] == epoch(AT + 50)
    assert times["stated.price"] == times["stated.address"] == times["stated.flag"] == epoch(AT + 60)


def test_the_parcel_of_a_detail_is_that_of_a_push() -> None:
    pushed = feed.one(OrderShipped, push(102, update_time=AT, logistics_msg={"logistics_code": "SF1"}), "push").data
    told = feed.one(OrderShipped, detail(order_status=101, logistics_info=[PACKED])).data
    assert told == OrderShipped(
        order_id=ID, parcel_id="SF1", carrier="顺丰", waybill="SF1", line_ids=(ID,), partial=True
    )
    assert pushed.parcel_id == told.parcel_id


def test_a_receipt_that_the_buyer_confirmed_is_his() -> None:
    done = detail(order_status=5, sku_order_list=[SKU | {"confirm_receipt_time": AT}])
    assert feed.one(OrderCompleted, done).data.cause == "buyer"
    assert feed.one(OrderCompleted, detail(order_status=5)).data.cause == "automatic"


@pytest.mark.parametrize(("received", "time"), [(AT + 40, AT + 40), (0, AT + 50)])
def test_cash_on_delivery_that_is_completed_was_paid_at_signing_or_else_by_the_end(received: int, time: int) -> None:
    """Its `pay_time` is the shop's confirming, before the parcel left."""
    lines = [SKU | {"logistics_receipt_time": received}]
    done = detail(order_status=5, pay_type=0, finish_time=AT + 50, sku_order_list=lines)
    paid = feed.one(OrderPaid, done)
    assert (paid.time, paid.data.paid_fen) == (epoch(time), 20500)
    assert feed.one(OrderPlaced, done).data.pay_mode == "cash_on_delivery"
    assert feed.one(Paid, detail(order_status=5, pay_type=0, pay_amount=None)).time == epoch(AT + 60)


def test_a_presale_without_the_window_of_its_balance_is_a_hint_until_it_is_paid_or_closed() -> None:
    phases = [{"current_phase": 1, "phase_payable_price": 1000}, {"current_phase": 2, "phase_payable_price": 9000}]
    unknown = {"order_phase_list": phases, "pay_time": 0}
    hint = feed.one(Placed, detail(order_status=1, **unknown))
    assert hint.data == Placed(order_id=ID, platform="douyin", total_fen=20500, presale=True)
    assert feed.one(OrderPlaced, detail(order_status=4, **unknown)).data.presale is None


def test_every_line_must_have_come_for_the_order_to_be_signed() -> None:
    lines = [SKU | {"logistics_receipt_time": AT - 5}, GIFT | {"logistics_receipt_time": AT}]
    assert feed.one(AllSigned, detail(sku_order_list=lines)).time == epoch(AT)


def test_a_paid_deposit_is_not_paid_until_the_balance_is() -> None:
    first = {"current_phase": 1, "phase_payable_price": 1000, "phase_pay_amount": 1000, "phase_pay_time": AT}
    second = {
        "current_phase": 2, "phase_payable_price": 9000, "phase_pay_amount": 0, "phase_pay_time": 0,
        "phase_open_time": AT + 100, "phase_close_time": 1800000000,
    }  # fmt: skip
    order = detail(order_status=1, order_phase_list=[first, second])
    assert feed.one(OrderDepositPaid, order).data.paid_fen == 1000
    assert not feed.of(OrderPaid, order)
    assert feed.one(OrderPlaced, order).data.presale == Presale(
        deposit_fen=1000, balance_fen=9000, opens_at=epoch(AT + 100), until=epoch(1800000000)
    )
    settled = detail(order_phase_list=[first, second | {"phase_pay_time": AT + 150}])
    assert feed.one(OrderPaid, settled).time == epoch(AT + 150)


def test_the_buyer_is_the_doudian_open_id_and_no_other() -> None:
    assert feed.one(Owner, detail()).data == Owner(order_id=ID, open_id=OPEN_ID)
    for nobody in (None, "", "1@#***"):
        facts = feed.facts(detail(doudian_open_id=nobody))
        assert {fact.buyer for fact in facts} == {NO_BUYER}
        assert "stated.owner" not in types(facts)


@pytest.mark.parametrize("envelope", [lambda one: one, lambda one: {"order_detail": one}, lambda one: [one]])
def test_the_short_form_says_whose_the_order_is(envelope: Any) -> None:
    (owner,) = feed.facts(envelope({"p_id": int(ID), "doudian_open_id": "u7"}))
    assert (owner.time, owner.buyer, owner.data) == (NOW, "u7", Owner(order_id=ID, open_id="u7"))


def test_a_masked_receiver_is_told_by_the_platforms_id_of_it_and_kept_as_given() -> None:
    found = feed.one(Address, detail()).data
    contact = KEYS.open(found.deposit.sealed)
    assert (contact.name, contact.phone, contact.address) == ("周*", "1********12", "浙江省杭州市滨江区松岭路***号")
    assert found.address_digest == KEYS.digest("address", "#OdfQ5MRY8CwIUcA=")
    assert not feed.of(Address, detail(open_address_id=None))


def test_a_receiver_that_can_be_read_is_the_same_in_detail_and_push() -> None:
    plain = detail(post_receiver="周一", post_tel="13678643212", post_addr=RECEIVER["addr"])
    pushed = feed.one(Address, push(105, update_time=AT, receiver_msg=RECEIVER), "push").data
    assert feed.one(Address, plain).data.address_digest == pushed.address_digest


def test_a_masked_id_of_an_address_tells_nothing() -> None:
    assert not feed.of(Address, detail(open_address_id="#Od***"))
    clear = feed.one(Address, detail(**CLEAR, open_address_id="#Od***")).data
    assert clear.address_digest == feed.one(Address, detail(**CLEAR, open_address_id=None)).data.address_digest


def test_memos_are_the_buyers_at_placing_and_the_shops_as_they_are_now_be_they_empty() -> None:
    asked, kept = feed.of(Memo, detail())
    assert (asked.time, asked.data.by, asked.data.memo) == (epoch(AT - 60), "buyer", "要快")
    assert (kept.time, kept.data.by, kept.data.memo) == (epoch(AT + 60), "seller", "红旗")
    assert feed.of(Memo, detail(buyer_words="", seller_words=""))[0].data.memo == ""
    assert feed.one(Flag, detail(seller_words=None)).data == Flag(
        order_id=ID, platform="douyin", raw_code="5", memo=None
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"order_status": 7}, "shop_order_detail.order_status"),
        ({"order_type": 9}, "shop_order_detail.order_type"),
        ({"order_id": None}, "shop_order_detail.order_id"),
        ({"order_amount": "205.00"}, "shop_order_detail.order_amount"),
        ({"sku_order_list": [SKU | {"item_num": None}]}, "shop_order_detail.sku_order_list[0].item_num"),
        ({"sku_order_list": [SKU] * 1001}, ""),
    ],
)
def test_a_detail_that_cannot_be_read_is_refused_with_its_field(change: dict[str, Any], field: str) -> None:
    assert feed.refused(detail(**change)).field == field


def test_a_detail_that_says_nothing_is_refused() -> None:
    assert "nothing" in feed.refused({"order_id": ID}).reason


DETAILS = [
    detail(logistics_info=[PACKED]),
    {"data": {"shop_order_list": [DETAIL, DETAIL | {"order_status": 3}]}},
    detail(order_phase_list=[{"current_phase": 1, "phase_payable_price": 1, "phase_pay_amount": 1}]),
]  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(nearly(DETAILS))
def test_whatever_detail_comes_is_told_or_refused_and_what_is_told_fits_the_contract(payload: Any) -> None:
    found = feed.all(payload)
    answer = payload.get("data")
    empty = isinstance(answer, dict) and answer.get("shop_order_list", 1) in ([], {}, "", " ", "[]")
    assert found or empty  # a poll that found nothing
    assert all(fits_the_contract(one) for one in found if isinstance(one, Fact))
