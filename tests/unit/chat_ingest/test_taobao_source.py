"""Pages of Taobao's chat log (feeds.md): who said what when, under which derived id."""

import json
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from services.chat_ingest.app import SERVICE
from services.chat_ingest.facts import BOT, MAIN, BuyerWrote, ShopWrote
from services.replay.memory import Memory
from tests.unit.chat_ingest.feeds import LANE, RECEIVED, SAMPLES, SHOP, facts_of, local, refusal, spoken, told

ANSWER = "wangwang_eservice_chatlog_get_response"
SAID = {"direction": 1, "time": "2025-09-19 17:24:05", "type": 0, "content": "在吗"}


def page(*said: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "from_id": "cntaobao云裳旗舰店:小林",
        "to_id": "cntaobao小美爱网购",
        ANSWER: {"ret": 10000, "msgs": {"msg": list(said)}},
        **more,
    }


def ids(*said: dict[str, Any], **more: Any) -> list[str]:
    return [fact.data.message_id for fact in facts_of("taobao", page(*said, **more))]


def test_a_page_tells_who_said_what_when() -> None:
    facts = facts_of("taobao", (SAMPLES / "taobao-page.json").read_bytes())
    assert spoken(facts) == [
        ("buyer", "https://detail.tmall.com/item.htm?id=745839201733&skuId=5180293847561"),
        ("小林", "亲，欢迎光临～"),
        ("buyer", "在吗，这个雾霾蓝的还有货吗"),
        ("小林", "在的亲"),
        ("buyer", "明天能发吗"),
    ], "the transfer is the platform's line, not anybody's"
    assert {fact.buyer for fact in facts} == {LANE}
    assert facts[2].time == local("2025-09-19 17:24:05")
    assert facts[2].data.agent_id == "小林", "to whom it was said"
    assert [fact.data.auto for fact in facts if isinstance(fact.data, ShopWrote)] == [True, False]
    assert [fact.data.offline for fact in facts if isinstance(fact.data, BuyerWrote)] == [False, False, True]
    assert facts[0].data.channel == "wangwang"


def test_a_bare_link_to_an_item_is_a_product_card() -> None:
    card = facts_of("taobao", (SAMPLES / "taobao-page.json").read_bytes())[0].data
    assert (card.kind, card.sku) == ("product_card", "5180293847561")


def test_tmall_pages_read_alike() -> None:
    assert facts_of("tmall", page(SAID)) == facts_of("taobao", page(SAID))


def test_one_message_comes_as_an_object_and_none_as_an_empty_text() -> None:
    for listed, count in (({"msg": SAID}, 1), ({"msg": ""}, 0), ("", 0)):
        assert len(facts_of("taobao", page(**{ANSWER: {"ret": 10000, "msgs": listed}}))) == count


def test_the_answer_may_have_its_older_name_or_none_and_be_json_in_a_string() -> None:
    answer = {"ret": "10000", "msgs": {"msg": [SAID]}}
    sides = {"from_id": "cntaobao云裳旗舰店:小林", "to_id": "cntaobao小美爱网购"}
    expected = facts_of("taobao", page(SAID))
    for payload in (
        {**sides, "chatlog_get_response": answer},
        {**sides, **answer},
        {**sides, ANSWER: msgspec.json.encode(answer).decode()},
    ):
        assert facts_of("taobao", payload) == expected


def test_a_message_of_a_list_of_pages_with_a_bom_and_extra_fields_is_read() -> None:
    body = b"\xef\xbb\xbf" + msgspec.json.encode([page(SAID, extra=1), page({**SAID, "extra": []})])
    assert len(facts_of("taobao", body)) == 2


def test_a_repeated_page_has_the_same_ids_and_two_equal_messages_of_a_second_have_two() -> None:
    assert ids(SAID, SAID) == ids(SAID, SAID)
    assert len(set(ids(SAID, SAID))) == 2


def test_pages_that_overlap_agree_where_both_hold_all_of_a_second() -> None:
    before, after = {**SAID, "time": "2025-09-19 17:00:00"}, {**SAID, "time": "2025-09-19 18:00:00"}
    assert set(ids(before, SAID, SAID)) & set(ids(SAID, SAID, after)) == set(ids(SAID, SAID))


