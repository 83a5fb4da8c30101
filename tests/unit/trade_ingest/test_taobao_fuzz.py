"""Whatever a Taobao feed sends: no exception leaves the source, nothing is dropped unseen, and every fact can be kept.

Messages are right ones with some of their fields taken away or replaced by any JSON, inside and outside of the nested
strings.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.types import BuyerId
from services.kernel.fields import Fields, load
from services.kernel.inputs import RawFact, Refused, time_fault
from services.kernel.process import Fact
from services.trade_ingest.identity import IDENTITIES
from services.trade_ingest.sources import taobao
from services.trade_ingest.sources.taobao.tmc import AT_TIMES_SILENT, MEANINGS, SILENT
from services.trade_ingest.stated import STATED
from tests.unit.trade_ingest.taobao_feed import (
    KEYS,
    OTHER_OID,
    RECEIVED,
    REFUND,
    SHOP,
    TID,
    TRACED,
    TRADE,
    envelope,
    line,
    refund,
    trade,
)

TOPICS = sorted({*MEANINGS, *SILENT, "taobao_item_ItemDelete"})
WORDS = st.sampled_from(
    [
        "", "0", "-1", "29.80", "29.805", "NaN", "2026-11-11 00:00:03", "0001-01-01 00:00:00", "9999-12-31 23:59:59",
        "TRADE_FINISHED", "TRADE_CLOSED", "TRADE_CLOSED_BY_TAOBAO", "WAIT_BUYER_CONFIRM_GOODS", "TRADE_BUYER_SIGNED",
        "PAY_PENDING", "SUCCESS", "cod", "virtual", "FRONT_PAID_FINAL_NOPAID", "seller", "buyer", "SIGNED", "FAILED",
        "return_bill", "EXCEPTION", "WARNING", "true", "[]", "{}", "*", "王**", "【杭州市】驿站",
        "a\0b", "\ud83d", "x" * 600,
    ]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS | st.integers(2**53, 2**80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | WORDS, inner, max_size=3),
    max_leaves=5,
)


def changed(draw: Callable[[st.SearchStrategy[Any]], Any], message: Any) -> Any:
    """The message with up to four of its fields, at any depth, taken away or replaced."""
    message = json.loads(json.dumps(message))
    for _ in range(draw(st.integers(0, 4))):
        place = message
        while isinstance(place, dict) and place:
            name = draw(st.sampled_from(sorted(place)))
            inner = place[name]
            inner = inner[0] if isinstance(inner, list) and inner else inner
            if isinstance(inner, dict) and inner and draw(st.booleans()):
                place = inner
                continue
            if draw(st.booleans()):
                del place[name]
            else:
                place[name] = draw(JSON)
            break
    return message


@st.composite
def messages(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[str, Any]:
    kind = draw(st.sampled_from(["tmc", "order", "refund"]))
    if kind == "tmc":
        topic = draw(st.sampled_from(TOPICS))
        extra = {
            "status": "TRADE_CLOSED", "payment": "59.60", "action_type": "seller", "seller_memo": "发顺丰",
            "rater": "buyer", "seller_flag": 3, "action": "SIGNED", "refund_status": "SUCCESS",
            "out_order_id": str(TID), "refund_order_id": "7", "exception_type": "EXCEPTION",
            "create_time": 1794529800000,
            "trade_details": [{"trade_id": TID, "mail_no": "SF1"}],
        }  # fmt: skip
        content = changed(draw, TRADE | REFUND | TRACED | extra)
        return kind, changed(draw, envelope(topic, json.dumps(content)))
    if kind == "order":
        sent = {"invoice_no": "773000000000001", "logistics_company": "申通", "consign_time": "2026-11-11 18:00:00"}
        ended = {
            "end_time": "2026-11-22 00:00:00",
            "step_trade_status": "FRONT_PAID_FINAL_PAID",
            "step_paid_fee": "9.90",
        }
        return kind, changed(draw, {"trade": trade(line(**sent), line(oid=OTHER_OID), **ended)})
    return kind, changed(draw, {"refund": refund(sid="7512", company_name="中通")})


def told(kind: str, payload: bytes) -> list[Fact[Any] | Refused]:
    return list(taobao.translate(RawFact("taobao", SHOP, kind, payload, 1, RECEIVED, KEYS)))


def may_be_silent(kind: str, payload: bytes) -> bool:
    topic = Fields(load(payload), RECEIVED).text("topic") if kind == "tmc" else None
    return topic in SILENT or topic in AT_TIMES_SILENT


@settings(max_examples=400, deadline=None)
@given(messages())
def test_a_message_is_told_refused_or_silent_and_every_fact_can_be_kept(message: tuple[str, Any]) -> None:
    kind, content = message
    payload = json.dumps(content).encode()
    found = told(kind, payload)
    assert found or may_be_silent(kind, payload)
    for one in found:
        if isinstance(one, Refused):
            assert one.reason
            continue
        assert type(one.data) in STATED or type(one.data) in IDENTITIES
        assert msgspec.json.decode(msgspec.json.encode(one.data), type=type(one.data)) == one.data
        msgspec.convert(one.buyer, BuyerId if one.buyer != "-" else str)
        assert not time_fault(one.time, RECEIVED)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["tmc", "order", "refund"]), st.binary(max_size=40) | JSON.map(lambda any: json.dumps(any).encode())
)
def test_what_is_no_message_at_all_is_refused(kind: str, payload: bytes) -> None:
    found = told(kind, payload)
    assert found
    assert all(isinstance(one, Refused) for one in found)
