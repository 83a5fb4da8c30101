"""Douyin's feed: what each tag of a push proves, what the order's detail adds, and the steps of an after-sale.

`data/doudian/*.json` are sample messages of the platform; they are kept beside the project, not in it.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from schemas.order import (
    OrderClosed,
    OrderCompleted,
    OrderPaid,
    OrderShipped,
)
from schemas.refund import RefundAgreed, RefundCompleted, RefundGoodsReturned, RefundRequested
from schemas.subjects import NO_BUYER
from services.kernel.inputs import Refused
from services.kernel.process import Fact
from services.trade_ingest.sources import douyin
from services.trade_ingest.stated import (
    Address,
    AddressTouched,
    Flag,
    Memo,
    Paid,
    Placed,
    Price,
    Shipped,
)
from tests.unit.trade_ingest.douyin_messages import AT, ID, PARCEL, RECEIVER, push, sale
from tests.unit.trade_ingest.feeds import KEYS, NOW, Feed, epoch, fits_the_contract, nearly, types

SAMPLES = Path("/work/shared/data/doudian")
feed = Feed(douyin.translate, "douyin", "push")

EXCHANGE: dict[str, Any] = {
    "refund_id": "xxxxxx", "order_id": ID, "line_ids": (ID,), "kind": "exchange", "phase": "aftersale", "fee_fen": 0,
}  # fmt: skip
MEMO = "19103926902,210608-022544395021771"

EXPECTED: dict[str, list[tuple[Any, Any]]] = {
    "TradePendingEvent": [(NOW, Paid(order_id="xxxxxxx"))],
    "TradeCreateEvent": [(epoch(AT), Placed(order_id="12345", platform="douyin"))],
    "TradePaidEvent": [(epoch(AT), OrderPaid(order_id="xxxxxxx", paid_fen=2990))],
    "TradePartlySellerShipEvent": [
        (
            epoch(1599644408),
            OrderShipped(
                order_id=ID,
                parcel_id="111111111111111",
                carrier="gdkd",
                waybill="111111111111111",
                line_ids=(ID,),
                partial=True,
            ),
        )
    ],
    "TradeSuccessEvent": [(epoch(AT), OrderCompleted(order_id="xxxxxxx", cause="automatic"))],
    "TradeCanceledEvent": [(epoch(1618990925), OrderClosed(order_id="12345", reason="订单取消", paid=False))],
    "TradeAmountChangedEvent": [(epoch(1618990859), Price(order_id="12345", total_fen=53800, postage_fen=0))],
    "TradeMemoModifyEvent": [
        (epoch(1623119658), Memo(order_id="4805961163201956922", memo=MEMO)),
        (epoch(1623119658), Flag(order_id="4805961163201956922", platform="douyin", raw_code="5", memo=MEMO)),
    ],
    "TradeAddressChangeAppliedEvent": [],  # asked for, not changed
    "TradeAppointmentEvent": [],  # the day that the buyer wishes
    "RefundCreatedEvent": [(epoch(AT), RefundRequested(**EXCHANGE, reason="78"))],
    "RefundReturnAgreedEvent": [(epoch(AT), RefundAgreed(**EXCHANGE, reason="9"))],
    "RefundReturnApplyAgreedEvent": [(epoch(AT), RefundAgreed(**EXCHANGE, reason="9"))],
    "RefundBuyerReturnGoodsEvent": [(epoch(AT), RefundGoodsReturned(**EXCHANGE, reason="78"))],
    "RefundSuccessEvent": [
        (
            epoch(1618991959),
            RefundCompleted(**EXCHANGE | {"kind": "refund_only", "fee_fen": 13200}, reason="15"),
        )
    ],
}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample messages of Douyin are not on this machine")
def test_every_sample_has_its_expected_facts_here() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_of_the_platform_gives_these_facts_without_a_buyer(name: str) -> None:
    path = SAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip("the sample messages of Douyin are not on this machine")
    facts = feed.facts(path.read_bytes())
    assert [(fact.time, fact.data) for fact in facts] == EXPECTED[name]
    assert {fact.buyer for fact in facts} <= {NO_BUYER}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (push(0, order_status=2), ["stated.paid"]),
        (push(100, create_time=AT), ["stated.placed"]),
        (push(100, create_time=AT, pay_type=0), ["stated.placed"]),
        (push(101, pay_time=AT, pay_amount=2990, pay_type=1), ["order.paid"]),
        (push(101, pay_time=AT, pay_type=1), ["stated.paid"]),
        (push(101, pay_time=AT, pay_amount=2990, pay_type=0), []),  # 货到付款: confirmed, not paid
        (push(102, update_time=AT, logistics_msg=PARCEL), ["order.shipped"]),
        (push(102, update_time=AT), ["stated.shipped"]),
        (push(103, complete_time=AT), ["order.completed"]),
        (push(104, update_time=AT, logistics_msg=PARCEL), ["order.shipped"]),
        (push(105, update_time=AT, receiver_msg=RECEIVER), ["stated.address"]),
        (push(105, update_time=AT), ["stated.address_touched"]),
        (push(106, cancel_time=AT, cancel_reason="不想要了"), ["order.closed"]),
        (push(108, update_time=AT, logistics_msg=PARCEL), ["order.shipped"]),
        (push(109, modify_time=AT, total_amount=53800, post_amount=600), ["stated.price"]),
        (push(110, order_status=2), ["stated.paid"]),  # TradePending
        (push(110, pay_time=AT, pay_amount=2990, pay_type=1), ["order.paid"]),  # TradePaid, as its sample
        (push(111, apply_time=AT, receiver_msg=RECEIVER, post_receiver_msg=RECEIVER), []),
        (push(112, exp_delivery_time="2026-11-25"), []),
        (push(113, update_time=AT, remark="红旗", star=5), ["stated.memo", "stated.flag"]),
        (push(113, update_time=AT, remark=""), ["stated.memo"]),
        (sale(200, apply_time=AT), ["refund.requested"]),
        (sale(201, agree_time=AT), ["refund.agreed"]),
        (sale(202, agree_time=AT), ["refund.agreed"]),
        (sale(203, return_time=AT), ["refund.goods_returned"]),
        (sale(204, refuse_time=AT), ["refund.refused"]),
        (sale(205, refuse_time=AT), ["refund.refused"]),
        (sale(206, success_time=AT), ["refund.completed"]),
        (sale(207, close_time=AT), ["refund.closed"]),
        (sale(208, modify_time=AT), ["refund.requested"]),
        (sale(200, apply_time=AT, aftersale_type=None), ["stated.refund_step"]),
        (sale(207, close_time=AT, refund_amount=None), ["stated.refund_step"]),
    ],
)
def test_a_tag_proves_this(message: dict[str, Any], told: list[str]) -> None:
    facts = feed.facts(message)
    assert types(facts) == told
    assert all(fact.time in (epoch(AT), NOW) and fact.data.order_id == ID for fact in facts)


def test_a_pending_order_is_paid_at_a_time_that_is_not_said() -> None:
    assert feed.one(Paid, push(110, order_status=2)).time == NOW


def test_the_whole_order_is_shipped_under_its_waybill() -> None:
    assert feed.one(OrderShipped, push(102, update_time=AT, logistics_msg=PARCEL)).data == OrderShipped(
        order_id=ID, parcel_id="YD1", carrier="yunda", waybill="YD1"
    )
    assert feed.one(Shipped, push(108, update_time=AT, logistics_msg={})).data == Shipped(order_id=ID, partial=True)


@pytest.mark.parametrize(
    ("status", "paid"), [(1, False), (4, False), (None, False), (2, True), (3, True), (101, True), (105, True)]
)
def test_a_closing_is_of_a_paid_order_only_where_its_status_says_so(status: Any, paid: bool) -> None:
    closed = feed.one(OrderClosed, push(106, cancel_time=AT, cancel_reason="不想要了", order_status=status)).data
    assert closed == OrderClosed(order_id=ID, reason="不想要了", paid=paid)


def test_a_changed_price_is_told_with_its_postage() -> None:
    price = feed.one(Price, push(109, modify_time=AT, total_amount="53800", post_amount=600)).data
    assert price == Price(order_id=ID, total_fen=54400, postage_fen=600)


@pytest.mark.parametrize("addr", [RECEIVER["addr"], [RECEIVER["addr"]], json.dumps(RECEIVER["addr"])])
def test_a_changed_receiver_is_sealed_and_told_by_a_digest(addr: Any) -> None:
    changed = feed.one(Address, push(105, update_time=AT, receiver_msg=RECEIVER | {"addr": addr})).data
    assert changed.region == "浙江省 杭州市"
    assert changed.address_digest == KEYS.digest("address", "周一|13678643212|浙江省杭州市滨江区松岭路888号")
    contact = KEYS.open(changed.deposit.sealed)
    assert (contact.name, contact.phone, contact.address) == ("周一", "13678643212", "浙江省杭州市滨江区松岭路888号")


def test_a_created_order_says_that_it_is_paid_on_delivery_if_the_push_does() -> None:
    for pay_type, cash in ((0, True), (1, False), (None, False)):
        assert feed.one(Placed, push(100, create_time=AT, pay_type=pay_type)).data.cash_on_delivery is cash


@pytest.mark.parametrize(
    "hidden",
    [
        {"name": "周*"},
        {"tel": "136****3212"},
        {"name": "#Xo6CVO0o6ywDFNFFYxoQrVZm#4E3uQp#1##"},
        {"addr": RECEIVER["addr"] | {"detail": "", "encrypt_detail": "#Xo6CVO0o6ywDFNFFYxoQrVZm#1##"}},
        {"addr": ""},
    ],
)
def test_a_changed_receiver_that_cannot_be_read_is_a_hint(hidden: dict[str, Any]) -> None:
    assert feed.one(AddressTouched, push(105, update_time=AT, receiver_msg=RECEIVER | hidden)).time == epoch(AT)


def test_a_push_is_a_list_whose_bad_message_holds_up_no_other() -> None:
    good = push(100, create_time=AT)
    found = feed.all([good, push(999), push(109, modify_time=AT, total_amount=1.5), good])
    assert [type(one) for one in found] == [Fact, Refused, Refused, Fact]
    assert [one.field for one in found if isinstance(one, Refused)] == ["[1].tag", "[2].data.total_amount"]


@pytest.mark.parametrize(
    "payload",
    [
        push(100, create_time=str(AT), new={"field": [1]}),
        push("100", create_time=AT * 1000),
        [push(100, create_time=AT)],
        {"tag": 100, "msgId": "m", "data": json.dumps(push(100, create_time=AT)["data"])},
        b"\xef\xbb\xbf" + json.dumps(push(100, create_time=AT), indent=1).replace("\n", "\r\n").encode(),
        push(100, create_time=AT, p_id=int(ID)),
    ],
)
def test_a_message_is_the_same_in_every_form(payload: Any) -> None:
    (fact,) = feed.facts(payload)
    assert (fact.time, fact.data) == (epoch(AT), Placed(order_id=ID, platform="douyin"))


def test_an_empty_push_is_a_heartbeat() -> None:
    assert feed.all([]) == []


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (push(107, update_time=AT), "tag"),
        (push(None), "tag"),
        ({"tag": 100}, "data"),
        ({"tag": 100, "data": "{"}, "data"),
        (push(100, create_time=AT, p_id=None), "data.p_id"),
        (push(100, create_time=AT, p_id=4.705288465508533e18), "data.p_id"),
        (push(100), "data.create_time"),
        (push(100, create_time=0), "data.create_time"),
        (push(100, create_time=631152000 - 1), "data.create_time"),
        (push(100, create_time=2000000000), "data.create_time"),
        (push(101, pay_time=AT, pay_amount="29.90"), "data.pay_amount"),
        (push(101, pay_time=AT, pay_amount=-1), "data.pay_amount"),
        (push(101, pay_time=AT, pay_amount="NaN"), "data.pay_amount"),
        (push(109, modify_time=AT, total_amount=2**53 - 1, post_amount=2**53 - 1), ""),
        (push(111), "data.apply_time"),
        (sale(200, apply_time=AT, aftersale_type=7), "data.aftersale_type"),
        (sale(200, apply_time=AT, aftersale_id=None), "data.aftersale_id"),
        (sale(200), "data.apply_time"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_field(message: dict[str, Any], field: str) -> None:
    assert feed.refused(message).field == field


def test_an_unknown_tag_is_told_those_that_are_known() -> None:
    assert "100, 101, 102" in feed.refused(push(999)).reason


@pytest.mark.parametrize("payload", [b"", b"{", b"7", b"[7]", b"\xff"])
@pytest.mark.parametrize("kind", ["push", "order", "refund"])
def test_what_is_no_json_object_is_refused(kind: str, payload: bytes) -> None:
    assert "JSON" in feed.refused(payload, kind).reason


def test_chats_are_chat_ingests_and_an_unknown_kind_is_told_what_there_is() -> None:
    assert feed.all(b"", kind="chat") == []
    assert "push, order, refund" in feed.refused(push(100), kind="message").reason


PUSHES = [
    push(101, pay_time=AT, pay_amount=2990, pay_type=1),
    push(105, update_time=AT, receiver_msg=RECEIVER),
    push(108, update_time=AT, logistics_msg=PARCEL | {"shipped_order_info": [{"shipped_order_id": ID}]}),
    push(109, modify_time=AT, total_amount=53800, post_amount=600),
    push(113, update_time=AT, remark="红旗", star=5),
    sale(203, return_time=AT),
    [push(106, cancel_time=AT), {"tag": 100, "data": json.dumps(push(100, create_time=AT)["data"])}],
]


def is_silent(message: dict[str, Any]) -> bool:
    """A wish, or an order that is to be paid on delivery: none of PUSHES is, until a field of it is changed."""
    data = message["data"]
    data = json.loads(data) if isinstance(data, str) else data
    return str(message["tag"]) in ("111", "112") or str(data.get("pay_type")) == "0"


@settings(max_examples=250, deadline=None)
@given(nearly(PUSHES))
def test_whatever_is_pushed_is_told_or_refused_and_what_is_told_fits_the_contract(payload: Any) -> None:
    found = feed.all(payload)
    assert found or all(map(is_silent, payload if isinstance(payload, list) else [payload]))
    assert all(fits_the_contract(one) for one in found if isinstance(one, Fact))
