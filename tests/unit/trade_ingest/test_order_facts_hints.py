"""Hints: what lacks its details waits for the statement that has them, and is told at most once (stated.py, HINTS)."""

from typing import Any

import pytest

from schemas.order import OrderLine, OrderPaid, OrderPlaced, OrderPriceAdjusted, OrderShipped
from schemas.refund import (
    RefundAgreed,
    RefundClosed,
    RefundCompleted,
    RefundGoodsReturned,
    RefundRefused,
    RefundRequested,
)
from schemas.review import ReviewPosted
from services.kernel.process import SetAside
from services.replay.story import at
from services.trade_ingest.hints import UNSATISFIED
from services.trade_ingest.stated import (
    HINTS,
    Address,
    AddressTouched,
    AllSigned,
    Paid,
    ParcelTraced,
    Placed,
    Price,
    RefundStep,
    Reviewed,
    Shipped,
)
from tests.unit.trade_ingest.orders import DETAILS, WAITING, Order

ORDER: dict[str, Any] = {"order_id": "o1"}
LINE = OrderLine(line_id="l1", sku="k", title="裙", quantity=1, price_fen=2480)
PLACED = OrderPlaced(**ORDER, platform="taobao", shop_kind="c_shop", lines=(LINE,), total_fen=2980, postage_fen=500)
PAID = OrderPaid(**ORDER, paid_fen=2980)
REVIEW = ReviewPosted(**ORDER, review_id="v1", line_id="l1", rating="good")
REFUND: dict[str, Any] = {**ORDER, "refund_id": "r1", "kind": "return", "phase": "aftersale", "fee_fen": 2980}
ADDRESS = Address(**ORDER, address_digest="aa")


def shipped(waybill: str = "Z1", lines: tuple[str, ...] | None = None, partial: bool = False) -> OrderShipped:
    return OrderShipped(**ORDER, parcel_id=waybill, carrier="中通", waybill=waybill, line_ids=lines, partial=partial)


def step(name: Any, **more: Any) -> RefundStep:
    return RefundStep(**ORDER, refund_id="r1", step=name, **more)


HAS_DETAILS = [
    (Placed(**ORDER, platform="taobao", total_fen=2980), PLACED),
    (Paid(**ORDER), PAID),
    (Shipped(**ORDER), shipped()),
    (Shipped(**ORDER, partial=True), shipped(lines=("l1",), partial=True)),
    (Shipped(**ORDER, line_ids=("l1",)), shipped(lines=("l1", "l2"), partial=True)),
    (Shipped(**ORDER, line_ids=("l1",)), shipped()),
    (Shipped(**ORDER), shipped(lines=("l1",))),
    (AddressTouched(**ORDER), ADDRESS),
    (Reviewed(**ORDER), REVIEW),
    (Reviewed(**ORDER, line_id="l1"), REVIEW),
    (Reviewed(**ORDER, line_id="l1"), ReviewPosted(**ORDER, review_id="v1", rating="good")),
    (step("requested"), RefundRequested(**REFUND)),
    (step("agreed"), RefundAgreed(**REFUND)),
]


@pytest.mark.parametrize(("hint", "details"), HAS_DETAILS)
@pytest.mark.parametrize("hint_first", [True, False])
def test_the_statement_with_the_details_is_told_and_nothing_for_the_hint_whichever_comes_first(
    hint: Any, details: Any, hint_first: bool
) -> None:
    order = Order()
    for data in (hint, details) if hint_first else (details, hint):
        order.hear(data, hint, buyer="b1")
    order.until(at("10:00:00") + WAITING)
    assert order.news == ([] if details is ADDRESS else [details])
    assert (order.aside, order.state.hints) == ([], ())


IN_VAIN = [
    Placed(**ORDER, platform="taobao"),
    Paid(**ORDER),
    Shipped(**ORDER),
    AddressTouched(**ORDER),
    Reviewed(**ORDER),
    step("agreed"),
    ParcelTraced(**ORDER, waybill=None, action="pickup"),
    AllSigned(**ORDER),
]


