"""Facts of the contract: each business fact once, whatever repeats it, in any order, and none is lost (domain.md 2)."""

from typing import Any

import msgspec
import pytest

from schemas import order, refund, review
from schemas.order import (
    OrderAddressChanged,
    OrderArrived,
    OrderAssigned,
    OrderClosed,
    OrderCompleted,
    OrderDepositPaid,
    OrderMemoChanged,
    OrderPaid,
    OrderParcelException,
    OrderParcelMoved,
    OrderPickupScanned,
    OrderPlaced,
    OrderPriceAdjusted,
    OrderPrinted,
    OrderReceiptExtended,
    OrderRejected,
    OrderRestocked,
    OrderShipped,
    OrderSigned,
)
from schemas.refund import (
    RefundAgreed,
    RefundClosed,
    RefundCompleted,
    RefundGoodsReturned,
    RefundRefused,
    RefundRequested,
)
from schemas.review import ReviewChanged, ReviewPosted, ReviewReplied
from services.kernel.policy import default_policy
from services.kernel.process import Emit
from services.replay.story import at, fact, story
from services.trade_ingest import order_facts
from services.trade_ingest.identity import IDENTITIES
from tests.unit.trade_ingest.orders import Order

ORDER: dict[str, Any] = {"order_id": "o1"}
PARCEL: dict[str, Any] = {**ORDER, "parcel_id": "p1"}
REFUND: dict[str, Any] = {**ORDER, "refund_id": "r1", "kind": "return", "phase": "aftersale", "fee_fen": 2980}
REVIEW: dict[str, Any] = {**ORDER, "review_id": "v1", "rating": "bad", "score": 1, "text": "色差大"}

PLACED = OrderPlaced(**ORDER, platform="taobao", shop_kind="c_shop", lines=(), total_fen=2980, postage_fen=0)
PAID = OrderPaid(**ORDER, paid_fen=2980)
SHIPPED = OrderShipped(**PARCEL, carrier="中通", waybill="Z1")
SIGNED = OrderSigned(**PARCEL, by="self")

ONCE = [
    (PLACED, {"total_fen": 3980, "region": "浙江"}),
    (OrderDepositPaid(**ORDER, paid_fen=500), {"paid_fen": 600}),
    (PAID, {"paid_fen": 2880}),
    (OrderCompleted(**ORDER, cause="buyer"), {"cause": "automatic"}),
    (OrderClosed(**ORDER, reason="买家不想要了", paid=False), {"reason": "TRADE_CLOSED", "paid": True}),
    (SHIPPED, {"waybill": "Z2", "carrier": "顺丰"}),
    (OrderPickupScanned(**PARCEL), {"city": "杭州"}),
    (OrderArrived(**PARCEL), {"city": "杭州"}),
    (OrderRejected(**PARCEL), {"reason": "破损"}),
    (SIGNED, {"place": "菜鸟驿站"}),
    (ReviewPosted(**REVIEW), {"rating": "good", "text": "不错"}),
    (RefundAgreed(**REFUND), {"reason": "同意"}),
    (RefundGoodsReturned(**REFUND), {"waybill": "Z9"}),
    (RefundCompleted(**REFUND), {"freight_fen": 800}),
    (RefundClosed(**REFUND), {"reason": "买家撤销"}),
]
"""A fact that happens once, and how another feed may word it."""

