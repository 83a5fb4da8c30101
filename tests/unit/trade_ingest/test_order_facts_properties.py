"""However an order's facts are shuffled and repeated, the same set of events comes out, each once."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.order import (
    OrderClosed,
    OrderCompleted,
    OrderMemoChanged,
    OrderPaid,
    OrderParcelMoved,
    OrderPlaced,
    OrderPriceAdjusted,
    OrderShipped,
    OrderSigned,
)
from schemas.refund import RefundRefused, RefundRequested
from schemas.review import ReviewPosted
from services.kernel.policy import default_policy
from services.kernel.process import Fact, PolicyInForce, beginning, handle, process_of
from services.trade_ingest import order_facts

PROCESS = process_of(order_facts)
POLICY = PolicyInForce(default_policy())
BEGINNING = datetime(2026, 3, 2, tzinfo=UTC)
REFUND: dict[str, Any] = {"order_id": "o1", "refund_id": "r1", "kind": "refund_only", "phase": "onsale"}

one_of_a_kind = st.sampled_from(
    [
        OrderPlaced(order_id="o1", platform="jd", shop_kind="mall", lines=(), total_fen=1, postage_fen=0),
        OrderPaid(order_id="o1", paid_fen=1),
        OrderCompleted(order_id="o1", cause="automatic"),
        OrderClosed(order_id="o1", reason="x", paid=True),
        *(OrderShipped(order_id="o1", parcel_id=p, carrier="c", waybill=p) for p in "pq"),
        *(OrderSigned(order_id="o1", parcel_id=p, by=by) for p in "pq" for by in ("station", "self")),
        *(ReviewPosted(order_id="o1", review_id=v, rating="good") for v in "vw"),
    ]
)
many_of_a_kind = st.one_of(
    st.builds(OrderPriceAdjusted, order_id=st.just("o1"), total_fen=st.integers(0, 2)),
    st.builds(
        OrderMemoChanged,
        order_id=st.just("o1"),
        memo=st.sampled_from(["甲", "乙"]),
        memo_version=st.integers(0, 2),
        by=st.just("seller"),
    ),
    st.builds(
        OrderParcelMoved,
        order_id=st.just("o1"),
        parcel_id=st.sampled_from("pq"),
        action=st.just("arrival"),
        city=st.sampled_from([None, "杭州"]),
    ),
    st.builds(RefundRequested, fee_fen=st.integers(0, 2), **{k: st.just(v) for k, v in REFUND.items()}),
    st.builds(RefundRefused, fee_fen=st.integers(0, 2), **{k: st.just(v) for k, v in REFUND.items()}),
)
times = st.integers(0, 3).map(lambda hours: BEGINNING + timedelta(hours=hours))
"""Few values and few times, so that facts collide."""


@st.composite
def histories(draw: st.DrawFn) -> tuple[set[tuple[Any, datetime]], list[tuple[Any, datetime]]]:
    """What happened, and the same as it is told: shuffled, everything at least once, some of it again."""
    once = {data: draw(times) for data in draw(st.sets(one_of_a_kind, max_size=8))}
    happened = {*once.items(), *draw(st.sets(st.tuples(many_of_a_kind, times), max_size=8))}
    whole = sorted(happened, key=repr)
    again = draw(st.lists(st.sampled_from(whole), max_size=12)) if whole else []
    return happened, draw(st.permutations(whole + again))


@settings(max_examples=300, deadline=None)
@given(histories())
def test_any_order_and_any_repetition_of_an_orders_facts_gives_the_same_events_once(
    history: tuple[set[tuple[Any, datetime]], list[tuple[Any, datetime]]],
) -> None:
    happened, told = history
    slot, out = beginning(PROCESS, "s1", "-", "o1"), []
    for number, (data, time) in enumerate(told):
        fact = Fact(data=data, shop="s1", buyer="b1", time=time, id=f"in:{number}:0", seq=number)
        outcome = handle(PROCESS, slot, fact, BEGINNING + timedelta(days=1), POLICY)
        stored = msgspec.json.decode(msgspec.json.encode(outcome.slot.state), type=order_facts.State)
        slot = msgspec.structs.replace(outcome.slot, state=stored)
        out += [(event.data, event.time) for event in outcome.events]
    assert Counter(out) == Counter(happened)
    assert len(slot.state.known) == len(happened)