@pytest.mark.parametrize("hint", IN_VAIN)
def test_a_hint_that_has_waited_in_vain_is_set_aside_with_its_reason_once(hint: Any) -> None:
    order = Order().hear(hint, hint, buyer="b1", fact="in:7:2")
    order.until(at("10:00:00") + WAITING - DETAILS)
    assert order.aside == []
    order.until(at("10:00:00") + 2 * WAITING)
    assert order.aside == [SetAside("in:7:2", UNSATISFIED[hint.TYPE])]
    assert (order.news, order.state.hints) == ([], ())


@pytest.mark.parametrize(
    "hint", [Placed(**ORDER, platform="taobao"), Paid(**ORDER), Shipped(**ORDER), Reviewed(**ORDER)]
)
def test_what_happens_once_is_one_hint_though_every_snapshot_repeats_it_with_its_own_time(hint: Any) -> None:
    order = Order().hear(hint, when="10:00:00", buyer="b1").hear(hint, when="11:00:00", buyer="b1")
    assert len(order.state.hints) == 1


@pytest.mark.parametrize("hint", [AddressTouched(**ORDER), ParcelTraced(**ORDER, waybill=None, action="failed")])
def test_what_may_happen_again_is_another_hint_at_another_time(hint: Any) -> None:
    order = Order().hear(hint, when="10:00:00", buyer="b1").hear(hint, hint, when="11:00:00", buyer="b1")
    assert len(order.state.hints) == 2


def test_every_hint_has_a_reason_for_being_set_aside() -> None:
    assert {hint.TYPE for hint in HINTS} | {ParcelTraced.TYPE, AllSigned.TYPE} == set(UNSATISFIED)
    assert {hint.TYPE for hint in IN_VAIN} == set(UNSATISFIED), "each has a story here"


def test_a_hint_that_was_set_aside_waits_anew_when_its_message_is_played_again() -> None:
    order = Order().hear(Paid(**ORDER), buyer="b1", fact="in:7:0").until(at("10:00:00") + 2 * WAITING)
    again = at("10:00:00") + 3 * WAITING
    order.hear(Paid(**ORDER), buyer="b1", fact="in:7:0", learnt=again).until(again + WAITING)
    assert [one.fact for one in order.aside] == ["in:7:0", "in:7:0"]


# Told from what is known


def test_an_order_placed_is_told_without_its_lines_when_no_details_come_soon() -> None:
    order = Order().hear(Placed(**ORDER, platform="taobao", total_fen=2980), when="10:00:00", buyer="b1")
    order.until(at("10:00:00") + DETAILS - DETAILS / 8)
    assert order.news == []
    order.until(at("10:00:00") + DETAILS)
    assert [(event.data, event.time, event.buyer) for event in order.events] == [
        (
            OrderPlaced(**ORDER, platform="taobao", shop_kind="mall", lines=(), total_fen=2980, postage_fen=0),
            at("10:00:00"),
            "b1",
        )
    ]


def test_an_order_paid_is_told_with_the_orders_price_when_no_details_come_soon() -> None:
    order = Order().hear(PLACED, Paid(**ORDER), buyer="b1").until(at("10:00:00") + DETAILS)
    assert order.news == [PLACED, PAID]


def test_placed_and_paid_by_hints_alone_are_both_told_in_the_order_of_their_times() -> None:
    order = Order().hear(Paid(**ORDER), when="10:00:05", buyer="b1")
    order.hear(Placed(**ORDER, platform="taobao", total_fen=2980), when="10:00:00", learnt="10:00:06", buyer="b1")
    order.hear(Placed(**ORDER, platform="taobao"), when="10:00:01", learnt="10:00:07", buyer="b1")
    order.until(at("10:00:07") + DETAILS)
    assert [type(one) for one in order.news] == [OrderPlaced, OrderPaid]
    order.until(at("10:00:00") + WAITING)
    assert (order.news, order.aside) == ([], [])


def test_a_paid_hint_is_told_when_the_price_becomes_known_after_the_wait() -> None:
    order = Order().hear(Paid(**ORDER), buyer="b1").until(at("11:00:00"))
    assert order.news == []
    order.hear(Price(**ORDER, total_fen=2980), when="10:30:00", learnt="12:00:00", buyer="b1").until(at("12:01:00"))
    assert order.news == [PAID]


