"""However its life is told, lost, repeated and reordered: what is told of an order is that life, once, in one lane.

**What does not depend on the order of arrival**: facts that happen once (placed, paid, shipped, scans, refund steps,
the end). The last snapshot or their own message proves them, and they are told whatever comes first.

**What does**: a value. An older statement that comes after a newer one says nothing (it is late), so a price that was
in force for an hour is told only if it was heard of before its successor. The reference therefore walks the statements
as they arrive and keeps those that are newer than all before. And who signed: `AllSigned` means every parcel that
nobody has signed for *yet*. Both are taken from the life and the order of arrival, not from the code under test.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from schemas.flag import OrderFlagCleared, OrderFlagged
from schemas.order import (
    OrderAddressChanged,
    OrderArrived,
    OrderMemoChanged,
    OrderParcelMoved,
    OrderPickupScanned,
    OrderPlaced,
    OrderPriceAdjusted,
    OrderShipped,
    OrderSigned,
)
from schemas.review import ReviewPosted
from services.trade_ingest.stated import Address, AllSigned, Flag, Memo, Owner, ParcelTraced, Price
from tests.unit.trade_ingest.order_lives import (
    BEGINNING,
    LATE_STAMP,
    LINES,
    ORDER,
    WAYBILLS,
    Life,
    Told,
    lives,
    notification,
    snapshot,
)
from tests.unit.trade_ingest.orders import REMEMBERED, Order

NOW = BEGINNING + timedelta(days=30)
"""All messages arrive within a second of each other: nothing falls due between them."""


# How it arrives


class History(Struct):
    life: Life
    arrived: list[tuple[list[Told], str]]
    """Messages in the order of their arrival, each with the buyer that it names."""

    @property
    def facts(self) -> list[Told]:
        return [told for message, _ in self.arrived for told in message]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Any notification may be lost or repeated, but for those that nothing else proves; the last snapshot comes."""
    life = draw(lives())
    messages: list[list[Told]] = []
    for moment in life:
        least = 1 if moment.what == "scan" else 0
        messages += [notification(draw, life, moment)] * draw(st.integers(least, 2))
    for moment in draw(st.lists(st.sampled_from(life), max_size=4)):
        messages.append(snapshot(life, moment))
    messages += [snapshot(life, life[-1])] * draw(st.integers(1, 2))
    messages += [
        [(ReviewPosted(**ORDER, review_id="v1", rating="good"), moment.at)]
        for moment in life
        if moment.what == "review"
    ]
    messages.append([(Owner(**ORDER, open_id="b1"), life[-1].at)])
    arrived = draw(st.permutations(messages))
    return History(life, [(message, draw(st.sampled_from(["-", "-", "b1"]))) for message in arrived])


# What must come of it

Name = tuple[Any, ...]


def expected(history: History) -> Counter[Name]:
    return Counter([*_once(history), *_signed(history), *_values(history)])


def _once(history: History) -> Iterable[Name]:
    for moment in history.life:
        match moment.what:
            case "placed" | "paid" | "completed" | "closed":
                yield (f"order.{moment.what}", moment.at)
            case "shipped":
                yield ("order.shipped", WAYBILLS[moment.which], moment.at)
            case "scan":
                number, action = moment.which
                yield (_SCANS[action].TYPE, WAYBILLS[number], *(["self"] if action == "signed" else []), moment.at)
            case "refund":
                yield (f"refund.{moment.which}", moment.at)
            case "review":
                yield ("review.posted", moment.at)


_SCANS: dict[str, Any] = {
    "pickup": OrderPickupScanned,
    "departure": OrderParcelMoved,
    "sent_city": OrderArrived,
    "signed": OrderSigned,
}


def _signed(history: History) -> Iterable[Name]:
    """A parcel is signed by `other` if nobody has signed for it when both it and the receiving are first known."""
    facts = history.facts
    received = [number for number, (data, _) in enumerate(facts) if isinstance(data, AllSigned)]
    at = [moment.at for moment in history.life if moment.what == "received"]
    for waybill in WAYBILLS if received else ():
        sent = [n for n, (data, _) in enumerate(facts) if isinstance(data, OrderShipped) and data.waybill == waybill]
        signed = [
            number
            for number, (data, _) in enumerate(facts)
            if isinstance(data, ParcelTraced) and data.waybill == waybill and data.action == "signed"
        ]
        if sent and not (signed and signed[0] < max(sent[0], received[0])):
            yield ("order.signed", waybill, "other", at[0])


def _values(history: History) -> Iterable[Name]:
    """What differs from the one before, of the statements that are newer than all before."""
    facts = history.facts
    for (_, before), (at, now) in _steps([(at, d.address_digest) for d, at in facts if isinstance(d, Address)]):
        if before is not None:
            yield (OrderAddressChanged.TYPE, now, at)
    for version, (_, (at, now)) in enumerate(
        _steps([(BEGINNING, ""), *((at, d.memo) for d, at in facts if isinstance(d, Memo))])[1:], 1
    ):
        yield (OrderMemoChanged.TYPE, now, version, at)
    flags = [(at, d.raw_code) for d, at in facts if isinstance(d, Flag)]
    for (_, before), (at, now) in _steps([(BEGINNING, "0"), *flags])[1:]:
        if before != "0":
            yield (OrderFlagCleared.TYPE, before, at)
        if now != "0":
            yield (OrderFlagged.TYPE, now, at)
    first = next(number for number, (d, _) in enumerate(facts) if isinstance(d, Price | OrderPlaced))
    prices = [(at, d.total_fen) for n, (d, at) in enumerate(facts) if n == first or isinstance(d, Price)]
    for (_, before), (at, now) in _steps(prices):
        if before is not None:
            yield (OrderPriceAdjusted.TYPE, now, at)


