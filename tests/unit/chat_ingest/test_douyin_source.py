"""Messages of Douyin's 飞鸽, in the shape that a bridge pushes."""

from typing import Any

import pytest

from services.chat_ingest.facts import BOT, TakenBack
from tests.unit.chat_ingest.feeds import LANE, NICK, SAMPLES, facts_of, local, refusal, spoken, told

SAID = {
    "msg_id": 7494460928000411111,
    "create_time": 1758273845,
    "doudian_open_id": "1@#buyer",
    "sender": "buyer",
    "msg_type": "text",
    "content": "在吗",
}


def test_the_messages_of_a_push_are_told_and_its_system_lines_are_not() -> None:
    facts = facts_of("douyin", (SAMPLES / "douyin-messages.json").read_bytes())
    assert spoken(facts) == [
        ("buyer", "在吗"),
        (BOT, "您好，我是智能客服"),
        ("小林", "https://p3.douyinpic.com/1.jpeg"),
        ("buyer", "订单"),
        ("buyer", "撤回"),
    ]
    assert {fact.buyer for fact in facts} == {"1@#buyer"}
    assert facts[0].time == local("2025-09-19 17:24:05")
    assert facts[0].data.message_id == "7494460928000411111", "digit for digit"
    assert facts[1].data.auto
    assert facts[2].data.kind == "image"
    assert (facts[3].data.kind, facts[3].data.order_id) == ("order_card", "6920147482345678901")
    assert facts[4].data == TakenBack(channel="feige", message_id="7494460928000411114", by="buyer")


def test_a_buyer_known_by_nick_lives_under_the_lane_of_the_nick() -> None:
    (fact,) = facts_of("douyin", {**SAID, "doudian_open_id": "", "nick": NICK})
    assert fact.buyer == LANE


def test_a_text_that_only_looks_like_json_stays_as_it_is() -> None:
    for text in ('{"a": 1}', "{在吗}", "[1]"):
        (fact,) = facts_of("douyin", {**SAID, "content": text})
        assert fact.data.text == text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sender": "robot"}, "sender"),
        ({"sender": None}, "sender"),
        ({"msg_type": "voice"}, "msg_type"),
        ({"msg_type": None}, "msg_type"),
        ({"msg_id": 7.5e18}, "msg_id"),
        ({"create_time": 0}, "create_time"),
        ({"create_time": 99_999_999_999}, "create_time"),
        ({"doudian_open_id": None}, "doudian_open_id"),
        ({"doudian_open_id": None, "nick": "小**"}, "nick"),
        ({"sender": "agent"}, "agent_id"),
    ],
)
def test_what_nobody_knows_is_refused_and_holds_up_nothing(change: dict[str, Any], field: str) -> None:
    facts, (refused,) = told("douyin", [{**SAID, **change}, {**SAID, "content": "后来"}])
    assert spoken(facts) == [("buyer", "后来")]
    assert refused.field.endswith(field)


def test_what_is_no_message_is_refused() -> None:
    refusal("douyin", b"[1]")
