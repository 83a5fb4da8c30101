"""The pure parts of the loop and the relay."""

from datetime import UTC, datetime
from typing import Any

from schemas.envelope import Event
from schemas.order import OrderPaid
from services.kernel import outbox, policy
from services.kernel.inputs import Item
from services.kernel.loop import segments
from services.kernel.reader import Message

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def message(seq: int, data: Any) -> tuple[Message, list[Item]]:
    found = Message("EVENTS", seq, "evt.0.s.b.x", NOW, b"")
    return found, [Item(message=found, partition=0, input=Event(data=data, shop="s1", time=NOW))]


def paid(seq: int) -> tuple[Message, list[Item]]:
    return message(seq, OrderPaid(order_id="o1", paid_fen=1))


def changed(seq: int) -> tuple[Message, list[Item]]:
    return message(seq, policy.changed("s1", policy.default_policy(), None, seq))


def test_a_policy_begins_a_transaction_so_that_nothing_behind_it_is_decided_under_the_old_one():
    batch = [paid(1), changed(2), paid(3), changed(4), changed(5)]
    found = [[m.seq for m, _ in segment] for segment in segments(batch)]
    assert found == [[1], [2, 3], [4], [5]]


def test_a_batch_without_a_policy_is_one_transaction():
    assert segments([paid(1), paid(2)]) == [[paid(1), paid(2)]]
    assert segments([changed(1), paid(2)]) == [[changed(1), paid(2)]]


def test_a_batch_of_the_relay_is_bounded_in_bytes_but_never_empty():
    rows: Any = [{"payload": b"x" * (outbox.BATCH_BYTES // 2)}] * 5
    assert len(outbox.bounded(rows)) == 2
    large: Any = [{"payload": b"x" * (outbox.BATCH_BYTES + 1)}]
    assert len(outbox.bounded(large)) == 1