def _steps(statements: Sequence[tuple[datetime, Any]]) -> list[tuple[tuple[Any, Any], tuple[datetime, Any]]]:
    """(the value before, the new one), each with its time; the first one has nothing before it."""
    found: list[tuple[tuple[Any, Any], tuple[datetime, Any]]] = []
    last: tuple[Any, Any] = (None, None)
    for at, value in statements:
        if last[0] is not None and (at < last[0] or value == last[1]):
            last = (max(at, last[0]), last[1])
            continue
        found.append((last, (at, value)))
        last = (at, value)
    return found


# What came of it


def found(order: Order, life: Life) -> Counter[Name]:
    """The events by the names that `expected` gives them; those of one change of the price count as one."""
    names = [_name(event.data, event.time, life) for event in order.events]
    prices = {name for name in names if name[0] == OrderPriceAdjusted.TYPE}
    return Counter([*(name for name in names if name[0] != OrderPriceAdjusted.TYPE), *prices])


def _name(data: Any, time: datetime, life: Life) -> Name:
    at = time if any(time == moment.at for moment in life) else time - LATE_STAMP
    match data:
        case OrderPriceAdjusted():
            return (data.TYPE, data.total_fen, at)
        case OrderAddressChanged():
            return (data.TYPE, data.address_digest, at)
        case OrderMemoChanged():
            return (data.TYPE, data.memo, data.memo_version, at)
        case OrderFlagged() | OrderFlagCleared():
            return (data.TYPE, data.raw_code, at)
        case OrderSigned():
            return (data.TYPE, data.parcel_id, data.by, at)
        case OrderShipped() | OrderPickupScanned() | OrderParcelMoved() | OrderArrived():
            return (data.TYPE, data.parcel_id, at)
        case _:
            return (data.TYPE, at)


def arrive(history: History) -> Order:
    order = Order()
    for number, (message, buyer) in enumerate(history.arrived):
        for data, at in message:
            order.hear(data, when=at, buyer=buyer, learnt=NOW + timedelta(milliseconds=number))
    return order


def the_life_is_told(history: History) -> None:
    order = arrive(history)
    assert found(order, history.life) == expected(history)
    assert {event.buyer for event in order.events} == {"b1"}
    told = [(event.data, event.time) for event in order.events]
    assert len(told) == len(set(told)), "nothing twice"
    for data, time in told:
        if isinstance(data, OrderPriceAdjusted):
            (then,) = (moment for moment in history.life if moment.at == time)
            assert data.postage_fen in (None, then.postage)
            assert data.line_id is None or data.price_fen == then.prices[LINES.index(data.line_id)]
    last = history.life[-1]
    assert (order.state.price.total_fen, order.state.address.value) == (last.total, last.address)  # type: ignore[union-attr]
    count = len(order.events)
    order.until(NOW + 2 * REMEMBERED)
    assert (len(order.events), order.aside, order.ended) == (count, [], 1), "nothing waits any more"


@settings(max_examples=500, deadline=None)
@given(histories())
def test_however_its_life_is_told_each_fact_of_it_is_told_once_in_its_buyers_lane(history: History) -> None:
    the_life_is_told(history)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None)
@given(histories())
def test_ten_thousand_lives(history: History) -> None:
    the_life_is_told(history)


@settings(max_examples=100, deadline=None)
@given(lives())
def test_where_each_moment_has_its_snapshot_and_none_is_late_what_is_told_is_what_happened(life: Life) -> None:
    history = History(life, [(snapshot(life, moment), "b1") for moment in life])
    changes = [name for name in found(arrive(history), life) if name[0] in _VALUES]
    assert Counter(changes) == Counter(_changes(life))


_VALUES = {
    struct.TYPE
    for struct in (OrderPriceAdjusted, OrderAddressChanged, OrderMemoChanged, OrderFlagged, OrderFlagCleared)
}


def _changes(life: Life) -> Iterable[Name]:
    """From the life alone: where a moment differs from the one before. A memo that is there at once is a change."""
    version = 0
    nothing = msgspec.structs.replace(life[0], memo="", flag="0")
    for before, now in zip([nothing, *life], life, strict=False):
        if before.total != now.total:
            yield (OrderPriceAdjusted.TYPE, now.total, now.at)
        if before.address != now.address:
            yield (OrderAddressChanged.TYPE, now.address, now.at)
        if before.memo != now.memo:
            yield (OrderMemoChanged.TYPE, now.memo, version := version + 1, now.at)
        if before.flag != now.flag:
            yield from [(OrderFlagCleared.TYPE, before.flag, now.at)] if before.flag != "0" else []
            yield from [(OrderFlagged.TYPE, now.flag, now.at)] if now.flag != "0" else []
