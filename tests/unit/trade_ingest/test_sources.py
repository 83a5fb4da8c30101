"""Who takes which raw message: kind `chat` is chat_ingest's, and what nobody knows is refused, not lost."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.kernel.inputs import ANY, RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.app import SERVICE

PAID = {
    "specversion": "1.0", "id": "m1", "source": "erp", "type": "order.paid", "time": "2026-03-02T10:00:00Z",
    "buyer": "b1", "data": {"order_id": "o1", "paid_fen": 1},
}  # fmt: skip


def told(source: str, kind: str, payload: Any = PAID) -> list[Fact[Any] | Refused]:
    translate = SERVICE.sources.get(source) or SERVICE.sources[ANY]
    raw = RawFact(source, "s1", kind, msgspec.json.encode(payload), 1, datetime(2026, 3, 3, tzinfo=UTC))
    return list(translate(raw))


def test_canonical_trade_is_taken() -> None:
    (fact,) = told("canonical", "trade")
    assert isinstance(fact, Fact)


@pytest.mark.parametrize("source", ["canonical", "csv", "carrier-pigeon"])
def test_chats_of_any_source_are_left_to_chat_ingest(source: str) -> None:
    assert told(source, "chat") == []


@pytest.mark.parametrize(
    ("source", "kind", "field", "named"),
    [
        ("canonical", "trades", "kind", "trade and chat"),
        ("csv", "trade", "kind", "orders"),
        ("taobo", "trade", "source", "canonical, courier, csv"),
    ],
)
def test_what_nobody_knows_is_refused_and_the_sender_told_what_there_is(
    source: str, kind: str, field: str, named: str
) -> None:
    (refused,) = told(source, kind)
    assert isinstance(refused, Refused)
    assert refused.field == field
    assert named in refused.reason


@pytest.mark.parametrize("kind", ["order.flagged", "order.assigned", "ops.parked_growing", "chat.message_sent"])
def test_a_type_that_is_not_of_trade_is_refused(kind: str) -> None:
    (refused,) = told("canonical", "trade", PAID | {"type": kind})
    assert isinstance(refused, Refused)
    assert refused.field == "type"
