"""PDD's feed: what an order's statuses prove, and how its values are read."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from schemas.order import OrderClosed, OrderCompleted, OrderDepositPaid, OrderPaid, OrderPlaced, OrderShipped
from schemas.subjects import NO_BUYER
from services.kernel.inputs import Refused
from services.kernel.process import Fact
from services.trade_ingest.sources import pdd
from services.trade_ingest.stated import Address, AllSigned, Flag, Memo, Owner, Price
from tests.unit.trade_ingest.feeds import KEYS, NOW, Feed, fits_the_contract, line, local, nearly, types, without

feed = Feed(pdd.translate, "pdd", "order")

ORDER: dict[str, Any] = {
    "order_sn": "201103-123456789012345",
    "order_status": 1,
    "refund_status": 1,
    "confirm_status": 1,
    "group_status": 1,
    "created_time": "2026-11-11 10:00:00",
    "pay_time": "2026-11-11 10:01:00",
    "confirm_time": "2026-11-11 10:01:10",
    "shipping_time": "",
    "receive_time": "",
    "updated_at": "2026-11-11 10:02:00",
    "last_ship_time": "2026-12-01 10:01:00",
    "pay_amount": 27.8,
    "goods_amount": 29.8,
    "postage": 0,
    "discount_amount": 2.0,
    "item_list": [{"sku_id": 987654321098, "goods_name": "杯子", "goods_count": 2, "goods_price": 14.9}],
    "gift_list": None,
    "logistics_id": 0,
    "tracking_number": "",
    "remark": "红旗",
    "remark_tag": 1,
    "buyer_memo": "",
    "receiver_name": "~AgAAAAHVOP0H9gAAAAAAAAAA~JvO9~1~~",
    "receiver_name_mask": "张**",
    "receiver_phone": "$K4B5pXl2C4Vxq0kD$9b1$1$$",
    "receiver_phone_mask": "138****8000",
    "receiver_address": "~AgAAAAHVOP0H9gAAAAAAAAAA~Kx7z~1~~",
    "receiver_address_mask": "松岭路***号",
    "province": "浙江省",
    "city": "杭州市",
    "town": "滨江区",
    "open_address_id": "addr-1",
    "trade_type": 0,
    "step_order_info": None,
}
SENT = {
    "order_status": 2,
    "shipping_time": "2026-11-11 18:00:00",
    "logistics_id": 44,
    "tracking_number": "SF001",
    "updated_at": "2026-11-11 18:00:01",
}
SIGNED = SENT | {"order_status": 3, "receive_time": "2026-11-14 08:00:00", "updated_at": "2026-11-14 08:00:01"}
PLAIN = {"receiver_name": "张三", "receiver_phone": "13800138000", "receiver_address": "松岭路888号"}

VALUES = ["stated.price", "stated.address", "stated.memo", "stated.flag"]


@pytest.mark.parametrize(
    ("state", "proved"),
    [
        ({"order_status": 1}, ["order.placed", "order.paid"]),
        (SENT, ["order.placed", "order.paid", "order.shipped"]),
        (without(SENT, "tracking_number"), ["order.placed", "order.paid", "stated.shipped"]),
        (without(SIGNED, "receive_time"), ["order.placed", "order.paid", "order.shipped", "stated.all_signed"]),
        (SIGNED, ["order.placed", "order.paid", "order.shipped", "stated.all_signed", "order.completed"]),
        ({"confirm_status": 2}, ["order.placed", "order.paid", "order.closed"]),
        ({"pay_time": None}, ["order.placed"]),
        ({"pay_amount": None}, ["order.placed", "stated.paid"]),
        (SENT | {"pay_time": ""}, ["order.placed", "stated.paid", "order.shipped"]),
        ({"item_list": ""}, ["stated.placed", "order.paid"]),
        ({"refund_status": 2}, ["order.placed", "order.paid"]),
        ({"refund_status": 3}, ["order.placed", "order.paid"]),
        ({"refund_status": 4}, ["order.placed", "order.paid"]),
    ],
)
def test_a_status_proves_what_must_be_behind_it_and_a_refund_status_no_event(
    state: dict[str, Any], proved: list[str]
) -> None:
    assert types(feed.facts(ORDER | state)) == [*proved, *VALUES]


def test_an_order_is_placed_with_its_lines_its_gifts_and_the_limit_of_its_shipping() -> None:
    gift = {"sku_id": "11", "goods_name": "杯垫", "goods_count": 1, "goods_price": "0.00"}
    placed = feed.one(OrderPlaced, ORDER | {"gift_list": [gift], "postage": "6"})
    assert placed.time == local("11-11 10:00:00")
    assert placed.data == OrderPlaced(
        order_id="201103-123456789012345",
        platform="pdd",
        shop_kind="c_shop",
        lines=(
            line("987654321098", title="杯子", quantity=2, price_fen=1490),
            line("gift-11", sku="11", title="杯垫", gift=True),
        ),
        total_fen=3580,
        postage_fen=600,
        ship_by=local("12-01 10:01:00"),
        region="浙江省 杭州市",
    )


def test_payment_shipping_signing_and_completion_have_their_own_times() -> None:
    order = ORDER | SIGNED
    paid = feed.one(OrderPaid, order)
    assert (paid.time, paid.data.paid_fen, paid.data.ship_by) == (
        local("11-11 10:01:00"),
        2780,
        local("12-01 10:01:00"),
    )
    sent = feed.one(OrderShipped, order)
    assert (sent.time, sent.data.waybill, sent.data.carrier) == (local("11-11 18:00:00"), "SF001", "44")
    assert feed.one(AllSigned, order).time == feed.one(OrderCompleted, order).time == local("11-14 08:00:00")
    assert feed.one(OrderShipped, order | {"shipping_time": ""}).time == local("11-14 08:00:00")


def test_each_further_package_is_a_parcel() -> None:
    more = {"extra_delivery_list": [{"logistics_id": 1, "tracking_number": "YT2"}], "gift_delivery_list": ""}
    assert [fact.data.parcel_id for fact in feed.of(OrderShipped, ORDER | SENT | more)] == ["SF001", "YT2"]


def test_a_paid_deposit_is_not_paid_until_the_balance_is() -> None:
    presale = {"advanced_paid_fee": 10, "step_paid_fee": 10, "step_trade_status": 1}
    deposit = ORDER | {"trade_type": 1, "step_order_info": presale}
    assert feed.one(OrderDepositPaid, deposit).data.paid_fen == 1000
    assert not feed.of(OrderPaid, deposit)
    settled = deposit | {"step_order_info": presale | {"step_trade_status": 2}}
    assert feed.one(OrderPaid, settled).data.paid_fen == 2780
    unpaid = deposit | {"step_order_info": presale | {"step_trade_status": 0}}
    assert types(feed.facts(unpaid)) == ["order.placed", *VALUES]


def test_a_cancelled_order_is_closed_and_says_whether_it_was_paid() -> None:
    assert feed.one(OrderClosed, ORDER | {"confirm_status": 2}).data.paid
    assert not feed.one(OrderClosed, ORDER | {"confirm_status": 2, "pay_time": "1970-01-01 00:00:00"}).data.paid


@pytest.mark.parametrize("tag", [0, 1, 5, "5"])
def test_a_flag_keeps_the_platforms_number_and_its_memo(tag: Any) -> None:
    assert feed.one(Flag, ORDER | {"remark_tag": tag}).data == Flag(
        order_id="201103-123456789012345", platform="pdd", raw_code=str(tag), memo="红旗"
    )


def test_a_memo_that_was_taken_away_is_empty_and_one_that_is_not_said_is_none() -> None:
    assert feed.one(Memo, ORDER | {"remark": ""}).data.memo == ""
    assert not feed.of(Memo, without(ORDER, "remark"))
    asked = feed.of(Memo, ORDER | {"buyer_memo": "要快"})[0]
    assert (asked.time, asked.data.by, asked.data.memo) == (local("11-11 10:00:00"), "buyer", "要快")


def test_pdd_names_no_buyer_but_the_bridge_may() -> None:
    assert {fact.buyer for fact in feed.facts(ORDER)} == {NO_BUYER}
    named = feed.facts(ORDER | {"buyer_open_id": "u-7"})
    assert {fact.buyer for fact in named} == {"u-7"}
    assert named[0].data == Owner(order_id="201103-123456789012345", open_id="u-7")
    assert {fact.buyer for fact in feed.facts(ORDER | {"buyer_open_id": "u**7"})} == {NO_BUYER}


def test_the_platforms_id_of_an_address_tells_it_while_its_parts_are_hidden_after_shipping() -> None:
    readable, hidden = feed.one(Address, ORDER | PLAIN), feed.one(Address, ORDER | SENT)
    assert readable.data.address_digest == hidden.data.address_digest
    assert feed.one(Address, ORDER | {"open_address_id": "addr-2"}).data.address_digest != hidden.data.address_digest
    contact = KEYS.open(readable.data.deposit.sealed)
    assert (contact.name, contact.phone, contact.address) == ("张三", "13800138000", "浙江省杭州市滨江区松岭路888号")
    masked = KEYS.open(hidden.data.deposit.sealed)
    assert (masked.name, masked.phone, masked.address) == ("张**", "138****8000", "浙江省杭州市滨江区松岭路***号")


def test_without_that_id_only_a_receiver_that_can_be_read_is_told() -> None:
    assert not feed.of(Address, without(ORDER, "open_address_id"))
    assert feed.one(Address, without(ORDER | PLAIN, "open_address_id")).data.region == "浙江省 杭州市"


@pytest.mark.parametrize(
    "payload",
    [
        [ORDER],
        {"order_info": ORDER},
        {"order_info_get_response": {"order_info": json.dumps(ORDER)}},
        {"order_list_get_response": {"order_list": [ORDER], "total_count": 1}},
        {"order_sn_increment_get_response": {"order_sn_list": ORDER}},
        b"\xef\xbb\xbf" + json.dumps(ORDER).encode() + b"\r\n",
        ORDER | {"card_info_list": "", "item_list": ORDER["item_list"][0], "new": [{"name": "free_sf"}]},
    ],
)
def test_an_order_is_the_same_in_every_envelope(payload: Any) -> None:
    assert types(feed.facts(payload)) == types(feed.facts(ORDER))


def test_a_poll_that_found_nothing_is_taken_in_silence() -> None:
    assert feed.all({"order_list_get_response": {"order_list": [], "total_count": 0}}) == []


def test_an_order_that_cannot_be_read_holds_up_no_other() -> None:
    bad, *others = feed.all([ORDER | {"order_status": 9}, ORDER])
    assert isinstance(bad, Refused)
    assert bad.field == "[0].order_status"
    assert len(others) == 6


@pytest.mark.parametrize("order_id", [4705288465508532862, "4705288465508532862"])
def test_order_ids_keep_every_digit(order_id: Any) -> None:
    assert {fact.data.order_id for fact in feed.facts(ORDER | {"order_sn": order_id})} == {"4705288465508532862"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"order_status": 0}, "order_status"),
        ({"order_status": None}, "order_status"),
        ({"refund_status": 5}, "refund_status"),
        ({"order_sn": None}, "order_sn"),
        ({"order_sn": 4.7e18}, "order_sn"),
        ({"created_time": "1970-01-01 00:00:00"}, "created_time"),
        ({"pay_amount": 27.801}, "pay_amount"),
        ({"pay_amount": -1}, "pay_amount"),
        ({"pay_amount": "NaN"}, "pay_amount"),
        ({"pay_time": "2026-11-25 10:00:00"}, "pay_time"),
        ({"step_order_info": {"step_trade_status": 3}}, "step_order_info.step_trade_status"),
        ({"item_list": [{"sku_id": 1, "goods_count": 0, "goods_price": 1}]}, ""),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_field(change: dict[str, Any], field: str) -> None:
    assert feed.refused(ORDER | change).field == field


def test_chats_are_chat_ingests_and_an_unknown_kind_is_told_what_there_is() -> None:
    assert feed.all(b"", kind="chat") == []
    assert "order" in feed.refused(ORDER, kind="refund").reason


def test_values_without_a_time_are_of_the_poll() -> None:
    assert feed.one(Price, without(ORDER, "updated_at")).time == NOW


@settings(max_examples=200, deadline=None)
@given(nearly([ORDER, ORDER | SENT, ORDER | SIGNED | PLAIN, {"order_info": ORDER}, {"order_list": [ORDER, ORDER]}]))
def test_whatever_comes_is_told_or_refused_and_what_is_told_fits_the_contract(payload: Any) -> None:
    found = feed.all(payload)
    assert found or payload.get("order_list") in ([], "", " ", {}, [[]], "[]")
    assert all(fits_the_contract(one) for one in found if isinstance(one, Fact))
