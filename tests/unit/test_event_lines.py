"""What `carebus tail` makes of an event, and which events a filter lets through."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from schemas import subjects
from schemas.chat import MessageReceived
from schemas.codec import encode, entity
from schemas.envelope import Event
from schemas.order import OrderPaid
from services.cli.event_filter import EventFilter, parse_filter
from services.cli.event_lines import MAX_VALUE, as_line, as_object
from services.kernel.reader import Message

NOW = datetime(2026, 9, 16, 2, 0, 3, tzinfo=UTC)


def stored(data: Any, shop: str = "s1", buyer: str = "b1") -> Message:
    event = Event(data=data, shop=shop, buyer=buyer, time=NOW, id="e1", source="test")
    subject = subjects.event(shop, buyer, entity(data.TYPE))
    return Message("EVENTS", 7, subject, NOW, encode(event))


def wrote(text: str) -> Message:
    return stored(MessageReceived(message_id="m1", conversation_id="c1", text=text))


PAID = stored(OrderPaid(order_id="o1", paid_fen=2980, ship_by=NOW))


def test_a_line_tells_the_time_in_shanghai_and_money_in_yuan() -> None:
    assert as_line(PAID) == "2026-09-16 10:00:03  order.paid  s1  b1  o1  paid=29.80  ship_by=09-16 10:00"


def test_what_a_buyer_wrote_is_cut_and_cannot_move_the_cursor() -> None:
    line = as_line(wrote("你好\x1b[2J\r\n\u202e" + "长" * 100))
    assert line.isprintable()
    assert f"text=你好 [2J   {'长' * (MAX_VALUE - 10)}…" in line
    assert "长" * MAX_VALUE not in line


def test_a_message_that_is_no_event_is_a_line_too() -> None:
    for payload in (b"\xff", b"[]", b'{"time": "x"}', b'{"time": 1, "data": 2}'):
        assert as_line(msgspec.structs.replace(PAID, payload=payload)).endswith("(event 7 cannot be read)")


def test_json_is_the_event_as_stored_and_where_it_stands() -> None:
    told = msgspec.json.decode(as_object(PAID))
    assert (told.pop("seq"), told.pop("recordedtime")) == (7, "2026-09-16T02:00:03Z")
    assert told == msgspec.json.decode(PAID.payload)


@pytest.mark.parametrize(
    ("words", "subject", "takes_paid", "takes_chat"),
    [
        ([], "evt.*.*.*.*", True, True),
        (["order"], "evt.*.*.*.order", True, False),
        (["order.paid"], "evt.*.*.*.order", True, False),
        (["order.placed"], "evt.*.*.*.order", False, False),
        (["order.placed", "chat"], "evt.*.*.*.*", False, True),
        (["s1/"], "evt.*.s1.*.*", True, True),
        (["s2/"], "evt.*.s2.*.*", False, False),
        (["s1/b1", "order"], f"evt.{subjects.partition('s1', 'b1')}.s1.b1.order", True, False),
        (["s1/-"], f"evt.{subjects.partition('s1', '-')}.s1.-.*", False, False),
        (["s1/a/b"], f"evt.{subjects.partition('s1', 'a/b')}.s1.{subjects.token('a/b')}.*", False, False),
    ],
)
def test_a_filter_is_types_and_a_place(words: list[str], subject: str, takes_paid: bool, takes_chat: bool) -> None:
    wanted: EventFilter = parse_filter(words)
    assert wanted.subject == subject
    assert (wanted.takes(PAID), wanted.takes(wrote("x"))) == (takes_paid, takes_chat)