def test_the_details_that_come_after_all_are_learnt_and_are_no_second_fact() -> None:
    order = Order().hear(Placed(**ORDER, platform="taobao", total_fen=2980), buyer="b1").until(at("10:30:00"))
    order.hear(PLACED, learnt="10:40:00", buyer="b1")
    order.hear(Price(**ORDER, total_fen=2980, postage_fen=500), when="10:40:00", buyer="b1")
    order.hear(Price(**ORDER, total_fen=2780, postage_fen=300), when="10:50:00", buyer="b1")
    assert order.news[1:] == [OrderPriceAdjusted(**ORDER, postage_fen=300, total_fen=2780)]
    assert (order.state.line_ids, order.state.shop_kind) == (("l1",), "c_shop")


def test_an_order_placed_without_details_says_how_it_is_to_be_paid() -> None:
    hint = Placed(**ORDER, platform="jd", total_fen=2980, cash_on_delivery=True)
    order = Order().hear(hint, buyer="b1").until(at("10:00:00") + DETAILS)
    assert [one.pay_mode for one in order.news] == ["cash_on_delivery"]


@pytest.mark.parametrize("presale_first", [True, False])
def test_a_presale_is_never_told_without_its_details(presale_first: bool) -> None:
    presale = Placed(**ORDER, platform="taobao", total_fen=2980, presale=True)
    hints = (presale, Placed(**ORDER, platform="taobao", total_fen=2980))
    order = Order().hear(*(hints if presale_first else hints[::-1]), buyer="b1", fact="in:7:0")
    order.until(at("10:00:00") + WAITING - DETAILS)
    assert (order.news, order.aside) == ([], [])
    order.until(at("10:00:00") + WAITING)
    assert order.news == []
    assert {one.reason for one in order.aside} == {UNSATISFIED[Placed.TYPE]}


def test_a_presale_is_told_when_its_details_come() -> None:
    order = Order().hear(Placed(**ORDER, platform="taobao", presale=True), PLACED, buyer="b1")
    order.until(at("10:00:00") + WAITING)
    assert (order.news, order.aside) == ([PLACED], [])


def test_an_order_placed_without_details_is_told_with_the_price_to_which_it_was_changed_in_the_meantime() -> None:
    order = Order().hear(Placed(**ORDER, platform="taobao", total_fen=10_000), when="10:00:00", buyer="b1")
    order.hear(Price(**ORDER, total_fen=9_000), when="10:01:00", buyer="b1").until(at("10:00:00") + DETAILS)
    assert [(type(one), one.total_fen) for one in order.news] == [(OrderPlaced, 9_000)]
    order.hear(Price(**ORDER, total_fen=8_000), when="10:10:00", buyer="b1")
    assert order.news == [OrderPriceAdjusted(**ORDER, total_fen=8_000)]


# Shipped, address


def test_a_hint_about_the_whole_order_waits_for_all_of_its_lines_or_the_last_parcel() -> None:
    lines = (LINE, OrderLine(line_id="l2", sku="k", title="裙", quantity=1, price_fen=2480))
    placed = OrderPlaced(**ORDER, platform="taobao", shop_kind="c_shop", lines=lines, total_fen=2980, postage_fen=0)
    order = Order().hear(placed, Shipped(**ORDER), shipped("Z1", ("l1",), partial=True), buyer="b1")
    assert len(order.state.hints) == 1
    order.hear(shipped("Z2", ("l2",), partial=True), buyer="b1")
    assert order.state.hints == ()


def test_an_address_that_was_stated_before_it_was_touched_does_not_satisfy() -> None:
    order = (
        Order().hear(ADDRESS, when="09:00:00", buyer="b1").hear(AddressTouched(**ORDER), when="10:00:00", buyer="b1")
    )
    assert len(order.state.hints) == 1


def test_a_snapshot_whose_clock_is_a_little_behind_the_message_satisfies() -> None:
    order = (
        Order().hear(AddressTouched(**ORDER), when="10:00:03", buyer="b1").hear(ADDRESS, when="10:00:00", buyer="b1")
    )
    assert order.state.hints == ()


def test_a_review_of_another_line_does_not_satisfy() -> None:
    order = Order().hear(Reviewed(**ORDER, line_id="l2"), REVIEW, buyer="b1")
    assert len(order.state.hints) == 1


# Refund steps


STEPS = {
    "requested": RefundRequested,
    "agreed": RefundAgreed,
    "refused": RefundRefused,
    "goods_returned": RefundGoodsReturned,
    "completed": RefundCompleted,
    "closed": RefundClosed,
}


