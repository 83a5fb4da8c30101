"""The pure parts of the loop and the relay."""

from datetime import UTC, datetime
from typing import Any

from schemas import subjects
from schemas.envelope import Event
from schemas.order import OrderPaid
from services.kernel import outbox, policy
from services.kernel.inputs import Item
from services.kernel.reader import Message
from services.kernel.segments import segments

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def paid(seq: int) -> Message:
    return Message("EVENTS", seq, subjects.event("s1", "b1", "order"), NOW, b"paid")


def changed(seq: int) -> Message:
    return Message("EVENTS", seq, subjects.event("s1", "-", "policy"), NOW, b"changed")


def unknown(seq: int) -> Message:
    return Message("EVENTS", seq, subjects.event("s1", "b1", "newer"), NOW, b"unknown")


def decode(message: Message) -> list[Item]:
    """One input a message, as its bytes say; none in one of an unknown type."""
    if message.payload == b"unknown":
        return []
    is_paid = message.payload == b"paid"
    data: Any = OrderPaid(order_id="o1", paid_fen=1) if is_paid else CHANGED
    return [Item(message=message, partition=0, input=Event(data=data, shop="s1", time=NOW))]


CHANGED = policy.changed("s1", policy.default_policy(), None, 1)


def parts(*messages: Message) -> list[list[int]]:
    return [[item.message.seq for item in part.items] for part in segments(messages, decode, lambda skipped: None)]


def test_a_policy_begins_a_transaction_so_that_nothing_behind_it_is_decided_under_the_old_one():
    assert parts(paid(1), changed(2), paid(3), changed(4), changed(5)) == [[1], [2, 3], [4], [5]]


def test_a_batch_without_a_policy_is_one_transaction():
    assert parts(paid(1), paid(2)) == [[1, 2]]
    assert parts(changed(1), paid(2)) == [[1, 2]]


def test_a_skipped_message_is_told_of_and_moves_its_checkpoint_all_the_same():
    told: list[Message] = []
    (part,) = segments([paid(1), unknown(2)], decode, told.append)
    assert told == [unknown(2)]
    assert part.moved == {("EVENTS", subjects.partition("s1", "b1")): (2, NOW)}
    assert (part.messages, len(part.items)) == (2, 1)


def test_the_waves_of_the_relay_keep_the_order_of_each_lane_and_hold_it_once():
    subjects_sent = ["evt.1.s.a.order", "evt.2.s.b.chat", "evt.1.s.a.care", "evt.1.s.a.order", "evt.2.s.b.order"]
    rows: Any = [{"id": number, "subject": subject} for number, subject in enumerate(subjects_sent)]
    assert [[row["id"] for row in wave] for wave in outbox.waves(rows)] == [[0, 1], [2, 4], [3]]
    assert outbox.waves([]) == []


def test_a_batch_of_the_relay_is_bounded_in_bytes_but_never_empty():
    rows: Any = [{"payload": b"x" * (outbox.BATCH_BYTES // 2)}] * 5
    assert len(outbox.bounded(rows)) == 2
    large: Any = [{"payload": b"x" * (outbox.BATCH_BYTES + 1)}]
    assert len(outbox.bounded(large)) == 1
