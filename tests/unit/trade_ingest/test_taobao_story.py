"""The Taobao feeds of one order, in any order of arrival, are one story."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from schemas.order import OrderDepositPaid, OrderPaid, OrderPlaced
from services.kernel.process import process_of
from services.kernel.service import Service
from services.replay.memory import Memory
from services.trade_ingest import order_facts
from services.trade_ingest.sources import taobao
from tests.unit.trade_ingest.taobao_feed import KEYS, TRADE, at, envelope, trade

SAMPLES = Path(__file__).parents[2] / "samples" / "taobao"
SERVICE = Service(
    name="trade_ingest",
    processes=[process_of(order_facts)],
    sources={"taobao": taobao.translate},
    reads_events=False,
)

LIFE = {OrderPlaced.TYPE, OrderDepositPaid.TYPE, OrderPaid.TYPE}


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


def test_a_presale_is_placed_with_its_balance_when_its_deposit_is_paid_and_paid_when_all_is() -> None:
    """预售 (domain.md 2), from the first snapshot on to the last."""
    memory = Memory([SERVICE], keys=KEYS)
    received = datetime(2026, 11, 24, 12, tzinfo=UTC)
    deposit, balance = "2026-11-11 00:30:00", "2026-12-01 00:00:00"
    steps = [
        {"step_trade_status": "FRONT_NOPAID_FINAL_NOPAID", "timeout_action_time": deposit, "pay_time": None},
        {"step_trade_status": "FRONT_PAID_FINAL_NOPAID", "step_paid_fee": "10.00", "timeout_action_time": balance},
        {"step_trade_status": "FRONT_PAID_FINAL_PAID", "step_paid_fee": "59.60", "pay_time": "2026-11-20 00:00:00"},
    ]
    told: list[list[str]] = []
    memory.publish("taobao", "s1", "tmc", envelope("taobao_trade_TradeCreate", TRADE | {"type": "step"}), at=received)
    for minute, step in enumerate(steps, 1):
        status = "WAIT_SELLER_SEND_GOODS" if step is steps[-1] else "WAIT_BUYER_PAY"
        shown = trade(type="step", status=status, modified=f"2026-11-2{minute} 00:00:00", **step)
        before = len(memory.log)
        memory.publish("taobao", "s1", "order", {"trade": shown}, at=received + timedelta(minutes=minute))
        told.append([event.data.TYPE for event in memory.log[before:] if event.data.TYPE in LIFE])
    assert told == [[], ["order.placed", "order.deposit_paid"], ["order.paid"]]
    placed, deposited, paid = (event for event in memory.log if event.data.TYPE in LIFE)
    assert placed.time == at("2026-11-11 00:00:01")
    assert (placed.data.presale.deposit_fen, placed.data.presale.balance_fen) == (1000, 4960)
    assert placed.data.presale.until == at(balance)
    assert (deposited.data.paid_fen, paid.data.paid_fen) == (1000, 5960)
    assert not memory.parked
