"""JD's feed: what each state of a polled order proves, and how its values are read."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from schemas.order import OrderClosed, OrderCompleted, OrderPaid, OrderPlaced, OrderShipped
from schemas.subjects import NO_BUYER
from services.kernel.inputs import Refused
from services.kernel.process import Fact
from services.trade_ingest.sources import jd
from services.trade_ingest.stated import Address, Flag, Memo, Owner, Paid, Placed, Price, Shipped
from tests.unit.trade_ingest.feeds import KEYS, NOW, Feed, fits_the_contract, line, local, nearly, types, without

feed = Feed(jd.translate, "jd", "order")

ORDER: dict[str, Any] = {
    "orderId": "249786309732",
    "venderId": "10622317",
    "payType": "4-在线支付",
    "orderTotalPrice": "110.00",
    "orderSellerPrice": "100.00",
    "sellerDiscount": "10.00",
    "freightPrice": "6.00",
    "orderPayment": "96.00",
    "balanceUsed": "0.00",
    "orderState": "WAIT_SELLER_STOCK_OUT",
    "orderStateRemark": "等待出库",
    "orderRemark": "请送到门卫",
    "orderStartTime": "2026-11-11 10:00:00",
    "paymentConfirmTime": "2026-11-11 10:01:00",
    "orderEndTime": "0001-01-01 00:00:00",
    "modified": "2026-11-11 10:02:00",
    "venderRemark": "红旗",
    "flag": "",
    "open_id_buyer": "oid-7",
    "pin": "jd_abc",
    "consigneeInfo": {
        "fullname": "张三",
        "mobile": "13800138000",
        "telephone": "",
        "fullAddress": "浙江杭州市滨江区松岭路888号",
        "province": "浙江",
        "city": "杭州市",
        "county": "滨江区",
    },
    "itemInfoList": [
        {"skuId": "10054887745652", "skuName": "杯子", "itemTotal": "2", "jdPrice": "50.00", "wareId": "1"},
        {"skuId": "10054887745652", "skuName": "杯子", "itemTotal": "1", "jdPrice": "10.00", "giftPoint": "0"},
    ],
}  # fmt: skip
SENT = {"orderState": "WAIT_GOODS_RECEIVE_CONFIRM", "waybill": "JDX001", "logisticsId": "2087"}
DONE = {"orderState": "FINISHED_L", "orderEndTime": "2026-11-15 09:00:00", "modified": "2026-11-16 00:00:00"}

LIFE = ["order.placed", "order.paid"]
VALUES = ["stated.price", "stated.address", "stated.memo", "stated.memo"]


@pytest.mark.parametrize(
    ("state", "proved"),
    [
        ({"orderState": "WAIT_SELLER_STOCK_OUT"}, LIFE),
        ({"orderState": "WAIT_SELLER_DELIVERY"}, LIFE),
        ({"orderState": "WAIT_SEND_CODE"}, LIFE),
        ({"orderState": "POP_ORDER_PAUSE"}, LIFE),
        ({"orderState": "LOCKED"}, LIFE),
        (SENT, [*LIFE, "order.shipped"]),
        (without(SENT, "waybill"), [*LIFE, "stated.shipped"]),
        (DONE, [*LIFE, "order.completed"]),
        (SENT | DONE, [*LIFE, "order.shipped", "order.completed"]),
        ({"orderState": "TRADE_CANCELED"}, [*LIFE, "order.closed"]),
        ({"paymentConfirmTime": "0001-01-01 00:00:00"}, ["order.placed", "stated.paid"]),
        ({"paymentConfirmTime": "1970-01-01 00:00:00", "payType": "1-货到付款"}, ["order.placed"]),
        (DONE | {"paymentConfirmTime": "", "payType": "1"}, [*LIFE, "order.completed"]),
        (SENT | {"paymentConfirmTime": "", "payType": "1"}, ["order.placed", "order.shipped"]),
        ({"paymentConfirmTime": "0001-01-01 00:00:00", "orderState": "LOCKED"}, ["order.placed"]),
        ({"paymentConfirmTime": "", "orderState": "TRADE_CANCELED"}, ["order.placed", "order.closed"]),
    ],
)
def test_a_state_proves_what_must_be_behind_it_and_no_more(state: dict[str, Any], proved: list[str]) -> None:
    assert types(feed.facts(ORDER | state)) == ["stated.owner", *proved, *VALUES]


def test_an_order_is_placed_with_its_lines_at_its_own_time() -> None:
    placed = feed.one(OrderPlaced, ORDER)
    assert placed.time == local("11-11 10:00:00")
    assert placed.data == OrderPlaced(
        order_id="249786309732",
        platform="jd",
        shop_kind="mall",
        lines=(
            line("10054887745652", title="杯子", quantity=2, price_fen=5000),
            line("10054887745652-2", sku="10054887745652", title="杯子", price_fen=1000),
        ),
        total_fen=10600,
        postage_fen=600,
        region="浙江 杭州市",
    )


def test_what_was_paid_counts_the_buyers_balance_and_comes_at_the_time_of_payment() -> None:
    paid = feed.one(OrderPaid, ORDER | {"balanceUsed": "4.00"})
    assert (paid.time, paid.data.paid_fen) == (local("11-11 10:01:00"), 10_000)


def test_the_total_is_what_the_goods_cost_after_the_shops_discount_and_the_freight() -> None:
    assert feed.one(Price, ORDER).data == Price(order_id="249786309732", total_fen=10600, postage_fen=600)
    assert feed.one(Price, without(ORDER, "orderSellerPrice")).data.total_fen == 10600
    assert feed.one(Price, ORDER).time == local("11-11 10:02:00")
    assert feed.one(Placed, ORDER | {"itemInfoList": ""}).data.total_fen == 10600
    assert not feed.of(Price, without(ORDER, "orderSellerPrice", "orderTotalPrice"))


def test_a_parcel_left_when_it_was_booked_out_or_else_before_the_order_changed_or_ended() -> None:
    sent = feed.one(OrderShipped, ORDER | SENT | {"outBoundDate": "2026-11-11 18:00:00"})
    assert sent.time == local("11-11 18:00:00")
    assert sent.data == OrderShipped(
        order_id="249786309732", parcel_id="JDX001", carrier="2087", waybill="JDX001", line_ids=None
    )
    assert feed.one(OrderShipped, ORDER | SENT).time == local("11-11 10:02:00")
    assert feed.one(OrderShipped, ORDER | SENT | DONE).time == local("11-15 09:00:00")
    assert feed.one(Shipped, ORDER | without(SENT, "waybill")).time == local("11-11 10:02:00")


def test_an_end_has_its_own_time_and_a_cancellation_says_whether_it_was_paid() -> None:
    done = feed.one(OrderCompleted, ORDER | DONE)
    assert (done.time, done.data.cause) == (local("11-15 09:00:00"), "automatic")
    closed = feed.one(OrderClosed, ORDER | {"orderState": "TRADE_CANCELED", "orderStateRemark": "取消"})
    assert (closed.time, closed.data.reason, closed.data.paid) == (local("11-11 10:02:00"), "取消", True)
    unpaid = ORDER | {"orderState": "TRADE_CANCELED", "paymentConfirmTime": "0001-01-01 00:00:00"}
    assert not feed.one(OrderClosed, unpaid).data.paid


@pytest.mark.parametrize(
    ("said", "mode"), [("1", "cash_on_delivery"), (1, "cash_on_delivery"), ("4-在线支付", "online"), (6, "online")]
)
def test_pay_type_1_is_cash_on_delivery(said: Any, mode: str) -> None:
    assert feed.one(OrderPlaced, ORDER | {"payType": said}).data.pay_mode == mode


def test_cash_on_delivery_that_is_completed_was_paid_when_its_payment_was_confirmed_or_else_by_the_end() -> None:
    done = ORDER | DONE | {"payType": "1", "balanceUsed": "4.00"}
    assert feed.one(OrderPaid, done).time == local("11-11 10:01:00")
    paid = feed.one(OrderPaid, done | {"paymentConfirmTime": "0001-01-01 00:00:00"})
    assert (paid.time, paid.data.paid_fen) == (local("11-15 09:00:00"), 10_000)


def test_an_order_without_lines_says_all_the_same_that_it_is_paid_on_delivery() -> None:
    assert feed.one(Placed, ORDER | {"itemInfoList": "", "payType": "1"}).data.cash_on_delivery


def test_a_voucher_has_no_parcel() -> None:
    assert feed.one(OrderPlaced, ORDER | {"orderState": "WAIT_SEND_CODE"}).data.virtual


def test_memos_are_the_buyers_at_placing_and_the_shops_as_they_are_now_be_they_empty() -> None:
    asked, kept = feed.of(Memo, ORDER)
    assert (asked.time, asked.data.memo, asked.data.by) == (local("11-11 10:00:00"), "请送到门卫", "buyer")
    assert (kept.time, kept.data.memo, kept.data.by) == (local("11-11 10:02:00"), "红旗", "seller")
    assert feed.of(Memo, ORDER | {"orderRemark": "", "venderRemark": "甲\r\n乙"})[0].data.memo == "甲\n乙"
    assert feed.of(Memo, ORDER | {"orderRemark": "", "venderRemark": ""})[0].data.memo == ""
    assert not feed.of(Memo, without(ORDER, "orderRemark", "venderRemark"))


def test_a_flag_keeps_the_platforms_code() -> None:
    assert feed.one(Flag, ORDER | {"flag": 3}).data == Flag(
        order_id="249786309732", platform="jd", raw_code="3", memo="红旗"
    )


def test_the_open_id_is_the_buyer_and_the_pin_his_alias() -> None:
    owner = feed.one(Owner, ORDER)
    assert owner.data == Owner(order_id="249786309732", open_id="oid-7", alias=KEYS.alias("s1", "jd_abc"))
    assert {fact.buyer for fact in feed.facts(ORDER)} == {"oid-7"}
    assert feed.one(Owner, ORDER | {"pin": "jd***c"}).data.alias == ""


@pytest.mark.parametrize(
    ("pin", "buyer"), [("jd_abc", KEYS.nick_lane("s1", "jd_abc")), ("jd***c", NO_BUYER), ("", NO_BUYER)]
)
@pytest.mark.parametrize("open_id", [None, "o***7"])
def test_without_an_open_id_the_pin_is_the_lane_and_a_masked_one_is_nobody(
    open_id: str | None, pin: str, buyer: str
) -> None:
    facts = feed.facts(ORDER | {"open_id_buyer": open_id, "pin": pin})
    assert {fact.buyer for fact in facts} == {buyer}
    assert "stated.owner" not in types(facts)


def test_the_receiver_is_sealed_and_told_by_a_digest() -> None:
    found = feed.one(Address, ORDER)
    assert found.data.region == "浙江 杭州市"
    contact = KEYS.open(found.data.deposit.sealed)
    assert (contact.name, contact.phone, contact.address) == ("张三", "13800138000", "浙江杭州市滨江区松岭路888号")
    moved = ORDER | {"consigneeInfo": ORDER["consigneeInfo"] | {"fullAddress": "浙江杭州市滨江区松岭路889号"}}
    assert feed.one(Address, moved).data.address_digest != found.data.address_digest
    assert feed.one(Address, ORDER).data.address_digest == found.data.address_digest


def test_a_masked_or_encrypted_receiver_is_told_by_the_platforms_own_id_of_it_alone() -> None:
    masked = ORDER["consigneeInfo"] | {"mobile": "138****8000", "fullAddress": "AAS/ZFJFpmfveSmeZ0P9" * 4}
    assert not feed.of(Address, ORDER | {"consigneeInfo": masked})
    found = feed.one(Address, ORDER | {"consigneeInfo": masked | {"oaid": "oaid-1"}})
    contact = KEYS.open(found.data.deposit.sealed)
    assert (contact.name, contact.phone, contact.address) == ("张三", "138****8000", "")


@pytest.mark.parametrize(
    "payload",
    [
        ORDER,
        [ORDER],
        {"orderInfo": ORDER},
        {"orderInfo": json.dumps(ORDER)},
        {"jingdong_pop_order_get_responce": {"code": "0", "orderDetailInfo": {"orderInfo": ORDER}}},
        {"jingdong_pop_order_search_responce": {"searchorderinfo_result": {"orderTotal": 1, "orderInfoList": [ORDER]}}},
        {"orderInfoList": ORDER},
        b"\xef\xbb\xbf" + json.dumps(ORDER, indent=1).replace("\n", "\r\n").encode(),
        ORDER | {"sendpayMap": '{"34":"3"}', "couponDetailList": [[{"a": 1}]], "new": {"er": None}},
    ],
)
def test_an_order_is_the_same_in_every_envelope(payload: Any) -> None:
    assert types(feed.facts(payload)) == types(feed.facts(ORDER))


def test_a_poll_that_found_nothing_is_taken_in_silence() -> None:
    assert feed.all({"jingdong_pop_order_search_responce": {"searchorderinfo_result": {"orderInfoList": ""}}}) == []


def test_an_order_that_cannot_be_read_holds_up_no_other() -> None:
    found = feed.all([ORDER | {"orderPayment": "1.001"}, ORDER])
    assert isinstance(found[0], Refused)
    assert [type(one) for one in found[1:]] == [Fact] * 7
    assert found[0].field == "[0].orderPayment"


@pytest.mark.parametrize("order_id", [4705288465508532862, "4705288465508532862"])
def test_order_ids_keep_every_digit(order_id: Any) -> None:
    assert {fact.data.order_id for fact in feed.facts(ORDER | {"orderId": order_id})} == {"4705288465508532862"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"orderState": "NOT_PAY"}, "orderState"),
        ({"orderState": ""}, "orderState"),
        ({"orderId": 4.7e18}, "orderId"),
        ({"orderId": None}, "orderId"),
        ({"payType": "9"}, "payType"),
        ({"orderPayment": "29.801"}, "orderPayment"),
        ({"orderPayment": "-1.00"}, "orderPayment"),
        ({"orderPayment": "NaN"}, "orderPayment"),
        ({"orderStartTime": "0001-01-01 00:00:00"}, "orderStartTime"),
        ({"modified": "2026-11-24 13:30:00"}, "modified"),
        ({"modified": "11.11.2026"}, "modified"),
        ({"orderRemark": "\ud800"}, "orderRemark"),  # half of a surrogate pair: UTF-8 cannot keep it
        ({"consigneeInfo": "{\ud800"}, "consigneeInfo"),
        ({"itemInfoList": [{"skuId": "1", "jdPrice": "1.00"}]}, "itemInfoList[0].itemTotal"),
        ({"itemInfoList": ORDER["itemInfoList"][0] | {"itemTotal": "0"}}, ""),
        ({"sellerDiscount": "200.00", "orderSellerPrice": None, "freightPrice": None}, ""),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_field(change: dict[str, Any], field: str) -> None:
    assert feed.refused(ORDER | change).field == field


@pytest.mark.parametrize("payload", [b"", b"{", b"7", b"[7]", b"\xff"])
def test_what_is_no_json_object_is_refused(payload: bytes) -> None:
    assert "JSON" in feed.refused(payload).reason


def test_chats_are_chat_ingests_and_an_unknown_kind_is_told_what_there_is() -> None:
    assert feed.all(b"", kind="chat") == []
    assert "order" in feed.refused(ORDER, kind="orders").reason


def test_a_time_that_is_missing_is_that_of_the_last_change_or_of_the_poll() -> None:
    assert feed.one(Paid, without(ORDER, "paymentConfirmTime")).time == local("11-11 10:02:00")
    assert feed.one(Price, without(ORDER, "modified")).time == NOW


@settings(max_examples=200, deadline=None)
@given(nearly([ORDER, ORDER | SENT, ORDER | DONE, {"orderInfo": ORDER}, {"orderInfoList": [ORDER, ORDER]}]))
def test_whatever_comes_is_told_or_refused_and_what_is_told_fits_the_contract(payload: Any) -> None:
    found = feed.all(payload)
    assert found or payload.get("orderInfoList") in ([], "", " ", {}, [[]], "[]")
    assert all(fits_the_contract(one) for one in found if isinstance(one, Fact))
