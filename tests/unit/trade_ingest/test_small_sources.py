"""The sources without a platform feed: each takes its own types, as CloudEvents, whoever's the order is."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from schemas.buyer import BuyerSmsReplied
from schemas.flag import FLAG_ROUTES, OrderFlagCleared, OrderFlagged
from schemas.subjects import NO_BUYER
from services.kernel.inputs import RawFact, Refused, Source
from services.kernel.process import Fact
from services.kernel.vault import Keys
from services.replay.memory import Memory
from services.trade_ingest.app import SERVICE
from services.trade_ingest.sources import courier, review, sms_reply, wms

RECORDED = datetime(2026, 3, 2, 10, tzinfo=UTC)
KEYS = Keys(b"i" * 32, [Fernet.generate_key()])
SOURCES: dict[str, Source] = {
    "wms": wms.translate,
    "courier": courier.translate,
    "review": review.translate,
    "sms_reply": sms_reply.translate,
}
ORDER = {"order_id": "4611686018427387905"}
PARCEL = {**ORDER, "parcel_id": "SF1"}
REVIEW = {**ORDER, "review_id": "v1"}
PHONE = "13812341234"

TAKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("wms", "order.printed", {**ORDER, "waybill": "SF1", "memo_version": 2}),
    ("wms", "order.shipped", {**PARCEL, "carrier": "顺丰", "waybill": "SF1", "together_with": ["o2", "o3"]}),
    ("wms", "order.restocked", {**ORDER, "line_ids": ["l1"]}),
    ("wms", "order.flagged", {**ORDER, "colour": "yellow", "memo": "M码缺货"}),
    ("wms", "order.flag_cleared", {**ORDER, "colour": "red"}),
    ("courier", "order.pickup_scanned", {**PARCEL, "city": "杭州"}),
    ("courier", "order.parcel_moved", {**PARCEL, "action": "departure", "city": "杭州"}),
    ("courier", "order.arrived", PARCEL),
    ("courier", "order.signed", {**PARCEL, "by": "station", "place": "南门驿站"}),
    ("courier", "order.rejected", {**PARCEL, "reason": "破损"}),
    ("courier", "order.parcel_exception", {**PARCEL, "kind": "lost"}),
    ("review", "review.posted", {**REVIEW, "rating": "bad", "score": 1, "text": "色差大"}),
    ("review", "review.changed", {**REVIEW, "rating": "good", "score": 5}),
    ("review", "review.replied", {**REVIEW, "text": "谢谢"}),
    ("sms_reply", "sms.replied", {"phone": PHONE, "text": "R", "reply_id": "u1"}),
]
TYPES = sorted({type for _, type, _ in TAKEN} | {"order.paid", "order.placed", "refund.completed", "order.assigned"})
KINDS = {"wms": "trade", "courier": "trade", "review": "trade", "sms_reply": "reply"}


def said(type: str, data: Any, **changes: Any) -> dict[str, Any]:
    """A statement without a buyer; a change to None leaves a field out."""
    whole = {
        "specversion": "1.0", "id": "m1", "source": "bridge", "type": type, "time": "2026-03-02T17:59:59+08:00",
        "data": data,
    }  # fmt: skip
    return {name: value for name, value in (whole | changes).items() if value is not None}


def told(source: str, payload: Any, kind: str = "") -> list[Fact[Any] | Refused]:
    body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    return list(SOURCES[source](RawFact(source, "s1", kind or KINDS[source], body, 7, RECORDED, KEYS)))


def fact_of(source: str, payload: Any) -> Fact[Any]:
    (found,) = told(source, payload)
    assert isinstance(found, Fact), found
    return found


def refusal_of(source: str, payload: Any, kind: str = "") -> Refused:
    (found,) = told(source, payload, kind)
    assert isinstance(found, Refused), found
    return found


@pytest.mark.parametrize(("source", "type", "data"), TAKEN)
def test_each_takes_its_types_without_a_buyer_and_the_order_says_whose_they_are(
    source: str, type: str, data: dict[str, Any]
) -> None:
    fact = fact_of(source, said(type, data))
    assert (fact.shop, fact.buyer, fact.time) == ("s1", NO_BUYER, datetime(2026, 3, 2, 9, 59, 59, tzinfo=UTC))
    if source != "sms_reply":
        assert (fact.data.TYPE, fact.data.order_id) == (type, ORDER["order_id"])


@pytest.mark.parametrize(("source", "type", "data"), TAKEN)
def test_nothing_that_is_taken_is_lost_and_a_repetition_adds_nothing(
    source: str, type: str, data: dict[str, Any]
) -> None:
    memory = Memory([SERVICE], start=RECORDED)
    placed = {**ORDER, "platform": "taobao", "shop_kind": "c_shop", "lines": [], "total_fen": 1, "postage_fen": 0}
    memory.publish("canonical", "s1", "trade", said("order.placed", placed, buyer="b1"))
    for _ in range(2):
        memory.publish(source, "s1", KINDS[source], said(type, data))
    event = memory.log[-1]
    assert len(memory.log) == 2
    assert (event.data.TYPE, event.buyer) == (
        ("buyer.sms_replied", NO_BUYER) if source == "sms_reply" else (type, "b1")
    )


@pytest.mark.parametrize(("source", "type", "data"), TAKEN)
def test_each_takes_a_buyer_or_a_nick_that_it_knows(source: str, type: str, data: dict[str, Any]) -> None:
    assert fact_of(source, said(type, data, buyer="b1")).buyer == "b1"
    assert fact_of(source, said(type, data, nick="小美")).buyer == KEYS.nick_lane("s1", "小美")
    assert fact_of(source, said(type, data, nick="小**")).buyer == NO_BUYER
    assert refusal_of(source, said(type, data, buyer="b1", nick="小美")).field == "nick"
    assert refusal_of(source, said(type, data, buyer="-")).field == "buyer"


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("type", TYPES)
def test_none_takes_the_types_of_another(source: str, type: str) -> None:
    if (source, type) not in {(name, taken) for name, taken, _ in TAKEN}:
        refused = refusal_of(source, said(type, {**ORDER, "paid_fen": 1}))
        assert refused.field == "type"
        assert f"in.{source}.<shop>" in refused.reason


@pytest.mark.parametrize("source", SOURCES)
def test_other_kinds_are_refused_and_chats_left_to_chat_ingest(source: str) -> None:
    refused = refusal_of(source, b"{}", kind="orders")
    assert refused.field == "kind"
    assert KINDS[source] in refused.reason
    assert told(source, b"{}", kind="chat") == []


def test_a_wrong_statement_does_not_hold_up_its_neighbours() -> None:
    batch = [said("order.signed", {**PARCEL, "by": "dog"}), said("order.arrived", PARCEL)]
    first, second = told("courier", batch)
    assert isinstance(first, Refused)
    assert first.field == "data.by"
    assert isinstance(second, Fact)


# --- the warehouse's flags


@pytest.mark.parametrize("colour", FLAG_ROUTES)
def test_a_warehouse_raises_its_own_flags_and_clears_those_that_speak_to_it(colour: Any) -> None:
    sender, receiver = FLAG_ROUTES[colour]
    flag = {**ORDER, "colour": colour, "memo": "补发", "waybill": "SF9"}
    raised, cleared = told("wms", [said("order.flagged", flag), said("order.flag_cleared", flag)])
    if sender == "warehouse":
        assert isinstance(raised, Fact)
        assert raised.data == OrderFlagged(**flag, from_department=sender, to_department=receiver)
    else:
        assert isinstance(raised, Refused)
        assert raised.field == "data.colour"
    if receiver == "warehouse":
        assert isinstance(cleared, Fact)
        del flag["waybill"]
        assert cleared.data == OrderFlagCleared(**flag, from_department=sender, to_department=receiver)
    else:
        assert isinstance(cleared, Refused)
        assert cleared.field == "data.colour"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"memo": " "}, "data.memo"),
        ({"colour": None}, "data.colour"),
        ({"colour": "blue"}, "data.waybill"),
        ({"from_department": "care_desk"}, "data.from_department"),
        ({"to_department": "aftersales"}, "data.to_department"),
    ],
)
def test_a_flag_that_a_warehouse_cannot_raise_is_refused(changes: dict[str, Any], field: str) -> None:
    flag = {**ORDER, "colour": "yellow", "memo": "缺货", **changes}
    refused = refusal_of("wms", said("order.flagged", flag))
    assert refused.field == field


def test_departments_that_are_said_rightly_change_nothing() -> None:
    flag = {**ORDER, "colour": "green", "memo": "退件已到"}
    departments = {"from_department": "warehouse", "to_department": "aftersales"}
    assert fact_of("wms", said("order.flagged", {**flag, **departments})) == fact_of("wms", said("order.flagged", flag))


# --- answers to SMS


@pytest.mark.parametrize("text", ["R", "r", " Ｒ。", "“R”", "TD", "退订", "退订！", "拒收", "N", "STOP", "0000", "t"])
def test_what_asks_for_no_more_sms_is_an_opt_out(text: str) -> None:
    assert sms_reply.says(text) == "opt_out"


@pytest.mark.parametrize("text", ["", "好的", "谢谢", "请发货", "回复R吗", "什么时候到", "RR", "不退订", "1", "...."])
def test_anything_else_is_none(text: str) -> None:
    assert sms_reply.says(text) == "other"


def test_of_an_answer_only_the_digest_of_its_number_and_what_it_is_taken_for_goes_on() -> None:
    fact = fact_of("sms_reply", said("sms.replied", {"phone": "+86 138-1234-1234", "text": "R", "reply_id": "u1"}))
    digest = KEYS.digest("phone", PHONE)
    assert digest
    assert fact.data == BuyerSmsReplied(phone_digest=digest, says="opt_out", reply_id="u1")
    secret = fact_of("sms_reply", said("sms.replied", {"phone": PHONE, "text": "我住在幸福路8号"}))
    assert "幸福" not in str(secret)
    assert PHONE not in str(secret)


@pytest.mark.parametrize("phone", ["", "138****1234", "unknown"])
def test_an_answer_of_no_number_is_refused_and_the_number_not_quoted(phone: str) -> None:
    refused = refusal_of("sms_reply", said("sms.replied", {"phone": phone, "text": "R"}))
    assert refused.field == "data.phone"
    assert not phone or phone not in refused.reason


# --- whatever is sent


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just("小**"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = ["buyer", "nick", "shop", "time", "type", "data", "id", "specversion", "actor", "dataschema", "correlationid"]


@given(
    st.sampled_from(TAKEN),
    st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
    st.dictionaries(
        st.sampled_from(["order_id", "colour", "memo", "phone", "text", "by", "score"]), values, max_size=2
    ),
)
def test_no_statement_breaks_a_source_and_each_is_one_fact_or_one_refusal(
    taken: tuple[str, str, dict[str, Any]], envelope: dict[str, Any], data: dict[str, Any]
) -> None:
    source, type, sound = taken
    (found,) = told(source, said(type, {**sound, **data}) | envelope)
    if isinstance(found, Fact):
        assert found.shop == "s1"
        assert found.buyer == NO_BUYER or found.buyer == envelope.get("buyer") or found.buyer.startswith("nick-")
        assert "*" not in found.buyer or found.buyer == envelope.get("buyer")
    else:
        assert found.reason