VALUES = [
    (OrderClosed(**ORDER, reason="缺货", paid=True, line_ids=("l1",)), {"line_ids": ("l2",)}),
    (SHIPPED, {"parcel_id": "p2"}),
    (OrderPickupScanned(**PARCEL), {"parcel_id": "p2"}),
    (OrderArrived(**PARCEL), {"parcel_id": "p2"}),
    (OrderRejected(**PARCEL), {"parcel_id": "p2"}),
    (OrderSigned(**PARCEL, by="station"), {"by": "self"}),
    (OrderPriceAdjusted(**ORDER, postage_fen=0, total_fen=2980), {"postage_fen": 500, "total_fen": 3480}),
    (OrderAddressChanged(**ORDER, address_digest="aa"), {"address_digest": "bb"}),
    (OrderMemoChanged(**ORDER, memo="发顺丰", memo_version=1, by="seller"), {"memo": "送赠品", "memo_version": 2}),
    (OrderPrinted(**ORDER, waybill="Z1", memo_version=1), {"memo_version": 2}),
    (OrderParcelMoved(**PARCEL, action="arrival", city="杭州"), {"city": "上海"}),
    (OrderParcelException(**PARCEL, kind="failed"), {"kind": "lost"}),
    (OrderReceiptExtended(**ORDER, days=3), {"days": 5}),
    (OrderRestocked(**ORDER, line_ids=("l1",)), {"line_ids": ("l2",)}),
    (ReviewPosted(**REVIEW), {"review_id": "v2"}),
    (ReviewChanged(**REVIEW), {"rating": "good"}),
    (ReviewReplied(**ORDER, review_id="v1", text="谢谢"), {"text": "抱歉"}),
    (RefundRequested(**REFUND), {"fee_fen": 1000}),
    (RefundRefused(**REFUND), {"fee_fen": 1000}),
    (RefundAgreed(**REFUND), {"kind": "refund_only"}),
    (RefundGoodsReturned(**REFUND), {"refund_id": "r2"}),
    (RefundCompleted(**REFUND), {"refund_id": "r2"}),
    (RefundClosed(**REFUND), {"refund_id": "r2"}),
]
"""A fact, and another value of it: another fact."""

AGAIN = [
    data for data, _ in VALUES if IDENTITIES[type(data)].timed
]  # fmt: skip
"""Facts that may happen again with the same value."""


STORY = ("order_facts", "s1", "-", "o1")


def named(value: Any) -> str:
    return getattr(value, "TYPE", "changed")


@pytest.mark.parametrize(("data", "worded"), ONCE, ids=named)
def test_what_happens_once_counts_once_at_whatever_time_and_in_whatever_words(data: Any, worded: dict) -> None:
    told = story(order_facts).when(fact(data, "10:00:00", buyer="b1")).then(data)
    again = msgspec.structs.replace(data, **worded)
    told.when(fact(data, "10:00:00", buyer="b1"), fact(again, "10:00:07", buyer="b1")).then()


@pytest.mark.parametrize(("data", "other"), VALUES, ids=named)
def test_another_value_is_another_fact_even_at_the_same_time(data: Any, other: dict) -> None:
    changed = msgspec.structs.replace(data, **other)
    told = story(order_facts).when(fact(data, buyer="b1"), fact(changed, buyer="b1")).then(data, changed)
    told.when(fact(changed, buyer="b1"), fact(data, buyer="b1")).then()


@pytest.mark.parametrize("data", AGAIN, ids=named)
def test_what_may_happen_again_counts_again_at_another_time_and_once_at_each(data: Any) -> None:
    first, second = fact(data, "10:00:00", buyer="b1"), fact(data, "12:00:00", buyer="b1")
    story(order_facts).when(first, second).then(data, data).when(second, first).then()


def test_every_fact_of_an_order_that_a_feed_may_state_has_an_identity_of_fields_that_it_has() -> None:
    stated = {*order.EVENTS, *refund.EVENTS, *review.EVENTS} - {OrderAssigned}
    assert set(IDENTITIES) == stated
    for struct, identity in IDENTITIES.items():
        assert set(identity.fields) <= set(struct.__struct_fields__) - {"order_id"}
    assert {type(data) for data, _ in (*ONCE, *VALUES)} == stated, "each has a story here"


def test_lines_are_the_same_in_whatever_order_a_feed_lists_them() -> None:
    closed = OrderClosed(**ORDER, reason="缺货", paid=True, line_ids=("l1", "l2"))
    turned = msgspec.structs.replace(closed, line_ids=("l2", "l1"))
    story(order_facts).given(fact(closed, buyer="b1")).when(fact(turned, buyer="b1")).then()


def test_the_whole_order_closed_is_another_fact_than_one_line_closed() -> None:
    line = OrderClosed(**ORDER, reason="缺货", paid=True, line_ids=("l1",))
    whole = OrderClosed(**ORDER, reason="缺货", paid=True)
    story(order_facts).given(fact(line, buyer="b1")).when(fact(whole, buyer="b1")).then(whole)


