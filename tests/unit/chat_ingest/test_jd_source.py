"""Chat logs of JD's 咚咚: both public answers, and what of them is refused."""

from typing import Any

import pytest

from services.chat_ingest.facts import BuyerWrote, ShopWrote, TakenBack
from services.kernel.fields import GMT8
from tests.unit.chat_ingest.feeds import KEYS, SAMPLES, SHOP, facts_of, local, refusal, spoken, told

SAID = {"customer": "jd_xiaomei", "waiter": "小林", "waiterSend": False, "content": "在吗", "time": 1758273845000}
LANE = KEYS.nick_lane(SHOP, "jd_xiaomei")


def page(*said: dict[str, Any]) -> dict[str, Any]:
    return {"jingdong_im_pop_chatlog_get_responce": {"ChatLogPage": {"chatLogList": list(said)}}}


def test_the_older_answer_tells_who_said_what_about_which_product() -> None:
    facts = facts_of("jd", (SAMPLES / "jd-chatlog.json").read_bytes())
    asked, answered = (fact.data for fact in facts)
    assert {fact.buyer for fact in facts} == {LANE}
    assert facts[0].time == local("2025-09-19 17:24:05")
    assert facts[0].time.astimezone(GMT8).hour == 17
    assert isinstance(asked, BuyerWrote)
    assert (asked.sku, asked.agent_id, asked.channel) == ("10026084786191", "云裳小林", "dongdong")
    assert isinstance(answered, ShopWrote)
    assert (answered.agent_id, answered.text) == ("云裳小林", "您好，请问有什么可以帮您")


def test_the_newer_answer_has_ids_pictures_and_recalls() -> None:
    picture, wrong, taken = (fact.data for fact in facts_of("jd", (SAMPLES / "jd-session.json").read_bytes()))
    assert (picture.kind, picture.text, picture.message_id, picture.sku) == (
        "image", "https://img30.360buyimg.com/chat/1.jpg", "u-1", None,
    )  # fmt: skip
    assert wrong.message_id == "u-2"
    assert taken == TakenBack(channel="dongdong", message_id="u-2", by="shop")


def test_without_uuid_the_id_is_derived_the_same_each_time() -> None:
    first, second = facts_of("jd", [page(SAID), page(SAID)])
    assert first.data.message_id == second.data.message_id
    assert len({fact.data.message_id for fact in facts_of("jd", page(SAID, SAID))}) == 2


def test_an_empty_answer_states_nothing() -> None:
    assert facts_of("jd", {"success": True, "data": []}) == []
    assert facts_of("jd", {"jingdong_im_pop_chatlog_get_responce": {"ChatLogPage": {"totalRecord": 0}}}) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"waiterSend": None}, "waiterSend"),
        ({"waiterSend": 2}, "waiterSend"),
        ({"customer": "jd_***"}, "customer"),
        ({"customer": ""}, "customer"),
        ({"time": None}, "createdTime"),
        ({"waiterSend": True, "waiter": ""}, "agent_id"),
        ({"revokeFlag": 7}, "revokeFlag"),
    ],
)
def test_a_message_that_cannot_be_read_does_not_hold_up_its_neighbours(change: dict[str, Any], field: str) -> None:
    facts, (refused,) = told("jd", page({**SAID, **change}, {**SAID, "content": "后来"}))
    assert spoken(facts) == [("buyer", "后来")]
    assert refused.field.endswith(field)
    assert "jd_" not in refused.reason


@pytest.mark.parametrize("payload", [{}, {"ChatLogs": []}, b"x", [1], {"data": "x"}])
def test_what_is_no_chat_log_of_jd_is_refused(payload: Any) -> None:
    refusal("jd", payload)