@pytest.mark.parametrize("name", sorted(set(STEPS) - {"requested"}))
@pytest.mark.parametrize("hint_first", [True, False])
def test_a_step_takes_kind_sum_and_lines_from_what_is_known_of_its_refund(name: str, hint_first: bool) -> None:
    asked = RefundRequested(**REFUND, line_ids=("l1",), freight_fen=300)
    order = Order()
    if hint_first:
        order.hear(step(name), when="11:00:00", buyer="b1")
    order.hear(asked, when="10:00:00", buyer="b1")
    order.hear(step(name), step(name), when="11:00:00", buyer="b1")
    told = STEPS[name](**REFUND, line_ids=("l1",), freight_fen=300)
    assert [(event.data, event.time) for event in order.events] == [(asked, at("10:00:00")), (told, at("11:00:00"))]


def test_what_the_step_says_itself_goes_before_what_is_known() -> None:
    order = Order().hear(RefundRequested(**REFUND), buyer="b1")
    order.hear(step("completed", fee_fen=1000, freight_fen=100, line_ids=("l2",), reason="协商"), buyer="b1")
    said = {**REFUND, "fee_fen": 1000, "freight_fen": 100, "line_ids": ("l2",), "reason": "协商"}
    assert order.news[1:] == [RefundCompleted(**said)]


def test_a_step_takes_the_details_of_the_last_statement_by_its_time() -> None:
    order = Order().hear(RefundRequested(**{**REFUND, "fee_fen": 1000}), when="10:30:00", buyer="b1")
    order.hear(RefundRequested(**REFUND), when="10:00:00", buyer="b1").hear(step("agreed"), when="11:00:00", buyer="b1")
    assert order.news[2:] == [RefundAgreed(**{**REFUND, "fee_fen": 1000})]


@pytest.mark.parametrize("snapshot", ["10:59:58", "11:00:00", "11:00:03"])
def test_a_step_told_for_a_hint_is_not_told_again_by_the_snapshot_of_another_time(snapshot: str) -> None:
    order = Order().hear(RefundRequested(**REFUND), when="10:00:00", buyer="b1")
    order.hear(step("refused"), when="11:00:00", buyer="b1")
    order.hear(RefundRefused(**REFUND), when=snapshot, buyer="b1").hear(step("refused"), when="11:00:00", buyer="b1")
    assert order.news[1:] == [RefundRefused(**REFUND)]


def test_a_step_happens_again_after_another_one() -> None:
    order = Order().hear(RefundRequested(**REFUND), when="10:00:00", buyer="b1")
    for hour, name in enumerate(("refused", "requested", "refused"), 11):
        order.hear(step(name), step(name), when=f"{hour}:00:00", buyer="b1")
    assert [type(one) for one in order.news] == [RefundRequested, RefundRefused, RefundRequested, RefundRefused]


def test_a_refusal_is_not_taken_for_one_of_hours_later_though_the_request_in_between_is_not_known_yet() -> None:
    order = Order().hear(RefundRequested(**REFUND), when="10:00:00", buyer="b1")
    order.hear(step("refused"), when="15:00:00", buyer="b1")
    order.hear(RefundRefused(**REFUND), when="11:00:00", learnt="15:01:00", buyer="b1")
    assert order.news[1:] == [RefundRefused(**REFUND), RefundRefused(**REFUND)]


@pytest.mark.parametrize(("first", "second"), [("10:00:03", "10:00:02"), ("10:00:02", "10:00:03")])
def test_a_step_told_in_full_by_a_message_and_by_a_snapshot_of_nearly_that_time_is_told_once(
    first: str, second: str
) -> None:
    order = Order().hear(RefundRequested(**REFUND), when=first, buyer="b1")
    order.hear(RefundRequested(**REFUND), when=second, buyer="b1")
    assert order.news == [RefundRequested(**REFUND)]


def test_refunds_of_one_order_do_not_know_of_each_other() -> None:
    order = Order().hear(RefundRequested(**REFUND), step("agreed"), buyer="b1")
    order.hear(RefundStep(**ORDER, refund_id="r2", step="agreed"), buyer="b1")
    assert [one.refund_id for one in order.news] == ["r1", "r1"]
    assert len(order.state.hints) == 1