@pytest.mark.parametrize(
    "change",
    [{"content": "在"}, {"time": "2025-09-19 17:24:06"}, {"direction": 0}],
)
def test_another_text_time_or_speaker_is_another_id(change: dict[str, Any]) -> None:
    assert ids(SAID) != ids({**SAID, **change})


def test_another_buyer_is_another_id_and_another_agent_is_not() -> None:
    assert ids(SAID) != ids(SAID, to_id="cntaobao别人")
    assert ids(SAID) == ids(SAID, from_id="cntaobao云裳旗舰店:阿杰"), "a colleague's query tells the same message"


@pytest.mark.parametrize(
    ("account", "agent"),
    [("云裳旗舰店:小林", "小林"), ("云裳旗舰店", MAIN), ("云裳旗舰店:服务助手", BOT), ("云裳旗舰店:", MAIN)],
)
def test_the_agent_is_what_stands_behind_the_main_account(account: str, agent: str) -> None:
    (fact,) = facts_of("taobao", page({**SAID, "direction": 0}, from_id=f"cntaobao{account}"))
    assert fact.data.agent_id == agent
    assert fact.data.auto == (agent == BOT)


def test_a_platform_line_is_skipped_though_no_type_says_so() -> None:
    assert facts_of("taobao", page({**SAID, "content": "当前用户来自 淘宝移动端 宝贝详情页"})) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to_id": "cntaobaot******7"}, "to_id"),
        ({"to_id": "小美爱网购"}, "to_id"),
        ({"to_id": "cntaobao云裳旗舰店:阿杰"}, "to_id"),
        ({"to_id": "cntaobao云裳旗舰店"}, "to_id"),
        ({"to_id": None}, "to_id"),
        ({"from_id": ""}, "from_id"),
        ({"from_id": "cntaobao:小林"}, "from_id"),
        ({ANSWER: {"ret": 50000}}, f"{ANSWER}.ret"),
        ({ANSWER: {"msgs": {"msg": []}}}, f"{ANSWER}.ret"),
        ({ANSWER: {"ret": 10000, "msgs": {"msg": ["x"]}}}, f"{ANSWER}.msgs.msg[0]"),
    ],
)
def test_a_page_that_names_no_two_sides_or_holds_no_answer_is_refused(change: dict[str, Any], field: str) -> None:
    found = refusal("taobao", page(SAID, **change))
    assert found.field == field
    for personal in ("小美", "t**", "小林", "阿杰"):
        assert personal not in found.reason


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"direction": 2}, "direction"),
        ({"direction": None}, "direction"),
        ({"time": "0001-01-01 00:00:00"}, "time"),
        ({"time": "2026-09-19 17:24:05"}, "time"),
        ({"time": "昨天"}, "time"),
        ({"content": "x" * 20_001}, "content"),
        ({"content": "a\0b"}, "content"),
        ({"content": "\ud800"}, "content"),
    ],
)
def test_a_message_that_cannot_be_read_does_not_hold_up_its_neighbours(change: dict[str, Any], field: str) -> None:
    payload = page(SAID, {**SAID, "type": 0, **change}, {**SAID, "content": "后来"})
    facts, (refused,) = told("taobao", json.dumps(payload).encode())
    assert [fact.data.text for fact in facts] == ["在吗", "后来"]
    assert refused.field.endswith(f"msg[1].{field}")


@pytest.mark.parametrize("body", [b"", b"[]x", b'"text"', b"[1]", b"\xff"])
def test_what_is_no_page_is_refused_as_a_whole(body: bytes) -> None:
    refusal("taobao", body)


def test_a_page_told_twice_adds_no_event() -> None:
    memory = Memory([SERVICE])
    payload = page(SAID, {**SAID, "direction": 0, "time": "2025-09-19 17:24:10", "content": "在的"}, SAID)
    memory.publish("taobao", SHOP, "chat", payload, RECEIVED)
    once = len(memory.log)
    later = deepcopy(payload)
    later[ANSWER]["msgs"]["msg"].append({**SAID, "time": "2025-09-19 17:30:00", "content": "好"})
    memory.publish("taobao", SHOP, "chat", payload)
    assert len(memory.log) == once
    memory.publish("tmall", SHOP, "chat", later)
    assert [e.data.text for e in memory.log[once:] if e.data.TYPE == "chat.message_received"] == ["好"]
    assert memory.parked == []