def test_a_price_that_goes_there_and_back_again_is_three_facts() -> None:
    low = OrderPriceAdjusted(**ORDER, postage_fen=0, total_fen=2980)
    high = OrderPriceAdjusted(**ORDER, postage_fen=500, total_fen=3480)
    story(order_facts).when(
        fact(low, "10:00:00", buyer="b1"), fact(high, "10:01:00", buyer="b1"), fact(low, "10:02:00", buyer="b1")
    ).then(low, high, low)


def test_a_time_is_the_same_whatever_its_offset() -> None:
    moved = OrderParcelMoved(**PARCEL, action="departure")
    story(order_facts).given(fact(moved, "10:00:00", buyer="b1")).when(fact(moved, "18:00:00+08:00", buyer="b1")).then()


def test_facts_before_the_order_was_placed_are_stated_and_so_is_the_placing_when_it_comes() -> None:
    story(order_facts).when(
        fact(SIGNED, "16:00:00", buyer="b1"),
        fact(PAID, "10:05:00", recorded="17:00:00", buyer="b1"),
        fact(PLACED, "10:00:00", recorded="18:00:00", buyer="b1"),
    ).then(
        Emit(data=SIGNED, time=at("16:00:00"), buyer="b1"),
        Emit(data=PAID, time=at("10:05:00"), buyer="b1"),
        Emit(data=PLACED, time=at("10:00:00"), buyer="b1"),
    )


def test_an_order_stays_in_the_lane_of_the_buyer_who_was_named_first() -> None:
    story(order_facts).given(fact(PLACED, buyer="b1")).when(fact(PAID, buyer="nick-00ff")).then(
        Emit(data=PAID, buyer="b1")
    )


def test_orders_do_not_know_of_each_other_and_neither_do_shops() -> None:
    other = msgspec.structs.replace(PAID, order_id="o2")
    story(order_facts).given(fact(PAID, buyer="b1")).when(
        fact(other, buyer="b2"), fact(PAID, shop="s2", buyer="b3")
    ).then(Emit(data=other, buyer="b2"), Emit(data=PAID, shop="s2", buyer="b3"))


def test_the_event_says_who_told_it() -> None:
    story(order_facts).when(fact(PAID, buyer="b1", actor="erp")).then(Emit(data=PAID, actor="erp"))


def test_the_memory_holds_no_word_of_a_person_and_stays_small() -> None:
    memo = OrderMemoChanged(**ORDER, memo="请打13812341234" * 100, memo_version=1, by="buyer")
    told = story(order_facts).given(fact(memo, buyer="b1"), fact(ReviewChanged(**REVIEW), buyer="b1"))
    state = msgspec.json.encode(told.memory.slots[STORY].state).decode()
    assert "13812341234" not in state
    assert "色差" not in state
    assert len(state) < 250


def test_what_an_order_is_can_be_read_by_the_commands_about_it() -> None:
    line = OrderClosed(**ORDER, reason="缺货", paid=False, line_ids=("l1",))
    told = story(order_facts).given(fact(line, buyer="b1"))
    assert not any(_view(told).values())
    told.given(*(fact(data, buyer="b1") for data in (PLACED, PAID, SHIPPED, OrderCompleted(**ORDER, cause="buyer"))))
    told.given(fact(OrderClosed(**ORDER, reason="退款", paid=True), buyer="b1"))
    assert all(_view(told).values())
    state = told.memory.slots[STORY].state
    assert (state.buyer, state.shop_kind) == ("b1", "c_shop")


def _view(told: Any) -> dict[str, bool]:
    state = told.memory.slots[STORY].state
    return {name: getattr(state, f"is_{name}") for name in ("placed", "paid", "shipped", "completed", "closed")}


def test_a_memory_of_the_first_version_goes_on_where_it_was() -> None:
    row = b'{"buyer":"b1","known":["order.placed","order.paid"]}'
    state = msgspec.json.decode(row, type=order_facts.State)
    assert order_facts.due(state, default_policy()) is None
    order = Order(state).hear(PAID, PLACED, SIGNED, buyer="b2")
    assert [(event.data, event.buyer) for event in order.events] == [(SIGNED, "b1")]
