"""Parcels: a scan becomes the event that it is, of the parcel that it means (domain.md 2; domain.md 4, arrived)."""

from typing import Any

import pytest

from schemas.order import (
    OrderArrived,
    OrderParcelException,
    OrderParcelMoved,
    OrderPickupScanned,
    OrderPlaced,
    OrderRejected,
    OrderShipped,
    OrderSigned,
)
from services.replay.story import Story, at, fact, story
from services.trade_ingest import order_facts
from services.trade_ingest.places import same_city
from services.trade_ingest.stated import Address, AllSigned, ParcelTraced

ORDER: dict[str, Any] = {"order_id": "o1"}
Z1: dict[str, Any] = {**ORDER, "parcel_id": "Z1"}


def scan(action: Any, waybill: str | None = "Z1", **more: Any) -> ParcelTraced:
    return ParcelTraced(**ORDER, waybill=waybill, action=action, **more)


def shipped(waybill: str = "Z1", parcel: str = "", **more: Any) -> OrderShipped:
    return OrderShipped(**ORDER, parcel_id=parcel or waybill, carrier="中通", waybill=waybill, **more)


def when(*facts: Any) -> Story:
    """Facts of one hour after the other, (data, hour) or data, of the buyer b1."""
    told = story(order_facts)
    for number, one in enumerate(facts):
        data, hour = one if isinstance(one, tuple) else (one, 8 + number)
        instant = at(f"{hour:02}:00:00")
        told.when(fact(data, instant, recorded=max(told.memory.now, instant), buyer="b1"))
    return told


SCANS = [
    (scan("pickup", city="广州"), OrderPickupScanned(**Z1, city="广州")),
    (scan("sent_city", city="杭州"), OrderArrived(**Z1, city="杭州")),
    (scan("created"), OrderParcelMoved(**Z1, action="created")),
    (scan("consigned"), OrderParcelMoved(**Z1, action="consigned")),
    (scan("arrival", city="嘉兴"), OrderParcelMoved(**Z1, action="arrival", city="嘉兴")),
    (scan("departure", city="广州"), OrderParcelMoved(**Z1, action="departure", city="广州")),
    (scan("sent_scan"), OrderParcelMoved(**Z1, action="sent_scan")),
    (scan("other"), OrderParcelMoved(**Z1, action="other")),
    (scan("signed", signed_by="station", place="菜鸟驿站"), OrderSigned(**Z1, by="station", place="菜鸟驿站")),
    (scan("signed", signed_by="self"), OrderSigned(**Z1, by="self")),
    (scan("rejected", reason="破损"), OrderRejected(**Z1, reason="破损")),
    *(
        (scan(kind, reason="r"), OrderParcelException(**Z1, kind=kind, reason="r"))
        for kind in ("failed", "lost", "damaged", "returned", "confiscated")
    ),
]


@pytest.mark.parametrize(("traced", "told"), SCANS)
def test_a_scan_is_told_as_the_event_that_it_is_and_a_repeated_one_once(traced: ParcelTraced, told: Any) -> None:
    when((traced, 9), (traced, 9)).then(told)


def test_every_action_of_a_scan_has_an_event() -> None:
    actions = ParcelTraced.__annotations__["action"].__args__
    assert {traced.action for traced, _ in SCANS} == set(actions)


@pytest.mark.parametrize(
    ("known", "city"),
    [
        (Address(**ORDER, address_digest="aa", region="浙江省杭州市"), "杭州"),
        (Address(**ORDER, address_digest="aa", region="浙江省 杭州市 西湖区"), "杭州市"),
        (Address(**ORDER, address_digest="aa", region="浙江杭州"), "浙江省杭州市"),
    ],
)
def test_arrival_in_the_receivers_city_is_arrived(known: Any, city: str) -> None:
    when(known, scan("arrival", city=city)).then(OrderArrived(**Z1, city=city))


def test_the_receivers_city_may_be_known_from_the_placing() -> None:
    placed = OrderPlaced(
        **ORDER, platform="jd", shop_kind="mall", lines=(), total_fen=1, postage_fen=0, region="浙江 杭州"
    )
    when(placed, scan("arrival", city="杭州市")).then(placed, OrderArrived(**Z1, city="杭州市"))


def test_the_receivers_city_is_that_of_the_address_in_force() -> None:
    old = Address(**ORDER, address_digest="aa", region="浙江省杭州市")
    new = Address(**ORDER, address_digest="bb", region="上海市")
    told = when(old, new).given()
    told.when(fact(scan("arrival", city="杭州"), "11:00:00", buyer="b1")).then(
        OrderParcelMoved(**Z1, action="arrival", city="杭州")
    )


def test_a_parcel_arrives_once() -> None:
    known = Address(**ORDER, address_digest="aa", region="浙江省杭州市")
    when(known, scan("arrival", city="杭州"), scan("sent_city", city="杭州"), scan("arrival", city="杭州")).then(
        OrderArrived(**Z1, city="杭州")
    )


