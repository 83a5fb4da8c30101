"""The Taobao feeds of one order, in any order of arrival, are one story."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from services.kernel.process import process_of
from services.kernel.service import Service
from services.replay.memory import Memory
from services.trade_ingest import order_facts
from services.trade_ingest.sources import taobao
from tests.unit.trade_ingest.taobao_feed import KEYS

SAMPLES = Path(__file__).parents[2] / "samples" / "taobao"
SERVICE = Service(
    name="trade_ingest",
    processes=[process_of(order_facts)],
    sources={"taobao": taobao.translate},
    reads_events=False,
)


@pytest.mark.parametrize("arrival", list(permutations(["tmc", "order", "refund"])))
def test_messages_and_snapshots_tell_each_fact_once_whichever_comes_first(arrival: Sequence[str]) -> None:
    memory = Memory([SERVICE], keys=KEYS)
    received = datetime(2026, 11, 24, 12, tzinfo=UTC)
    for minute, kind in enumerate([*arrival, *arrival]):
        payload = (SAMPLES / f"{kind}.json").read_bytes()
        memory.publish("taobao", "s1", kind, payload, at=received + timedelta(minutes=minute))
    assert sorted(event.data.TYPE for event in memory.log) == [
        "order.flagged",
        "order.memo_changed",
        "order.paid",
        "order.pickup_scanned",
        "order.placed",
        "order.shipped",
        "order.signed",
        "refund.agreed",
        "refund.requested",
    ]
    assert {event.buyer for event in memory.log} == {"AAEhQkXnAAdr4nUdEm2pTgXq"}
    assert not memory.parked
