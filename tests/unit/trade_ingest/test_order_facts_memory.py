"""What is remembered of one order is small, and bounded whatever is stated of it."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas.order import OrderPaid, OrderParcelMoved, OrderPlaced, OrderShipped, OrderSigned
from schemas.refund import RefundRefused, RefundRequested
from schemas.review import ReviewPosted
from services.kernel.process import SetAside
from services.replay.story import at
from services.trade_ingest.order_memory import MOST_KNOWN, OrderFacts
from services.trade_ingest.stated import Address, LinePrice, Memo, ParcelTraced, Price
from services.trade_ingest.waiting import FULL
from tests.unit.trade_ingest.orders import Order

ORDER: dict[str, Any] = {"order_id": "o1"}
PLACED = OrderPlaced(**ORDER, platform="douyin", shop_kind="mall", lines=(), total_fen=2980, postage_fen=0)
PAID = OrderPaid(**ORDER, paid_fen=2980)
SHIPPED = OrderShipped(**ORDER, parcel_id="Z1", carrier="中通", waybill="Z1")
SIGNED = OrderSigned(**ORDER, parcel_id="Z1", by="self")


def test_so_much_is_known_of_an_order_and_facts_beyond_are_set_aside_at_once_but_those_that_are_known() -> None:
    full = OrderFacts(buyer="b1", known=tuple(f"order.parcel_moved:{n}" for n in range(MOST_KNOWN - 1)))
    order = Order(full).hear(PAID, buyer="b1").hear(SHIPPED, PAID, buyer="b1").until(at("10:01:00"))
    assert order.news == [PAID]
    assert order.aside == [SetAside("in:2:0", FULL)]
    assert (order.state.size, order.state.crowded) == (MOST_KNOWN, {})


@pytest.mark.parametrize(
    "many",
    [
        lambda n: OrderParcelMoved(**ORDER, parcel_id="Z1", action="arrival", city=f"c{n}"),
        lambda n: ParcelTraced(**ORDER, waybill=f"Z{n}", action="departure"),
        lambda n: OrderShipped(**ORDER, parcel_id=f"p{n}", carrier="中通", waybill=f"Z{n}"),
        lambda n: RefundRequested(**ORDER, refund_id=f"r{n}", kind="refund_only", phase="onsale", fee_fen=1),
        lambda n: RefundRefused(**ORDER, refund_id="r1", kind="refund_only", phase="onsale", fee_fen=n),
        lambda n: Address(**ORDER, address_digest=f"{n}"),
        lambda n: Memo(**ORDER, memo=f"{n}"),
        lambda n: Price(**ORDER, total_fen=1, lines=(LinePrice(f"l{n}", 1),)),
        lambda n: ReviewPosted(**ORDER, review_id=f"v{n}", line_id=f"l{n}", rating="good"),
    ],
)
def test_nothing_that_is_stated_of_an_order_without_end_makes_its_memory_grow_without_end(many: Any) -> None:
    full = OrderFacts(buyer="b1", known=tuple(f"order.parcel_moved:{n}" for n in range(MOST_KNOWN - 20)))
    order = Order(full)
    for number in range(40):
        order.hear(many(number), buyer="b1")
    size = len(msgspec.json.encode(replace(order.state, crowded={})))
    order.hear(many(41), many(42), buyer="b1").until(at("10:01:00"))
    assert len(msgspec.json.encode(order.state)) == size
    assert {one.reason for one in order.aside} == {FULL}


def test_a_row_of_the_second_version_is_read_as_it_is() -> None:
    row = """{"buyer": "b1", "known": ["order.placed"], "lines": ["l1"],
        "parcels": {"Z1": {"parcel_id": "WMS-77", "at": "2026-03-02T08:00:00Z"}},
        "refunds": {"r1": {"at": "2026-03-02T09:00:00Z", "kind": "return", "phase": "aftersale", "fee_fen": 100,
            "steps": [{"name": "requested", "at": "2026-03-02T09:00:00Z", "fee_fen": 100, "hinted": true}]}}}"""
    order = Order(msgspec.json.decode(row, type=OrderFacts))
    again = RefundRequested(**ORDER, refund_id="r1", kind="return", phase="aftersale", fee_fen=100)
    order.hear(again, ParcelTraced(**ORDER, waybill="Z1", action="signed", signed_by="self"), buyer="b1")
    assert order.news == [OrderSigned(**ORDER, parcel_id="WMS-77", by="self")]
    assert order.state.line_ids == ("l1",)
