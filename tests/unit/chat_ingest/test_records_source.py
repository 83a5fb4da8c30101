"""Chats from files: what a record states, whose it is, and what is refused with its file and line."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chat_ingest.app import SERVICE
from services.chat_ingest.facts import BOT, MAIN, ShopWrote
from services.chat_ingest.records.batches import Batch
from services.chat_ingest.records.record import FORMAT
from services.kernel.inputs import Refused
from services.replay.memory import Memory
from tests.unit.chat_ingest.feeds import (
    KEYS,
    LANE,
    MAIN_ACCOUNT,
    NICK,
    RECEIVED,
    SAMPLES,
    SHOP,
    facts_of,
    imported,
    local,
    refusal,
    spoken,
    told,
    translated,
)

TIME = "2025-9-19 17:24:05"


def record(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    frame = {"format": FORMAT, "file": "9月.txt", "main_account": MAIN_ACCOUNT, "peer": NICK}
    return {**frame, "entries": list(entries), **more}


def said(text: str = "在吗", **more: Any) -> dict[str, Any]:
    return {"is": "said", "line": 3, "sender": NICK, "to": "", "time": TIME, "text": text, **more}


def test_a_copied_chat_is_told_with_its_agents_the_robot_and_the_recalls() -> None:
    facts, refused = imported(SAMPLES / "qianniu-clipboard.txt")
    assert refused == []
    assert spoken(facts) == [
        ("buyer", "https://detail.tmall.com/item.htm?id=745839201733&skuId=5180293847561"),
        ("buyer", "在吗，这个雾霾蓝的还有货吗\n我身高165，\n平时穿M码"),
        (BOT, "亲，欢迎光临云裳旗舰店，人工客服马上为您服务～"),
        ("小林", "在的亲，雾霾蓝M码还有现货，今天下单今天发～"),
        ("shop", "撤回"),
        ("小林", "好的"),
        ("小林", "好的"),
        ("buyer", "发中通吧，电话13800138000"),
        ("buyer", "撤回"),
    ]
    assert {fact.buyer for fact in facts} == {LANE}
    assert facts[1].time == local("2025-09-19 17:24:05")
    assert facts[4].time == facts[3].time, "a recall has no time of its own"
    assert [fact.data.auto for fact in facts if isinstance(fact.data, ShopWrote)] == [True, False, False, False]
    assert facts[5].data.message_id != facts[6].data.message_id, "the same text twice in one second"
    for personal in (NICK, "13800138000"):
        assert all(personal not in (fact.buyer + str(fact.data.message_id)) for fact in facts)


def test_a_file_of_two_line_headers_in_gb18030_with_windows_line_ends_reads_alike() -> None:
    facts, refused = imported(SAMPLES / "qianniu-two-lines-gb18030.txt")
    assert refused == []
    assert spoken(facts) == [
        ("buyer", "昨天拍的发货了吗"),
        ("阿杰", "亲，已经揽收了哦\n\n单号发您旺旺了"),
        (MAIN, "感谢您的支持"),
    ]
    assert facts[1].time == local("2025-09-20 09:00:40")


def test_arrows_tell_several_buyers_apart_and_what_fits_nothing_is_told_by_its_line() -> None:
    facts, refused = imported(SAMPLES / "qianniu-arrows.txt")
    assert [(fact.buyer, text) for fact, (_, text) in zip(facts, spoken(facts), strict=True)] == [
        (LANE, "这个能便宜点吗"),
        (LANE, "亲，价格不能改，可以送您一份小礼物"),
        (KEYS.nick_lane(SHOP, "阿强2020"), "退款到了吗"),
        (KEYS.nick_lane(SHOP, "阿强2020"), "亲，已经原路退回了"),
    ]
    assert facts[0].data.agent_id == "小林", "to whom the buyer wrote"
    assert [(one.place, one.field) for one in refused] == [
        ("qianniu-arrows.txt line 1", "line"),
        ("qianniu-arrows.txt line 10", "sender"),
        ("qianniu-arrows.txt line 12", "to"),
    ]
    assert "masked" in refused[1].reason
    assert "two accounts of the shop" in refused[2].reason


def test_a_file_that_repeats_what_a_page_told_has_the_same_ids() -> None:
    page = {
        "from_id": f"cntaobao{MAIN_ACCOUNT}:小林",
        "to_id": f"cntaobao{NICK}",
        "ret": 10000,
        "msgs": {"msg": {"direction": 1, "time": "2025-09-19 17:24:05", "content": "在吗"}},
    }
    (live,), (copied,) = facts_of("taobao", page), facts_of("records", record(said()))
    assert (live.buyer, live.time, live.data.message_id) == (copied.buyer, copied.time, copied.data.message_id)


@pytest.mark.parametrize(
    ("sender", "who"),
    [(MAIN_ACCOUNT, MAIN), (f"{MAIN_ACCOUNT}:小林", "小林"), (f"{MAIN_ACCOUNT}：小林", "小林")],
)
def test_the_main_account_or_what_begins_with_it_and_a_colon_is_the_shop(sender: str, who: str) -> None:
    (fact,) = facts_of("records", record(said(sender=sender)))
    assert (fact.buyer, fact.data.agent_id) == (LANE, who)


def test_a_name_that_only_begins_like_the_main_account_is_a_buyer() -> None:
    (fact,) = facts_of("records", record(said(sender=f"{MAIN_ACCOUNT}粉丝")))
    assert fact.data.TYPE == "chat.message_received"


@pytest.mark.parametrize(("sender", "by"), [("您", "shop"), ("你", "shop"), (MAIN_ACCOUNT, "shop"), (NICK, "buyer")])
def test_who_recalled(sender: str, by: str) -> None:
    recall = {"is": "recalled", "line": 5, "sender": sender, "time": TIME}
    taken = facts_of("records", record(said(), recall, peer=""))[-1]
    assert (taken.data.by, taken.data.message_id, taken.buyer) == (by, None, LANE)
    assert taken.time == local("2025-09-19 17:24:05")


@pytest.mark.parametrize(
    ("change", "frame", "field"),
    [
        ({"time": "2025-13-41 17:24:05"}, {}, "time"),
        ({"time": "2035-9-19 17:24:05"}, {}, "time"),
        ({"time": "1970-1-1 00:00:00"}, {}, "time"),
        ({"sender": "t******7"}, {}, "sender"),
        ({"sender": ""}, {}, "sender"),
        ({"sender": "小\0美"}, {}, "sender"),
        ({"text": "a\0b"}, {}, "text"),
        ({"text": "长" * 20_001}, {}, "text"),
        ({"sender": MAIN_ACCOUNT}, {"peer": ""}, "sender"),
        ({"sender": MAIN_ACCOUNT}, {"peer": "t***1"}, "to"),
        ({"to": "别的店"}, {}, "sender"),
        ({}, {"main_account": ""}, "main_account"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_file_and_line_and_quotes_nothing(
    change: dict[str, Any], frame: dict[str, Any], field: str
) -> None:
    found = refusal("records", record(said(**change), **frame))
    assert (found.place, found.field) == ("9月.txt line 3", field)
    for personal in (NICK, "t**", "小", "长", "别的店", MAIN_ACCOUNT):
        assert personal not in found.reason


def test_a_refused_entry_does_not_hold_up_its_neighbours() -> None:
    stray = {"is": "stray", "line": 4, "reason": "no message begins before this line", "text": "13800138000"}
    facts, (refused,) = told("records", record(said("一"), stray, said("二")))
    assert [text for _, text in spoken(facts)] == ["一", "二"]
    assert (refused.place, refused.field) == ("9月.txt line 4", "line")
    assert "13800138000" not in refused.reason


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        record(format="chats/2张三"),
        record({"is": "张三"}),
        record(file="a/b.txt"),
        record(*[said()] * 1001),
    ],
)
def test_what_is_no_record_is_refused_as_a_whole(payload: Any) -> None:
    assert "张三" not in refusal("records", payload).reason


def test_events_are_those_of_the_canonical_feed_each_with_its_line() -> None:
    facts, refused = imported(SAMPLES / "events.jsonl", "jsonl")
    assert spoken(facts) == [("buyer", "在吗"), ("小林", "在的亲")]
    assert [(one.place, one.field) for one in refused] == [
        ("events.jsonl line 3", "line"),
        ("events.jsonl line 4", "data.text"),
    ]


def test_pages_of_a_file_are_those_of_the_taobao_feed() -> None:
    path = SAMPLES / "taobao-page.json"
    assert imported(path, "chatlog-json") == (facts_of("taobao", path.read_bytes()), [])


def test_a_second_import_adds_no_event_nor_does_a_longer_export_but_what_is_new(tmp_path: Path) -> None:
    file, longer = SAMPLES / "qianniu-clipboard.txt", tmp_path / "longer.txt"
    before, after = f"{NICK}2025-9-18 10:00:00\n你好\n", f"{MAIN_ACCOUNT}:小林2025-9-19 18:00:00\n还在吗亲\n"
    longer.write_text(before + file.read_text(encoding="utf-8") + after, encoding="utf-8")
    memory = Memory([SERVICE])

    def run(path: Path) -> list[str]:
        known = len(memory.log)
        for payload in Batch(path, "qianniu-text", MAIN_ACCOUNT).records():
            memory.publish("records", SHOP, "chat", payload, RECEIVED)
        assert memory.parked == []
        return [
            e.data.text for e in memory.log[known:] if e.data.TYPE in ("chat.message_received", "chat.message_sent")
        ]

    assert len(run(file)) == 7
    assert run(file) == []
    assert run(longer) == ["你好", "还在吗亲"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ODD = st.sampled_from([TIME, NICK, "cntaobao小美", "t***1", MAIN_ACCOUNT, "", "\0", "2025-09-19 17:24:05", 0, 1, 10000])
NAMES = st.sampled_from(
    [
        "from_id", "to_id", "ret", "msgs", "msg", "direction", "time", "content", "type", "data", "customer", "waiter",
        "waiterSend", "createdTime", "uuid", "imgUrl", "revokeFlag", "sender", "msg_type", "create_time", "msg_id",
        "doudian_open_id", "nick", "agent_id", "format", "file", "entries", "is", "line", "text", "to", "body", "peer",
    ]
)  # fmt: skip
SHAPES = st.recursive(
    JSON | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=12,
)


@given(st.sampled_from(["taobao", "tmall", "jd", "douyin", "records", "canonical"]), SHAPES | st.binary(max_size=20))
def test_whatever_is_sent_no_exception_leaves_a_source(source: str, payload: Any) -> None:
    for one in translated(source, payload):
        if isinstance(one, Refused):
            assert one.reason


@given(st.lists(st.fixed_dictionaries({"text": st.text(max_size=6), "sender": st.text(max_size=6)}), max_size=5))
def test_every_entry_of_a_record_is_a_fact_or_refused(entries: list[dict[str, str]]) -> None:
    payload = msgspec.json.encode(record(*[said(**entry) for entry in entries]))
    assert len(translated("records", payload)) == len(entries)
