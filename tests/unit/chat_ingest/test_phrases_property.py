"""Any text can be read: no exception, positions within it, in time linear in its length."""

import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.chat_ingest.phrases import phrasebook
from services.chat_ingest.phrases.own_words import own_words
from services.kernel.phrases import normal

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
PIECES = [
    "退货",
    "不",
    "没有",
    "不是",
    "吗",
    "?",
    ",",
    " ",
    "\n",
    "「",
    "」",
    "“",
    "”",
    '"',
    "- - - -",
    "客服说",
    ":",
    "送您",
    "优惠",
    "5元",
    "十",
    "百",
    "千",
    "一",
    "点",
    "天内",
    "明天",
    "下午",
    "99999",
    "小时内",
    "发",
    "主管同意",
    "😊",
    "[微笑]",
    "/:",
    "好",
    "的",
    "~",
    "3",
    "ﷺ",
    "İ",
    "\ud800",
    "\u200d",
    "¥",
    "0.",
    "半",
    "个",
    "块",
    "加v",
    "qq",
]
ANY = st.text(st.characters(), max_size=60) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
LONGEST = 20_000


@settings(max_examples=400, deadline=None)
@given(ANY)
@example("\ud800")
@example("一千百十一点百千千元")
@example("²小时内发货")
def test_any_text_is_read_and_what_is_found_stands_in_it(text: str) -> None:
    buyer, agent = phrasebook().read_buyer(text), phrasebook().read_agent(text, NOW)
    assert all(0 <= found.start < found.end <= len(text) for found in (*buyer.intents, *agent.stages))
    assert buyer.is_ack == buyer.has("ack")
    assert len({found.intent for found in buyer.intents}) == len(buyer.intents)


@settings(max_examples=300, deadline=None)
@given(ANY)
def test_a_normal_form_is_its_own_normal_form_and_own_words_keep_their_places(text: str) -> None:
    form = normal(text)
    if not {"/", "["} & set(form.text):  # which may begin an emoji code once what stood inside it is gone
        assert normal(form.text).text == form.text
    assert len(form.origin) == len(form.text)
    own = own_words(text)
    assert len(own) == len(text)
    assert all(kept in (said, "\n") for kept, said in zip(own, text, strict=True))


@pytest.mark.parametrize(
    "piece",
    [
        *PIECES,
        "退货,",
        "不要退货或者",
        "「「」",
        "」\n",
        "减5元",
        "明天发",
        "送您赠品",
        "5点",
        "您?",
        "好的",
        "a ",
        "9",
        "\n- ",
    ],
)
def test_the_longest_message_is_read_in_time(piece: str) -> None:
    text = (piece * LONGEST)[:LONGEST]
    begun = time.perf_counter()
    phrasebook().read_buyer(text)
    phrasebook().read_agent(text, NOW)
    assert time.perf_counter() - begun < 3
