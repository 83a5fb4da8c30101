"""What the messages of a chat say becomes events (domain.md 3)."""

from typing import Any

import pytest

from schemas.chat import Bargained, IntentDetected, MessageReceived, MessageSent, RuleBroken, StageReached
from schemas.envelope import Event
from schemas.grant import GrantGiven
from services.chat_ingest import understanding
from services.chat_ingest.app import SERVICE
from services.replay.given import at
from services.replay.memory import Memory
from services.replay.story import Story, event, story
from tests.unit.chat_ingest.talk import opened


def buyer(text: str, when: str, *, message: str = "m1", conversation: str = "c1") -> Event[Any]:
    return event(MessageReceived(message_id=message, conversation_id=conversation, text=text), when)


def agent(text: str, when: str, *, message: str = "m2", conversation: str = "c1", **more: Any) -> Event[Any]:
    said = {"agent_id": "lin", **more}
    return event(MessageSent(message_id=message, conversation_id=conversation, text=text, **said), when)


def intent(name: Any, phrase: str, message: str = "m1") -> IntentDetected:
    return IntentDetected(conversation_id="c1", message_id=message, intent=name, phrase=phrase)


def stage(name: Any, message: str = "m2") -> StageReached:
    return StageReached(conversation_id="c1", stage=name, agent_id="lin", message_id=message)


def bargained(number: int, message: str) -> Bargained:
    return Bargained(conversation_id="c1", round=number, message_id=message)


def test_each_intent_of_a_message_is_told_once() -> None:
    told = story(understanding).when(buyer("能退货吗?怎么退货,发票也要", "10:00:00"))
    told.then(intent("return_exchange", "退货"), intent("invoice", "发票"))


def test_a_denied_intent_is_none() -> None:
    story(understanding).when(buyer("不是要退货", "10:00:00")).then()


def test_a_stage_is_told_when_the_conversation_first_reaches_it_and_never_of_a_bot() -> None:
    told = story(understanding).when(agent("您好,欢迎光临", "10:00:00", agent_id="bot", auto=True)).then()
    told.when(agent("您好", "10:00:10")).then(stage("greet"))
    told.when(agent("您好,推荐您这款", "10:00:20", message="m3")).then(stage("recommend", "m3"))


def test_a_round_of_bargaining_is_one_or_more_messages_between_two_of_the_shop() -> None:
    told = story(understanding)
    told.when(buyer("便宜点", "10:00:00", message="b1"))
    told.then(intent("bargaining", "便宜点", "b1"), bargained(1, "b1"))
    told.when(buyer("太贵", "10:00:05", message="b2")).then(intent("bargaining", "太贵", "b2"))
    told.when(agent("嗯", "10:00:10")).then()
    told.when(buyer("抹零", "10:00:20", message="b3")).then(intent("bargaining", "抹零", "b3"), bargained(2, "b3"))


def test_what_is_never_said_is_reported_of_agents_and_bots_alike() -> None:
    broken = RuleBroken(conversation_id="c1", message_id="m2", agent_id="bot", rule="off_platform", phrase="微信")
    story(understanding).when(agent("加我微信", "10:00:00", agent_id="bot", auto=True)).then(broken)


def test_a_care_message_is_not_read() -> None:
    story(understanding).when(agent("您好,欢迎光临", "10:00:00", care_id="care-1")).then()


def test_a_claimed_grant_is_reported_unless_one_holds() -> None:
    claim = agent("已向主管申请", "10:00:00")
    given = GrantGiven(grant_id="g1", kind="discount", expires_at=at("12:00:00"), granted_by="boss")
    without, granted = (
        story(understanding).when(claim),
        story(understanding).given(event(given, "09:00:00")).when(claim),
    )
    assert [broken.rule for broken in rules_broken(without)] == ["grant_claimed"]
    assert rules_broken(granted) == []


@pytest.mark.parametrize(
    ("kind", "given_at", "until"),
    [("hang_up", "09:00:00", "12:00:00"), ("discount", "10:00:01", "12:00:00"), ("discount", "09:00:00", "09:59:59")],
)
def test_a_grant_of_something_else_or_of_another_time_covers_no_claim(kind: Any, given_at: str, until: str) -> None:
    given = GrantGiven(grant_id="g1", kind=kind, expires_at=at(until), granted_by="boss")
    told = story(understanding).given(event(given, given_at)).when(agent("已向主管申请", "10:00:00"))
    assert [broken.rule for broken in rules_broken(told)] == ["grant_claimed"]


def test_the_address_of_a_picture_is_no_speech() -> None:
    picture = MessageReceived(
        message_id="m1", conversation_id="c1", kind="image", text="https://img.x.com/12315/ok.jpg"
    )
    story(understanding).when(event(picture, "10:00:00")).then()
    story(understanding).when(agent("https://img.x.com/qq/1.jpg", "10:00:00", kind="image")).then()


def rules_broken(told: Story) -> list[RuleBroken]:
    return [event.data for event in told.memory.log if isinstance(event.data, RuleBroken)]


def test_the_desk_as_a_whole_tells_an_acknowledgement_from_a_question() -> None:
    """好的 starts no ladder; 转人工 is told to the reply clock, all through the log."""
    memory = Memory([SERVICE])
    for given in (opened("10:00:00+08:00"), buyer("好的", "10:00:00+08:00")):
        memory.append(given, at=given.time)
    memory.advance(at("10:05:00+08:00"))
    types = [e.data.TYPE for e in memory.log]
    assert "chat.intent_detected" in types
    assert "chat.reply_overdue" not in types
    question = buyer("有货吗", "10:06:00+08:00", message="m9")
    memory.append(question, at=question.time)
    memory.advance(at("10:10:00+08:00"))
    assert [e.data.level for e in memory.log if e.data.TYPE == "chat.reply_overdue"] == ["nudge", "warn", "breach"]
