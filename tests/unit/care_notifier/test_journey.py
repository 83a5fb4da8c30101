"""Journey: which messages of an order's way are proposed (domain.md 4, payment_thanks, shipped, signed)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.care import CareProposed
from schemas.envelope import Event
from schemas.order import OrderAddressChanged, OrderLine
from services.care_notifier import journey
from services.care_notifier.journey import care_id, goods, orders_named, transit_days
from services.care_notifier.texts import render
from services.kernel.policy import default_policy, load
from services.replay.story import Story, at, event, story
from tests.unit.care_notifier.facts import CUP, closed, completed, paid, placed, seconds, shipped, signed

KINDS = default_policy().care.kinds


def proposed(told: Story) -> list[CareProposed]:
    return [one.data for one in told.memory.log if isinstance(one.data, CareProposed)]


def only(told: Story) -> CareProposed:
    (found,) = proposed(told)
    return found


def text(told: Story) -> str:
    found = only(told)
    return render(found.template, found.values)


def test_a_payment_is_thanked_for_with_the_goods_and_the_region_to_be_checked() -> None:
    story(journey).given(placed("10:00:00", region="浙江 杭州")).when(paid("10:05:00")).then(
        CareProposed(
            care_id=care_id("s1", "b1", "payment_thanks", "o1", ""),
            kind="payment_thanks",
            order_id="o1",
            marketing=False,
            template="payment_thanks",
            values={"商品清单": "杯子×2", "收货地区": "浙江 杭州", "发货时效说明": ""},
            not_before=at("10:05:00"),
            expires_at=at("10:05:00") + seconds(KINDS.payment_thanks.expires_s),
        )
    )


def test_the_expiry_counts_from_the_fact_and_what_is_learnt_late_is_proposed_all_the_same() -> None:
    told = story(journey).when(paid("01:00:00", recorded="20:00:00"))
    assert only(told).expires_at == at("01:00:00") + seconds(KINDS.payment_thanks.expires_s)
    assert only(told).not_before == at("20:00:00")


def test_of_a_closed_order_nothing_is_said_any_more() -> None:
    told = story(journey).given(placed("10:00:00"), closed("10:05:00"))
    told.when(paid("10:06:00"), shipped("10:07:00"), signed("10:08:00")).then()


def test_an_order_is_thanked_for_once_whatever_is_said_again() -> None:
    story(journey).given(placed("10:00:00"), paid("10:05:00")).when(paid("10:06:00"), placed("10:07:00")).then()


def test_a_payment_of_an_order_that_was_not_heard_of_is_thanked_for_in_whole_sentences() -> None:
    told = story(journey).when(paid("10:05:00"))
    assert text(told) == "#收件人姓名#您好,已收到付款:您的商品,寄往您的收货地址,请核对。收货时请当面验货,破损可拒收。"


def test_the_region_is_the_one_the_order_has_now() -> None:
    change = event(OrderAddressChanged(order_id="o1", address_digest="d", region="四川 成都"), at="10:01:00")
    told = story(journey).when(placed("10:00:00", region="浙江 杭州"), change, paid("10:05:00"))
    assert only(told).values["收货地区"] == "四川 成都"


def test_a_virtual_order_is_thanked_for_without_a_word_of_a_parcel() -> None:
    told = story(journey).when(placed("10:00:00", virtual=True), paid("10:05:00"))
    assert text(told) == "#收件人姓名#您好,已收到付款:杯子×2,请核对。"


def test_a_virtual_order_has_no_logistics_messages() -> None:
    story(journey).given(placed("10:00:00", virtual=True)).when(shipped("11:00:00"), signed("12:00:00")).then()


def test_a_virtual_order_that_has_ended_is_still_known_to_be_virtual() -> None:
    told = story(journey).given(placed("10:00:00", virtual=True), completed("10:30:00"))
    told.when(shipped("11:00:00")).then()


def test_an_order_paid_at_the_door_is_not_asked_to_be_verified_then() -> None:
    told = story(journey).given(placed("10:00:00", pay_mode="cash_on_delivery"))
    told.when(paid("18:00:00")).then()


def test_shipping_is_told_with_carrier_waybill_and_expected_days() -> None:
    told = story(journey).when(placed("10:00:00", region="浙江 杭州", origin_region="浙江 金华"), shipped("11:00:00"))
    found = only(told)
    days = default_policy().orders.transit.same_province_days
    assert text(told) == f"您的订单o1已由顺丰发出,运单号SF1,预计{days}天送达,请留意物流。"
    assert (found.kind, found.step, found.parcel_id) == ("shipped", "SF1", "p1")
    assert found.expires_at == at("11:00:00") + seconds(KINDS.shipped.expires_s)


def test_each_parcel_of_an_order_is_told_of_once() -> None:
    told = story(journey).when(
        shipped("11:00:00", waybill="SF1", parcel="p1", partial=True),
        shipped("11:30:00", waybill="SF2", parcel="p2"),
        shipped("11:40:00", waybill="SF1", parcel="p1"),
    )
    assert [one.step for one in proposed(told)] == ["SF1", "SF2"]


def test_orders_shipped_together_are_told_of_once_and_all_named() -> None:
    told = story(journey).when(
        shipped("11:00:00", "o1", together_with=("o2",)),
        shipped("11:00:00", "o2", parcel="p2", together_with=("o1",)),
    )
    assert only(told).values["订单号"] == "o1、o2"


def test_orders_shipped_together_are_signed_for_once() -> None:
    told = story(journey).given(shipped("11:00:00", "o1"), shipped("11:00:00", "o2", parcel="p2"))
    told.when(signed("12:00:00", "o1", "p1"), signed("12:00:00", "o2", "p2"))
    assert [one.step for one in proposed(told) if one.kind == "signed"] == ["SF1"]


@pytest.mark.parametrize("by", ["self", "other"])
def test_a_parcel_signed_for_is_told_of(by: str) -> None:
    told = story(journey).given(shipped("11:00:00")).when(signed("12:00:00", by=by))
    found = proposed(told)[-1]
    assert (found.kind, found.step, found.parcel_id, found.values) == ("signed", "SF1", "p1", {})
    assert found.expires_at == at("12:00:00") + seconds(KINDS.signed.expires_s)


@pytest.mark.parametrize("by", ["station", "locker"])
def test_a_station_that_signs_is_another_kind_and_the_pickup_is_told_of_when_it_is_known(by: str) -> None:
    told = story(journey).given(shipped("11:00:00")).when(signed("12:00:00", by=by)).then()
    assert proposed(told.when(signed("18:00:00")))[-1].kind == "signed"


def test_a_parcel_whose_shipping_comes_late_is_signed_for_once_and_not_shipped_any_more() -> None:
    told = story(journey).given(signed("12:00:00"))
    told.when(shipped("11:00:00"), signed("12:00:00"), signed("12:01:00")).then()


def test_a_parcel_whose_shipping_was_not_heard_of_is_told_of_by_its_own_id() -> None:
    assert only(story(journey).when(signed("12:00:00"))).step == "p1"


def test_a_kind_that_the_shop_has_switched_off_is_not_proposed() -> None:
    policy = load([("shop", b"[care.kinds.payment_thanks]\nenabled = false")])
    story(journey).under(policy).when(paid("10:05:00")).then()


def test_a_kind_that_the_shop_has_put_off_begins_and_expires_later() -> None:
    policy = load([("shop", b"[care.kinds.payment_thanks]\nafter_s = 600")])
    found = only(story(journey).under(policy).when(paid("10:00:00")))
    assert found.not_before == at("10:10:00")
    assert found.expires_at == at("10:10:00") + seconds(KINDS.payment_thanks.expires_s)


def test_an_order_without_a_buyer_is_nobodys_journey() -> None:
    story(journey).when(event(paid("10:00:00").data, buyer="-")).then()


@pytest.mark.parametrize("end", [completed, closed])
def test_an_ended_order_keeps_no_goods(end: Any) -> None:
    told = story(journey).given(placed("10:00:00"), end("10:30:00"))
    assert told.memory.state("journey", "s1", "b1", "b1").orders["o1"].goods == ""


def test_long_lists_are_counted_instead_of_named() -> None:
    lines = [OrderLine(line_id=str(n), sku="s", title=f"货{n}", quantity=2, price_fen=1) for n in range(7)]
    assert goods(lines) == "货0×2、货1×2、货2×2、货3×2、货4×2等14件"
    assert goods([CUP]) == "杯子×2"
    assert orders_named([str(n) for n in range(7)]) == "0、1、2、3、4等7个订单"


@pytest.mark.parametrize(
    ("region", "origin", "rule"),
    [
        ("浙江省 杭州市", "浙江 金华", "same_province_days"),
        ("新疆 乌鲁木齐", "新疆 喀什", "same_province_days"),
        ("四川 成都", "浙江 金华", "elsewhere_days"),
        ("西藏自治区 拉萨", "浙江 金华", "far_days"),
        ("青海 西宁", "", "far_days"),
        ("", "", "elsewhere_days"),
    ],
)
def test_the_expected_days_follow_the_province_and_the_shops_slack(region: str, origin: str, rule: str) -> None:
    policy = load([("shop", b"[calendar]\ntransit_slack_days = 2")])
    expected = getattr(policy.orders.transit, rule) + 2
    assert transit_days(journey.Order(region=region, origin=origin), policy) == expected


def test_a_care_id_tells_nothing_and_differs_by_each_part_of_the_intent() -> None:
    parts: list[Any] = ["s1", "b1", "shipped", "o1", "SF1"]
    ids = {care_id(*parts)}
    for place in range(5):
        ids.add(care_id(*[part + "x" if n == place else part for n, part in enumerate(parts)]))
    assert len(ids) == 6
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)


ORDER = st.sampled_from(["o1", "o2"])
PARCEL = st.sampled_from([("SF1", "p1"), ("SF2", "p2")])
FACT = st.one_of(
    st.builds(lambda order, virtual: placed("10:00:00", order, virtual=virtual), ORDER, st.booleans()),
    st.builds(lambda order: paid("10:01:00", order), ORDER),
    st.builds(lambda order, it: shipped("10:02:00", order, it[0], it[1]), ORDER, PARCEL),
    st.builds(lambda order, it: signed("10:03:00", order, it[1]), ORDER, PARCEL),
    st.builds(lambda order: completed("10:04:00", order), ORDER),
)


@given(st.lists(FACT, max_size=25))
@settings(max_examples=60, deadline=None)
def test_no_intent_is_proposed_twice_in_whatever_order_and_however_often_facts_come(facts: list[Event[Any]]) -> None:
    told = story(journey)
    for one in facts:
        told.when(event(one.data, at="10:00:00"))
    found = proposed(told) if facts else []
    assert len({one.care_id for one in found}) == len(found)
    assert len({(one.kind, one.order_id, one.step) for one in found}) == len(found)
