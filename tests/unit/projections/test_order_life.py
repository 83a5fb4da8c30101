"""Where an order stands, from what is known of it in whatever order it was learnt (domain.md 2)."""

from itertools import permutations
from typing import Any

import pytest

from schemas.case import CaseOpened
from schemas.order import (
    OrderClosed,
    OrderCompleted,
    OrderDepositPaid,
    OrderLine,
    OrderPaid,
    OrderPlaced,
    OrderPriceAdjusted,
    OrderShipped,
    OrderSigned,
)
from services.projections.order_life import GOODS, OrderLife, with_event
from services.replay.given import at, event

O = "o1"  # noqa: E741


def placed(total: int = 2980, *lines: str) -> OrderPlaced:
    return OrderPlaced(
        order_id=O,
        platform="taobao",
        shop_kind="c_shop",
        total_fen=total,
        postage_fen=0,
        lines=tuple(OrderLine(line_id=x, sku="k", title=f"T恤{x}", quantity=2, price_fen=100) for x in lines),
    )


def shipped(parcel: str = "p1", *, partial: bool = False) -> OrderShipped:
    return OrderShipped(order_id=O, parcel_id=parcel, carrier="sf", waybill=parcel, partial=partial)


def signed(parcel: str = "p1", by: Any = "self") -> OrderSigned:
    return OrderSigned(order_id=O, parcel_id=parcel, by=by)


def closed(*lines: str) -> OrderClosed:
    return OrderClosed(order_id=O, reason="x", paid=False, line_ids=lines or None)


PAID = OrderPaid(order_id=O, paid_fen=2980)
COMPLETED = OrderCompleted(order_id=O, cause="buyer")


def life(*told: tuple[str, Any]) -> OrderLife:
    found = OrderLife()
    for when, data in told:
        found = with_event(found, event(data, when))
    return found


ALL = (
    ("10:00:00", placed(2980, "1", "2")),
    ("10:05:00", PAID),
    ("11:00:00", shipped()),
    ("12:00:00", signed()),
    ("13:00:00", COMPLETED),
)
STEPS = ("placed", "paid", "shipped", "signed", "completed")


@pytest.mark.parametrize("steps", range(1, 6))
def test_an_order_stands_where_its_last_fact_brought_it_in_any_order(steps: int) -> None:
    for told in permutations(ALL[:steps]):
        one = life(*told)
        assert one.state == STEPS[steps - 1]
        assert (one.first, one.last) == (at("10:00:00"), at(ALL[steps - 1][0]))


def test_a_late_fact_never_takes_a_state_back() -> None:
    assert life(ALL[3], ALL[1]).state == "signed"


def test_a_presale_deposit_is_not_a_payment() -> None:
    assert life(ALL[0], ("10:01:00", OrderDepositPaid(order_id=O, paid_fen=500))).state == "placed"


def test_an_order_that_is_only_mentioned_is_unknown() -> None:
    opened = CaseOpened(case_id="x", kind="quality", order_id=O, reason="r", opened_by="lin")
    assert life(("10:00:00", opened)).state == "unknown"


@pytest.mark.parametrize("before", [1, 2, 3])
def test_closing_ends_an_order_before_and_after_payment_in_any_order(before: int) -> None:
    for told in permutations((*ALL[:before], ("12:30:00", closed()))):
        one = life(*told)
        assert (one.state, one.closed_at) == ("closed", at("12:30:00"))


def test_a_payment_after_closing_does_not_open_the_order_again() -> None:
    assert life(("10:00:00", placed()), ("10:05:00", closed()), ("10:06:00", PAID)).state == "closed"


def test_of_completion_and_closing_the_first_is_final() -> None:
    assert life(("10:00:00", closed()), ("09:00:00", COMPLETED)).state == "completed"
    assert life(("09:00:00", closed()), ("10:00:00", COMPLETED)).state == "closed"


def test_one_line_closed_alone_does_not_close_the_order_but_the_last_one_does() -> None:
    order = ("10:00:00", placed(2980, "1", "2"))
    assert life(order, ("11:00:00", closed("1"))).state == "placed"
    for told in permutations((order, ("11:00:00", closed("1")), ("12:00:00", closed("2")))):
        one = life(*told)
        assert (one.state, one.closed_at) == ("closed", at("12:00:00"))


PARCELS = (("11:00:00", shipped("p1")), ("11:30:00", shipped("p2")), ("12:00:00", signed("p1")))


def test_an_order_is_signed_with_its_last_parcel_in_any_order() -> None:
    for told in permutations(PARCELS):
        one = life(*told)
        assert (one.state, one.shipped_at, one.signed_at) == ("shipped", at("11:00:00"), None)
    for told in permutations((*PARCELS, ("15:00:00", signed("p2")))):
        one = life(*told)
        assert (one.state, one.signed_at) == ("signed", at("15:00:00"))


def test_an_order_is_not_signed_while_other_lines_are_to_follow() -> None:
    part = (("11:00:00", shipped("p1", partial=True)), ("12:00:00", signed("p1")))
    for told in permutations(part):
        assert life(*told).state == "shipped"
    for told in permutations((*part, ("13:00:00", shipped("p2")), ("14:00:00", signed("p2")))):
        assert life(*told).state == "signed"


def test_a_parcel_is_signed_when_the_station_takes_it() -> None:
    told = (("11:00:00", shipped()), ("12:00:00", signed(by="station")), ("18:00:00", signed(by="self")))
    for one in permutations(told):
        assert life(*one).signed_at == at("12:00:00")


def test_money_is_what_was_told_last_however_late_it_is_learnt() -> None:
    adjusted = OrderPriceAdjusted(order_id=O, total_fen=2500)
    for told in permutations((("10:00:00", placed()), ("10:02:00", adjusted), ("10:05:00", PAID))):
        one = life(*told)
        assert (one.total and one.total[1], one.paid_fen and one.paid_fen[1]) == (2500, 2980)


def test_goods_are_the_titles_in_short() -> None:
    assert life(("10:00:00", placed(2980, "1", "2"))).goods == "T恤1 x2, T恤2 x2"
    many = life(("10:00:00", placed(2980, *map(str, range(500))))).goods
    assert len(many) == GOODS
    assert many.endswith("…")
