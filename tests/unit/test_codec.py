"""Bytes to events and back: strict, with the path of what is wrong; what is written can be read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.buyer import BuyerForgotten
from schemas.care import CareConsentChanged
from schemas.chat import MessageReceived
from schemas.codec import (
    DecodeError,
    EncodeError,
    UnknownCommand,
    UnknownType,
    UnknownVersion,
    decode,
    decode_command,
    encode,
)
from schemas.envelope import Event
from schemas.member import MemberTierChanged
from schemas.order import OrderPaid, OrderPlaced, Presale
from schemas.policy import PolicyChanged
from schemas.strict import MAX_DEPTH

NOON = datetime(2025, 9, 19, 4, 0, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))
NOON_IN_CHINA = datetime(2025, 9, 19, 12, 0, tzinfo=CHINA)


def event(data: Any, **envelope: Any) -> Event[Any]:
    return Event(**{"data": data, "shop": "shop-1", "buyer": "b1", "time": NOON, "id": "e1", **envelope})


def paid(**envelope: Any) -> Event[Any]:
    return event(OrderPaid(order_id="9007199254740993", paid_fen=2990), **envelope)


def policy(values: dict[str, Any]) -> Event[Any]:
    return event(PolicyChanged(shop="shop-1", version=1, digest="d", values=values), buyer="-")


def wire(changes: dict[str, Any] | None = None, data: dict[str, Any] | None = None) -> bytes:
    """The JSON of a paid order, with other fields in the envelope or the data."""
    whole = msgspec.json.decode(encode(paid()))
    return msgspec.json.encode({**whole, **(changes or {}), "data": {**whole["data"], **(data or {})}})


def test_an_event_reads_back_as_it_was_written():
    assert decode(encode(paid(source="s", actor="a", basis="in:7", ordinal=3, policy="p"))) == paid(
        source="s", actor="a", basis="in:7", ordinal=3, policy="p"
    )


@given(st.text(max_size=200).filter(lambda text: "\0" not in text))
def test_any_text_without_nul_reads_back_exactly(text: str):
    written = event(MessageReceived(message_id="m", conversation_id="c", text=text))
    assert decode(encode(written)) == written


def test_the_log_says_the_sequence_and_the_recorded_time():
    payload = encode(paid(seq=1, recordedtime=NOON))
    assert b"recordedtime" not in payload
    read = decode(payload, seq=42, recordedtime=NOON)
    assert (read.seq, read.recordedtime) == (42, NOON)


def test_a_field_that_this_reader_does_not_know_is_left_out():
    assert decode(wire({"new": 1}, {"new": {"x": [1]}})) == paid()


@pytest.mark.parametrize(
    ("data", "subject"),
    [
        (OrderPaid(order_id="o1", paid_fen=1), "o1"),
        (BuyerForgotten(), "b1"),
        (MemberTierChanged(from_tier="vip", to_tier="none", total_fen=0, cause="refunded"), "b1"),
        (CareConsentChanged(channel="sms", purpose="all", granted=False, evidence="TD"), "b1"),
    ],
)
def test_the_subject_is_the_id_of_the_thing_or_else_the_buyer(data: Any, subject: str):
    assert msgspec.json.decode(encode(event(data)))["subject"] == subject


@dataclass
class Wrong:
    payload: bytes
    says: str
    field: str = ""


WRONG = {
    "no JSON": Wrong(b"{", "no CloudEvent"),
    "empty": Wrong(b"", "no CloudEvent"),
    "not UTF-8": Wrong(wire().replace(b"9007199254740993", b"\xff\xfe"), "utf-8"),
    "a byte order mark": Wrong(b"\xef\xbb\xbf" + wire(), "malformed"),
    "something after the end": Wrong(wire() + b"{}", "trailing characters"),
    "a list": Wrong(b"[]", "Expected `object`, got `array`"),
    "NaN": Wrong(wire().replace(b"2990", b"NaN"), "malformed"),
    "another specversion": Wrong(wire({"specversion": "2.0"}), "Invalid enum value", "specversion"),
    "no id": Wrong(wire({"id": ""}), "length >= 1", "id"),
    "a number as shop": Wrong(wire({"shop": 7}), "Expected `str`", "shop"),
    "a long shop": Wrong(wire({"shop": "s" * 201}), "length <= 200", "shop"),
    "a naive time": Wrong(wire({"time": "2025-09-19T12:00:00"}), "timezone", "time"),
    "a time before the calendar": Wrong(wire({"time": "0001-01-01T00:00:00+08:00"}), "out of range in UTC"),
    "a naive time in the data": Wrong(wire(None, {"ship_by": "2025-09-19T12:00:00"}), "timezone", "ship_by"),
    "no order id": Wrong(wire().replace(b'"order_id"', b'"order"'), "missing required field", "order_id"),
    "a number as order id": Wrong(wire(None, {"order_id": 9007199254740993}), "got `int`", "order_id"),
    "money as text": Wrong(wire(None, {"paid_fen": "29.90"}), "got `str`", "paid_fen"),
    "money with decimals": Wrong(wire(None, {"paid_fen": 29.9}), "got `float`", "paid_fen"),
    "negative money": Wrong(wire(None, {"paid_fen": -1}), "`int` >= 0", "paid_fen"),
    "money beyond 2^53": Wrong(wire(None, {"paid_fen": 2**53}), "9007199254740991", "paid_fen"),
    "money beyond every integer": Wrong(wire().replace(b"2990", b"9" * 400), "paid_fen", "paid_fen"),
    "data that is no object": Wrong(
        msgspec.json.encode({**msgspec.json.decode(wire()), "data": []}), "Expected `object`, got `array`"
    ),
    "a NUL in the data": Wrong(wire(None, {"order_id": "a\0b"}), "NUL character", "order_id"),
    "a NUL in the event id": Wrong(wire({"id": "a\0b"}), "NUL character", "id"),
    "a NUL in the buyer": Wrong(wire({"buyer": "\0"}), "NUL character", "buyer"),
    "a lone high surrogate": Wrong(wire(None, {"order_id": "X"}).replace(b'"X"', b'"\\ud800"'), "no CloudEvent"),
    "a lone low surrogate": Wrong(wire({"buyer": "X"}).replace(b'"X"', b'"\\udc00"'), "surrogate"),
    "a raw control character": Wrong(wire(None, {"order_id": "X"}).replace(b'"X"', b'"\x00"'), "invalid character"),
    "a deep array in the data": Wrong(
        wire(None, {"new": "X"}).replace(b'"X"', b"[" * 100_000 + b"]" * 100_000), "nested too deeply"
    ),
    "a deep array in the envelope": Wrong(
        wire({"new": "X"}).replace(b'"X"', b"[" * 100_000 + b"]" * 100_000), "nested too deeply"
    ),
    "a deep object": Wrong(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    "no dataschema of ours": Wrong(wire({"dataschema": "urn:x"}), "dataschema", "dataschema"),
    "another type's dataschema": Wrong(wire({"dataschema": "urn:carebus:event:order.placed:1"}), "dataschema"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_no_event_is_refused_with_the_path_of_the_fault(wrong: Wrong):
    with pytest.raises(DecodeError) as caught:
        decode(wrong.payload)
    assert wrong.says in str(caught.value)
    assert caught.value.field == wrong.field or not wrong.field
    assert type(caught.value) is DecodeError


def test_the_path_leads_into_lists():
    placed = OrderPlaced(order_id="o1", platform="jd", shop_kind="mall", lines=(), total_fen=0, postage_fen=0)
    whole = msgspec.json.decode(encode(event(placed)))
    whole["data"]["lines"] = [{"line_id": "1", "sku": "s\0", "title": "", "quantity": 1, "price_fen": 1}]
    with pytest.raises(DecodeError) as caught:
        decode(msgspec.json.encode(whole))
    assert caught.value.field == "lines[0].sku"
    whole["data"]["lines"][0] = {"line_id": "1"}
    with pytest.raises(DecodeError) as caught:
        decode(msgspec.json.encode(whole))
    assert caught.value.field == "lines[0].sku"


def test_a_text_that_only_looks_like_a_nul_is_text():
    written = event(MessageReceived(message_id="m", conversation_id="c", text="\\u0000"))
    assert decode(encode(written)) == written


def test_an_unknown_type_is_told_apart_so_that_it_can_be_skipped():
    with pytest.raises(UnknownType):
        decode(wire({"type": "order.teleported", "dataschema": "urn:carebus:event:order.teleported:1"}))


def test_an_unknown_version_is_told_apart_so_that_it_can_be_parked():
    with pytest.raises(UnknownVersion):
        decode(wire({"dataschema": "urn:carebus:event:order.paid:2"}))


def test_times_with_another_offset_are_written_in_utc():
    presale = Presale(deposit_fen=1, balance_fen=2, opens_at=NOON_IN_CHINA, until=NOON_IN_CHINA)
    placed = OrderPlaced(
        order_id="o1",
        platform="jd",
        shop_kind="mall",
        lines=(),
        total_fen=0,
        postage_fen=0,
        pay_by=NOON_IN_CHINA,
        presale=presale,
    )
    payload = encode(event(placed, time=NOON_IN_CHINA))
    assert b"+08:00" not in payload
    assert payload.count(b"2025-09-19T04:00:00Z") == 4


def test_times_with_another_offset_are_read_in_utc():
    read = decode(wire({"time": "2025-09-19T12:00:00+08:00"}, {"ship_by": "2025-09-19T12:00:00+08:00"}))
    assert isinstance(read.data, OrderPaid)
    assert read.data.ship_by is not None
    assert (read.time, read.time.tzinfo) == (NOON, UTC)
    assert (read.data.ship_by, read.data.ship_by.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"a": {"b": [0, 2**53]}}, "integer beyond 2^53 - at `values.a.b[1]`"),
        ({"a": ["\0"]}, "NUL character - at `values.a[0]`"),
        ({"\0": 1}, "NUL character - at `values`"),
        ({str(n): n for n in range(1001)}, "length <= 1000"),
    ],
)
def test_free_form_json_is_bounded(values: dict[str, Any], says: str):
    with pytest.raises(EncodeError) as caught:
        encode(policy(values))
    assert says in str(caught.value)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"x": value}
    return value


def test_free_form_json_may_be_32_deep_and_no_deeper():
    assert decode(encode(policy(nested(MAX_DEPTH)))) == policy(nested(MAX_DEPTH))
    with pytest.raises(EncodeError, match="nested deeper than 32"):
        encode(policy(nested(MAX_DEPTH + 1)))


@pytest.mark.parametrize(
    "broken",
    [
        paid(id=""),
        paid(time=datetime(2025, 9, 19)),
        paid(time=datetime.min.replace(tzinfo=CHINA)),
        paid(actor="x" * 501),
        paid(buyer="\ud800"),
        event(OrderPaid(order_id="o\0", paid_fen=1)),
        event(OrderPaid(order_id="o", paid_fen=-1)),
        event(OrderPaid(order_id="", paid_fen=1)),
        event(MessageReceived(message_id="m", conversation_id="c", text="x" * 20_001)),
    ],
    ids=[
        "no id",
        "naive",
        "out of range",
        "long actor",
        "surrogate",
        "NUL",
        "negative",
        "empty",
        "long",
    ],
)
def test_an_event_that_no_reader_could_take_is_not_written(broken: Event[Any]):
    with pytest.raises(EncodeError):
        encode(broken)


def command(**data: Any) -> bytes:
    actor = {"id": "小美", "role": "agent"}
    return msgspec.json.encode({"command_id": "c1", "shop": "s1", "actor": actor, "data": data})


def test_a_command_is_decoded_by_its_service_and_name():
    read = decode_command("trade_ingest", "extend_receipt", command(order_id="o1", days=3))
    assert (read.command_id, read.shop, read.actor.role) == ("c1", "s1", "agent")
    assert msgspec.to_builtins(read.data) == {"order_id": "o1", "days": 3}


def test_a_command_without_data_may_leave_it_out():
    payload = msgspec.json.encode({"command_id": "c1", "shop": "s1", "actor": {"id": "x", "role": "owner"}})
    assert msgspec.to_builtins(decode_command("care_notifier", "switch_live", payload).data) == {}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"order_id": "o1"}, "days"),
        ({"order_id": "\0", "days": 3}, "order_id"),
        ({"order_id": 1, "days": 3}, "order_id"),
    ],
)
def test_a_wrong_command_names_the_field(data: dict[str, Any], field: str):
    with pytest.raises(DecodeError) as caught:
        decode_command("trade_ingest", "extend_receipt", command(**data))
    assert caught.value.field == field


@pytest.mark.parametrize("buyer", ["-", ""])
def test_no_command_may_name_a_buyer_like_the_lane_without_one(buyer: str):
    with pytest.raises(DecodeError) as caught:
        decode_command("chat_ingest", "forget_buyer", command(buyer=buyer, reason="asked"))
    assert caught.value.field == "buyer"


@pytest.mark.parametrize("buyer", ["--", "-a", "张", "a"])
def test_any_other_buyer_may_be_named(buyer: str):
    read = decode_command("chat_ingest", "forget_buyer", command(buyer=buyer, reason="asked"))
    assert msgspec.to_builtins(read.data) == {"buyer": buyer, "reason": "asked"}


@pytest.mark.parametrize(("service", "name"), [("trade_ingest", "teleport"), ("nobody", "sign_in")])
def test_an_unknown_command_is_told_apart(service: str, name: str):
    with pytest.raises(UnknownCommand):
        decode_command(service, name, command())
