"""The traps of feeds.md, tried on the Taobao feeds: ids, money, times, masks, wrappings and broken JSON."""

import codecs
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.order import OrderPaid, OrderPlaced
from tests.unit.trade_ingest.taobao_feed import TID, TRADE, envelope, facts, line, of_type, refusals, told, trade

PAID = "taobao_trade_TradeBuyerPay"


@pytest.mark.parametrize("tid", [TID, str(TID), f" {TID} "])
def test_an_id_beyond_2_53_is_kept_digit_for_digit(tid: Any) -> None:
    (paid,) = facts(envelope(PAID, TRADE | {"tid": tid, "payment": "1", "buyer_nick": None}))
    assert paid.data.order_id == "4611686018427387905"


@pytest.mark.parametrize(
    "tid", ["4.611686018427388e18", 4.611686018427388e18, True, {"id": 1}, ["1"], "x" * 201, "a\0b"]
)
def test_what_is_no_id_is_refused(tid: Any) -> None:
    assert [refused.field for refused in refusals(envelope(PAID, TRADE | {"tid": tid}))] == ["content.tid"]


@pytest.mark.parametrize(
    ("amount", "fen"),
    [
        ("29.80", 2980),
        ("29.8", 2980),
        ("29", 2900),
        (29, 2900),
        (29.8, 2980),
        ("0.01", 1),
        ("0.00", 0),
        ("29.800", 2980),
    ],
)
def test_money_is_yuan_and_kept_in_fen(amount: Any, fen: int) -> None:
    assert of_type(facts(envelope(PAID, TRADE | {"payment": amount})), OrderPaid).data.paid_fen == fen


@pytest.mark.parametrize(
    "amount", ["29.805", "-1.00", "NaN", float("nan"), "1,000.00", "1e3", "¥29", True, {}, [1], "9" * 20]
)
def test_what_is_no_sum_in_yuan_is_refused(amount: Any) -> None:
    found = refusals(envelope(PAID, json.dumps(TRADE | {"payment": amount})))
    assert [refused.field for refused in found] == ([] if amount == {} else ["content.payment"])


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        ("2026-11-11 00:00:03", datetime(2026, 11, 10, 16, 0, 3, tzinfo=UTC)),
        ("2026-11-11T00:00:03+08:00", datetime(2026, 11, 10, 16, 0, 3, tzinfo=UTC)),
        (1794326403, datetime(2026, 11, 10, 16, 0, 3, tzinfo=UTC)),
        (1794326403000, datetime(2026, 11, 10, 16, 0, 3, tzinfo=UTC)),
    ],
)
def test_a_naive_time_is_of_gmt8_and_an_epoch_in_seconds_or_milliseconds(time: Any, instant: datetime) -> None:
    assert {fact.time for fact in facts(envelope(PAID, TRADE | {"payment": "1"}, time=time))} == {instant}


@pytest.mark.parametrize("null", ["0001-01-01 00:00:00", "1970-01-01 00:00:00", "1970-01-01 08:00:00", "", None, 0])
def test_a_null_in_the_disguise_of_a_time_is_none(null: Any) -> None:
    assert [refused.field for refused in refusals(envelope(PAID, TRADE, time=null))] == ["time"]


@pytest.mark.parametrize(
    "time", ["2026-11-25 20:00:00", "1985-01-01 00:00:00", "11/11/2026", "2026-13-01 00:00:00", 1e30]
)
def test_a_time_that_cannot_be_is_refused(time: Any) -> None:
    assert [refused.field for refused in refusals(envelope(PAID, TRADE, time=time))] == ["time"]


def test_a_message_comes_with_a_mark_and_other_line_ends() -> None:
    message = envelope(PAID, TRADE | {"payment": "1"})
    text = json.dumps(message, ensure_ascii=False, indent=1).replace("\n", "\r\n")
    assert told(codecs.BOM_UTF8 + text.encode()) == told(message)


def test_content_is_taken_as_an_object_too_and_what_nobody_knows_in_it_is_passed_over() -> None:
    plain = TRADE | {"payment": "1"}
    assert told(envelope(PAID, plain, content=plain | {"new_field": [1, {"a": None}]}, extra=1)) == told(
        envelope(PAID, plain)
    )


def test_a_list_of_one_line_comes_as_the_line_itself() -> None:
    listed = facts({"trade": trade(orders={"order": [line()]})}, "order")
    alone = facts({"trade": trade(orders={"order": line()})}, "order")
    assert of_type(listed, OrderPlaced) == of_type(alone, OrderPlaced)
    nested = facts({"trade": json.dumps(trade(orders=json.dumps({"order": [line()]})))}, "order")
    assert of_type(nested, OrderPlaced) == of_type(listed, OrderPlaced)


@pytest.mark.parametrize("kind", ["tmc", "order", "refund"])
@pytest.mark.parametrize(
    "payload", [b"", b"\xff\xfe", b"{", b"null", b"1", b'"text"', b"[1]", b"[]", b"[" * 5000 + b"]" * 5000]
)
def test_what_is_no_message_is_refused(kind: str, payload: bytes) -> None:
    assert len(refusals(payload, kind)) == 1


def test_a_refusal_quotes_nothing_of_what_was_sent() -> None:
    private = "王小明13800138000"
    for payload in (envelope(private, TRADE), envelope(PAID, TRADE | {"tid": private * 20, "payment": private})):
        (refused,) = refusals(payload)
        assert private not in f"{refused.reason}{refused.field}{refused.place}"


def test_half_an_emoji_is_no_text() -> None:
    nick = '{"tid": "1", "buyer_nick": "\\ud83d", "payment": "1"}'
    assert [refused.field for refused in refusals(envelope(PAID, nick))] == ["content.buyer_nick"]
