"""The canonical feed: CloudEvents of the contract in, facts or refusals out, and nothing of the data in a refusal."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from schemas.codec import dataschema
from schemas.order import OrderPaid, OrderPlaced, OrderSigned
from schemas.subjects import NO_BUYER
from services.kernel.canonical import MAX_FACTS, canonical, contract_types
from services.kernel.inputs import AHEAD, EARLIEST, RawFact, Refused
from services.kernel.process import Fact
from services.kernel.vault import Keys

RECORDED = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECRET = "13812341234"
KEYS = Keys(b"i" * 32, [])
translate = canonical(contract_types(OrderPlaced, OrderPaid, OrderSigned))


def said(**changes: Any) -> dict[str, Any]:
    """A statement that is taken; a change to None leaves the field out."""
    whole = {
        "specversion": "1.0",
        "id": "m1",
        "source": "shop-system",
        "type": "order.paid",
        "time": "2026-03-02T17:59:59+08:00",
        "buyer": "b1",
        "data": {"order_id": "4611686018427387905", "paid_fen": 2980},
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def told(payload: Any) -> list[Fact[Any] | Refused]:
    raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    return list(translate(RawFact("canonical", "s1", "trade", raw, 7, RECORDED, KEYS)))


def refused(payload: Any) -> Refused:
    (found,) = told(payload)
    assert isinstance(found, Refused)
    return found


def test_a_cloudevent_becomes_a_fact_of_its_buyer_and_time_in_utc() -> None:
    assert told(said(actor="erp", correlationid="c9")) == [
        Fact(
            data=OrderPaid(order_id="4611686018427387905", paid_fen=2980),
            shop="s1",
            buyer="b1",
            time=datetime(2026, 3, 2, 9, 59, 59, tzinfo=UTC),
            actor="erp",
            correlationid="c9",
        )
    ]


def test_an_id_beyond_2_to_the_53_is_kept_digit_for_digit_and_as_a_number_it_is_refused() -> None:
    long = "9" * 30
    (fact,) = told(said(data={"order_id": long, "paid_fen": 1}))
    assert isinstance(fact, Fact)
    assert fact.data.order_id == long
    assert refused(said(data={"order_id": 2**53 + 1, "paid_fen": 1})).field == "data.order_id"


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n ", b"\xef\xbb\xbf\r\n"])
@pytest.mark.parametrize("many", [False, True])
def test_a_byte_order_mark_and_white_space_change_nothing(before: bytes, many: bool) -> None:
    body = msgspec.json.encode([said()] if many else said())
    assert told(before + body + b"\r\n") == told(said())


def test_a_batch_is_taken_fact_by_fact_and_a_wrong_one_does_not_hold_up_its_neighbours() -> None:
    first, wrong, not_even, last = told([said(), said(buyer=None), 17, said(type="order.completed")])
    assert isinstance(first, Fact)
    assert isinstance(wrong, Refused)
    assert wrong.field == "buyer"
    assert isinstance(not_even, Refused)
    assert isinstance(last, Refused)
    assert last.field == "type"


@pytest.mark.parametrize("number", [0, MAX_FACTS + 1])
def test_a_batch_holds_at_least_one_fact_and_at_most_so_many(number: int) -> None:
    assert "batch" in refused([said()] * number).reason
    assert len(told([said()] * MAX_FACTS)) == MAX_FACTS


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"buyer": "-"}, "buyer"),
        ({"buyer": 17}, "buyer"),
        ({"time": "2026-03-02T10:00:00"}, "time"),
        ({"time": "2 March"}, "time"),
        ({"shop": "s2"}, "shop"),
        ({"type": "order.flagged"}, "type"),
        ({"data": None}, "data"),
        ({"data": {"order_id": "o1", "paid_fen": -1}}, "data.paid_fen"),
        ({"data": {"order_id": "o1", "paid_fen": 29.8}}, "data.paid_fen"),
        ({"data": {"order_id": "o1", "paid_fen": "29.80"}}, "data.paid_fen"),
        ({"data": {"order_id": "", "paid_fen": 1}}, "data.order_id"),
        ({"data": {"order_id": "a\0b", "paid_fen": 1}}, "data.order_id"),
        ({"data": {"order_id": "o1"}}, "data.paid_fen"),
        ({"data": {"order_id": "o1", "paid_fen": 1, "ship_by": "2026-03-02 10:00"}}, "data.ship_by"),
        ({"dataschema": dataschema("order.paid", 9)}, "dataschema"),
        ({"dataschema": "https://example.org/paid"}, "dataschema"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    assert refused(said(**changes)).field == field


@pytest.mark.parametrize("payload", [b"", b"{", b"[{}", b"null", b'{"specversion": NaN}', b"\xff\xfe{}", b"[" * 9999])
def test_what_is_no_json_object_is_refused(payload: bytes) -> None:
    assert refused(payload).reason


def test_the_present_version_may_be_named() -> None:
    assert told(said(dataschema=dataschema("order.paid", 1))) == told(said())


def test_a_nick_stands_for_the_buyer_and_goes_no_further() -> None:
    (fact,) = told(said(buyer=None, nick="小美爱网购"))
    assert isinstance(fact, Fact)
    assert fact.buyer == KEYS.nick_lane("s1", "小美爱网购")
    assert "小美" not in str(fact)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"nick": "小美"}, "nick"),
        ({"buyer": None, "nick": "小**"}, "nick"),
        ({"buyer": None, "nick": "小＊＊"}, "nick"),
        ({"buyer": None, "nick": ""}, "nick"),
        ({"buyer": None, "nick": " \u3000"}, "nick"),
        ({"buyer": None, "nick": 17}, "nick"),
        ({"buyer": None, "nick": "a\0b"}, "nick"),
        ({"buyer": None}, "buyer"),
    ],
)
def test_a_buyer_is_one_that_can_be_told_from_others(changes: dict[str, Any], field: str) -> None:
    found = refused(said(**changes))
    assert found.field == field
    assert "小" not in found.reason


@pytest.mark.parametrize("changes", [{"buyer": None}, {"buyer": None, "nick": "小**"}])
def test_where_the_buyer_is_optional_nobody_is_said_to_be_it(changes: dict[str, Any]) -> None:
    anybody = canonical(contract_types(OrderPaid), buyer_optional=True)
    raw = RawFact("courier", "s1", "trade", msgspec.json.encode(said(**changes)), 7, RECORDED, KEYS)
    (fact,) = anybody(raw)
    assert isinstance(fact, Fact)
    assert fact.buyer == NO_BUYER


def test_fields_that_nobody_knows_are_ignored() -> None:
    assert told(said(partner="x", data={"order_id": "4611686018427387905", "paid_fen": 2980, "more": 1})) == told(
        said()
    )


def test_a_time_further_ahead_of_its_reception_than_allowed_is_a_wrong_clock() -> None:
    late, early = RECORDED + AHEAD, RECORDED + AHEAD + timedelta(microseconds=1)
    assert isinstance(told(said(time=late.isoformat()))[0], Fact)
    assert refused(said(time=early.isoformat())).field == "time"


def test_a_time_before_1990_is_a_null_in_the_disguise_of_a_time() -> None:
    assert isinstance(told(said(time=EARLIEST.isoformat()))[0], Fact)
    for early in (EARLIEST - timedelta(microseconds=1)).isoformat(), "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z":
        assert refused(said(time=early)).field == "time"


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "order.signed", "data": {"order_id": "o1", "parcel_id": "p1", "by": SECRET}},
        {"specversion": SECRET},
        {"type": SECRET},
        {"shop": SECRET},
        {"time": SECRET},
        {"buyer": SECRET * 20},
        {"nick": SECRET},
        {"buyer": None, "nick": SECRET + "*"},
        {"dataschema": SECRET},
        {"data": {"order_id": SECRET * 20, "paid_fen": 1}},
        {"data": {"order_id": "o1", "paid_fen": SECRET}},
        {"data": SECRET},
    ],
)
def test_a_refusal_never_quotes_what_the_sender_wrote(changes: dict[str, Any]) -> None:
    found = refused(said(**changes))
    assert found.reason
    assert SECRET not in found.reason + found.field + found.place