@pytest.mark.parametrize(
    ("city", "region", "same"),
    [
        ("杭州", "浙江省杭州市", True),
        ("杭州市", "浙江 杭州", True),
        ("浙江省杭州市", "浙江杭州", True),
        ("浙江杭州", "浙江省/杭州市/西湖区", True),
        ("上海", "上海市浦东新区", True),
        ("上海市", "上海 上海市", True),
        ("延边", "吉林省延边州", False),
        ("延边朝鲜族自治州", "吉林省延边朝鲜族自治州", True),
        ("呼和浩特", "内蒙古自治区呼和浩特市", True),
        ("南宁", "广西壮族自治区 南宁市", True),
        ("吉林", "吉林省吉林市", True),
        ("吉林", "吉林省长春市", False),
        ("长春", "吉林省", False),
        ("吉林", "吉林省", False),
        ("杭州", "", False),
        ("", "浙江省杭州市", False),
        ("宁波", "浙江省杭州市", False),
        ("杭州", "杭州", True),
    ],
)
def test_a_city_is_the_same_however_it_is_written_and_a_province_is_no_city(city: str, region: str, same: bool) -> None:
    assert same_city(city, region) is same


def test_a_parcels_id_is_its_waybill_unless_a_feed_gave_it_another() -> None:
    sent = shipped("Z1", "p1")
    when(sent, scan("pickup"), scan("pickup", "Z2")).then(
        sent,
        OrderPickupScanned(**ORDER, parcel_id="p1"),
        OrderPickupScanned(**ORDER, parcel_id="Z2"),
    )


def test_a_scan_that_names_only_the_order_is_of_its_one_parcel() -> None:
    when(shipped(), scan("signed", None, signed_by="self")).then(shipped(), OrderSigned(**Z1, by="self"))


def test_a_scan_of_the_order_waits_until_a_parcel_is_known_and_keeps_its_time() -> None:
    told = when((scan("signed", None, signed_by="self"), 12)).then()
    told.when(fact(shipped(), "08:00:00", recorded="12:30:00", buyer="b1")).then(
        shipped(), OrderSigned(**Z1, by="self")
    )
    assert [event.time for event in told.memory.log] == [at("08:00:00"), at("12:00:00")]


def test_a_scan_of_the_order_that_has_several_parcels_waits() -> None:
    first, second = shipped("Z1", line_ids=("l1",), partial=True), shipped("Z2", line_ids=("l2",))
    told = when(first, second, scan("signed", None)).then(first, second)
    assert len(told.memory.slots["order_facts", "s1", "-", "o1"].state.hints) == 1


# One parcel, several names


WMS = shipped("Z1", "WMS-77")


@pytest.mark.parametrize(("first", "second"), [(WMS, shipped()), (shipped(), WMS)])
def test_a_parcel_is_shipped_once_and_keeps_its_first_id_whatever_another_feed_calls_it(
    first: OrderShipped, second: OrderShipped
) -> None:
    parcel = {**ORDER, "parcel_id": first.parcel_id}
    when(
        (first, 8),
        (second, 9),
        scan("pickup"),
        OrderArrived(**ORDER, parcel_id="Z1"),
        OrderArrived(**ORDER, parcel_id="WMS-77"),
        scan("sent_city"),
        scan("signed", None, signed_by="self"),
        OrderSigned(**ORDER, parcel_id="WMS-77", by="self"),
        AllSigned(**ORDER),
    ).when_it_is("23:00:00").then(
        first, OrderPickupScanned(**parcel), OrderArrived(**parcel), OrderSigned(**parcel, by="self")
    )


def test_a_parcel_that_was_scanned_before_it_was_shipped_keeps_the_name_of_the_scan() -> None:
    when(scan("pickup"), (WMS, 9), OrderPickupScanned(**ORDER, parcel_id="WMS-77")).then(
        OrderPickupScanned(**Z1), shipped()
    )


def test_what_was_told_under_both_names_before_it_was_known_that_they_are_one_is_not_told_again() -> None:
    own, other = OrderSigned(**ORDER, parcel_id="WMS-77", by="self"), scan("pickup")
    when(own, other, WMS, scan("signed", signed_by="self"), OrderPickupScanned(**ORDER, parcel_id="WMS-77")).then(
        own, OrderPickupScanned(**Z1), shipped()
    )


def test_an_order_received_is_the_signing_of_every_parcel_that_nobody_signed_for() -> None:
    first, second = shipped("Z1", line_ids=("l1",), partial=True), shipped("Z2", line_ids=("l2",))
    signed = OrderSigned(**Z1, by="station")
    when(first, second, signed, AllSigned(**ORDER), AllSigned(**ORDER)).then(
        first, second, signed, OrderSigned(**ORDER, parcel_id="Z2", by="other")
    )


def test_parcels_that_are_heard_of_after_the_order_was_received_were_received_with_it() -> None:
    first, second = shipped("Z1", line_ids=("l1",), partial=True), shipped("Z2", line_ids=("l2",))
    told = when((AllSigned(**ORDER), 14), (first, 9), (second, 10)).then(
        first, OrderSigned(**Z1, by="other"), second, OrderSigned(**ORDER, parcel_id="Z2", by="other")
    )
    assert [event.time for event in told.memory.log if isinstance(event.data, OrderSigned)] == [at("14:00:00")] * 2


def test_a_parcel_shipped_after_the_order_was_received_is_not_signed() -> None:
    replacement = shipped("Z9")
    when((shipped(), 8), (AllSigned(**ORDER), 10), (replacement, 12), (AllSigned(**ORDER), 11)).then(
        shipped(), OrderSigned(**Z1, by="other"), replacement
    )


def test_a_station_signs_and_then_the_buyer() -> None:
    station, self_ = scan("signed", signed_by="station", place="菜鸟驿站"), scan("signed", signed_by="self")
    when(station, self_, station, self_).then(
        OrderSigned(**Z1, by="station", place="菜鸟驿站"), OrderSigned(**Z1, by="self")
    )
