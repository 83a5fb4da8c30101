"""Closing: when a conversation is over, and what is then told of it (domain.md 3)."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.chat import ConversationClosed, ReplyOverdue, ReplyRecorded, StageReached
from schemas.envelope import Event
from services.chat_ingest import closing, reply_clock
from services.kernel.policy import Policy, default_policy
from services.kernel.policy.units import Window
from services.kernel.process import LATE_TICK, Emit, process_of
from services.kernel.service import Service
from services.replay.given import at
from services.replay.memory import Memory
from services.replay.story import Story, story
from tests.unit.chat_ingest.talk import BOT, intent, opened, received, sent

POLICY = default_policy()
IDLE = timedelta(minutes=POLICY.reception.conversation_idle_minutes)
BOT_FIRST = replace(POLICY, reception=replace(POLICY.reception, bot_first=True))
START = at("10:00:00+08:00")
SERVICE_ENDS = at("23:30:00+08:00")
SECOND = timedelta(seconds=1)


def under(*windows: str) -> Policy:
    service = tuple(Window(start=window[:5], end=window[6:]) for window in windows)
    return replace(POLICY, calendar=replace(POLICY.calendar, service=service))


def told_of(speaker: Any, *, hanging: bool = False, **more: Any) -> ConversationClosed:
    fields = {"conversation_id": "c1", "channel": "wangwang", "rounds": 1, "longest_wait_ms": 0, **more}
    flags = {"questions_asked": 0, "greeted": False, "recommended": False, "farewelled": False}
    return ConversationClosed(last_speaker=speaker, left_hanging=hanging, **{**flags, **fields})


def closings(told: Story) -> list[Event[Any]]:
    return [event for event in told.memory.log if isinstance(event.data, ConversationClosed)]


def asked(when: Any = START, name: str = "c1", **more: Any) -> list[Event[Any]]:
    return [opened(when, name), received(when, name, **more)]


def test_a_conversation_in_which_the_shop_spoke_last_closes_after_the_pause() -> None:
    told = story(closing).given(*asked(), sent(START + 5 * SECOND)).when_it_is(START + IDLE + 4 * SECOND).then()
    told.when_it_is(START + IDLE + 5 * SECOND).then(
        Emit(data=told_of("agent", agents=("lin",)), time=START + IDLE + 5 * SECOND)
    )


def test_every_message_puts_the_closing_off() -> None:
    again = START + IDLE - SECOND
    told = story(closing).given(*asked(), sent(START), received(again), sent(again + SECOND)).when_it_is(again + IDLE)
    told.then().when_it_is(again + IDLE + SECOND).then(told_of("agent", rounds=2, agents=("lin",)))


def test_an_unanswered_buyer_is_left_hanging_at_the_end_of_the_service_interval() -> None:
    wait = (SERVICE_ENDS - START) // timedelta(milliseconds=1)
    told = story(closing).given(*asked()).when_it_is(SERVICE_ENDS - SECOND).then()
    told.when_it_is(SERVICE_ENDS).then(
        Emit(data=told_of("buyer", hanging=True, rounds=0, longest_wait_ms=wait), time=SERVICE_ENDS)
    )


@pytest.mark.parametrize(
    ("asks", "closes"),
    [
        ("11:00:00+08:00", "12:00:00+08:00"),
        ("11:30:00+08:00", "18:00:00+08:00"),
        ("12:10:00+08:00", "18:00:00+08:00"),
        ("07:00:00+08:00", "12:00:00+08:00"),
    ],
    ids=["in the interval", "no pause left in it", "at lunch", "before opening"],
)
def test_the_interval_is_the_one_that_is_open_after_the_pause_or_opens_next(asks: str, closes: str) -> None:
    told = story(closing).under(under("09:00-12:00", "13:00-18:00")).given(*asked(at(asks))).when_it_is("20:00:00")
    assert [event.time for event in closings(told)] == [at(closes)]


@pytest.mark.parametrize("windows", [(), ("00:00-24:00",)], ids=["never open", "never closed"])
def test_where_service_has_no_end_the_days_end_takes_its_place(windows: tuple[str, ...]) -> None:
    policy = under(*windows)
    policy = replace(policy, calendar=replace(policy.calendar, holidays_of=""))
    told = story(closing).under(policy).given(*asked()).when_it_is("20:00:00")
    assert [event.time for event in closings(told)] == [at("16:00:00")]


def test_a_late_answer_puts_the_closing_at_the_pause_after_it() -> None:
    answered = at("22:00:00+08:00")
    told = story(closing).given(*asked(), sent(answered)).when_it_is("23:59:00")
    assert [(event.time, event.data.left_hanging) for event in closings(told)] == [(answered + IDLE, False)]


def test_an_auto_reply_leaves_the_buyer_hanging() -> None:
    told = story(closing).given(*asked(), sent(START + SECOND, **BOT)).when_it_is(SERVICE_ENDS)
    (event,) = closings(told)
    assert (event.time, event.data.last_speaker, event.data.left_hanging) == (SERVICE_ENDS, "bot", True)


def test_where_the_bot_comes_first_its_answer_is_the_shops_last_word() -> None:
    told = story(closing).under(BOT_FIRST).given(*asked(), sent(START + SECOND, **BOT)).when_it_is(SERVICE_ENDS)
    (event,) = closings(told)
    assert (event.time, event.data.left_hanging) == (START + SECOND + IDLE, False)


@pytest.mark.parametrize(
    ("unanswered", "since"),
    [
        ([received(START + 60 * SECOND), received(START + 90 * SECOND)], 60),
        ([received(START + 60 * SECOND), sent(START + 71 * SECOND, **BOT)], 60),
        ([received(START + 60 * SECOND), intent("human", START + 60 * SECOND), sent(START + 61 * SECOND, **BOT)], 60),
    ],
    ids=["the bot is silent", "the bot is late", "转人工"],
)
def test_where_the_bot_comes_first_what_it_does_not_answer_is_left_hanging(unanswered: Any, since: int) -> None:
    told = story(closing).under(BOT_FIRST).given(*asked(), sent(START + SECOND, **BOT), *unanswered)
    (event,) = closings(told.when_it_is(SERVICE_ENDS))
    assert event.data.left_hanging
    assert event.data.longest_wait_ms == (SERVICE_ENDS - START - since * SECOND) // timedelta(milliseconds=1)


def test_where_the_bot_comes_first_what_it_answered_too_late_is_left_hanging_whatever_it_answers_later() -> None:
    told = story(closing).under(BOT_FIRST).given(*asked(), sent(START + 62 * SECOND, **BOT))
    told.given(received(START + 70 * SECOND), sent(START + 72 * SECOND, **BOT))
    (event,) = closings(told.when_it_is(SERVICE_ENDS))
    assert event.data.left_hanging
    assert event.data.longest_wait_ms == (SERVICE_ENDS - START) // timedelta(milliseconds=1)


def test_where_the_bot_comes_first_who_asks_for_a_human_before_another_message_is_left_hanging_since_then() -> None:
    told = story(closing).under(BOT_FIRST).given(*asked(message="m1"), received(START + SECOND, message="m2"))
    told.given(intent("human", START, message="m1"), sent(START + 2 * SECOND, **BOT))
    (event,) = closings(told.when_it_is(SERVICE_ENDS))
    assert event.data.longest_wait_ms == (SERVICE_ENDS - START) // timedelta(milliseconds=1)


def test_a_care_message_answers_nothing_and_a_conversation_of_nothing_else_closes_after_the_pause() -> None:
    story(closing).given(opened(START), sent(START, care_id="care1", **BOT)).when_it_is(START + IDLE).then(
        told_of("bot", rounds=0)
    )
    for care in (sent(START + SECOND, care_id="care1"), sent(START + SECOND, care_id="care1", **BOT)):
        told = story(closing).under(BOT_FIRST).given(*asked(), care).when_it_is(SERVICE_ENDS)
        assert [event.data.left_hanging for event in closings(told)] == [True]


def test_a_reply_in_a_later_conversation_answers_the_earlier_one_too() -> None:
    later = START + 2 * IDLE
    told = story(closing).given(*asked(), *asked(later, "c2"), sent(later + SECOND, "c2")).when_it_is(SERVICE_ENDS)
    assert [(e.data.conversation_id, e.time, e.data.left_hanging) for e in closings(told)] == [
        ("c1", later + SECOND + IDLE, False),
        ("c2", later + SECOND + IDLE, False),
    ]


def test_an_answer_that_is_learnt_late_is_not_the_last_word_where_something_was_said_after_it() -> None:
    told = story(closing).given(*asked(), sent(START + 20 * SECOND, **BOT))
    told.given(opened(START + 5 * SECOND, "c2"), sent(START + 10 * SECOND, "c2", recorded=START + 30 * SECOND))
    (_, event) = closings(told.when_it_is(SERVICE_ENDS))
    assert (event.time, event.data.last_speaker) == (START + 20 * SECOND + IDLE, "bot")


def test_an_answer_that_is_learnt_after_the_buyers_next_message_does_not_answer_that_one() -> None:
    told = story(closing).given(*asked(), received(START + 20 * SECOND))
    told.given(sent(START + 10 * SECOND, recorded=START + 30 * SECOND))
    (event,) = closings(told.when_it_is(SERVICE_ENDS))
    assert event.data.left_hanging
    assert event.data.longest_wait_ms == (SERVICE_ENDS - START - 20 * SECOND) // timedelta(milliseconds=1)


def test_a_message_that_is_learnt_after_its_answer_leaves_nobody_hanging() -> None:
    told = story(closing).given(opened(START), sent(START + 10 * SECOND), received(START, recorded=START + 20 * SECOND))
    (event,) = closings(told.when_it_is(SERVICE_ENDS))
    assert (event.time, event.data.last_speaker, event.data.left_hanging) == (
        START + 10 * SECOND + IDLE,
        "agent",
        False,
    )


def test_an_import_of_history_closes_at_the_time_at_which_it_was_over() -> None:
    year_ago = START - timedelta(days=365)
    told = story(closing).given(opened(year_ago, recorded=START), received(year_ago, recorded=START))
    told.given(sent(year_ago + 5 * SECOND, recorded=START)).when_it_is(START + LATE_TICK).then(
        Emit(data=told_of("agent", agents=("lin",)), time=year_ago + 5 * SECOND + IDLE)
    )


def test_a_message_learnt_just_after_the_closing_opens_it_again_and_the_next_closing_tells_the_whole() -> None:
    silent = START + 5 * SECOND + IDLE
    told = story(closing).given(*asked(), sent(START + 5 * SECOND)).when_it_is(silent)
    told.given(received(silent - SECOND, recorded=silent + SECOND), sent(silent + 2 * SECOND))
    told.when_it_is(silent + 2 * SECOND + IDLE).then(told_of("agent", rounds=2, agents=("lin",)))


def test_a_closed_conversation_is_forgotten_when_another_begins() -> None:
    told = story(closing).given(*asked(), sent(START)).when_it_is(START + IDLE)
    told.given(*asked(START + 2 * IDLE, "c2"), received(START, recorded=START + 2 * IDLE))
    assert list(told.memory.state("closing", "s1", "b1", "b1").talks) == ["c2"]


def test_the_stages_that_were_reached_are_told() -> None:
    stages = [StageReached(conversation_id="c1", stage=stage) for stage in ("greet", "ask", "recommend", "farewell")]
    story(closing).given(*asked(), sent(START), *stages).when_it_is(START + IDLE).then(
        told_of("agent", agents=("lin",), greeted=True, questions_asked=1, recommended=True, farewelled=True)
    )


def test_every_need_question_of_a_human_is_counted() -> None:
    needs = "您平时穿多大码?您喜欢什么颜色?"
    told = story(closing).given(*asked(), sent(START, text=needs), sent(START, text="亲,请问您身高体重多少呢?"))
    told.given(sent(START, text=needs, **BOT), sent(START, text=needs, care_id="care1")).when_it_is(START + IDLE)
    (event,) = closings(told)
    assert event.data.questions_asked == 3


def test_responses_are_those_of_humans_and_all_agents_are_named() -> None:
    def reply(cycle: int, agent: str, latency_ms: int, by_bot: bool = False) -> ReplyRecorded:
        fields: dict[str, Any] = {"conversation_id": "c1", "first": cycle == 1, "by_bot": by_bot}
        return ReplyRecorded(cycle=cycle, agent_id=agent, latency_ms=latency_ms, **fields)

    told = story(closing).given(*asked(), reply(1, "bot", 1_000, by_bot=True), sent(START), reply(1, "lin", 4_000))
    told.given(received(START), sent(START, agent="wu"), reply(2, "wu", 9_000)).when_it_is(START + IDLE).then(
        told_of(
            "agent",
            rounds=2,
            first_response_ms=4_000,
            average_response_ms=6_500,
            longest_wait_ms=9_000,
            agents=("lin", "wu"),
        )
    )


def test_closing_and_reply_clock_agree_on_a_buyer_who_comes_back() -> None:
    service = Service(name="chat_ingest", processes=[process_of(reply_clock), process_of(closing)])
    memory = Memory([service])
    for event in asked():
        memory.append(event, event.recordedtime)
    morning = START + timedelta(days=1)
    for event in (*asked(morning, "c2"), sent(morning + 6 * SECOND, "c2")):
        memory.append(event, event.recordedtime)
    memory.advance(morning + 6 * SECOND + IDLE)
    assert memory.parked == []
    told: list[Any] = [e.data for e in memory.log if isinstance(e.data, ConversationClosed | ReplyRecorded)]
    first, reply, second = told
    assert (first.TYPE, reply.TYPE, second.TYPE) == (told_of("buyer").TYPE, ReplyRecorded.TYPE, told_of("agent").TYPE)
    assert (first.left_hanging, second.left_hanging) == (True, False)
    assert reply.latency_ms == second.longest_wait_ms == 6_000


def test_closing_and_reply_clock_agree_on_a_buyer_whom_the_bot_answered_too_late() -> None:
    service = Service(name="chat_ingest", processes=[process_of(reply_clock), process_of(closing)])
    memory = Memory([service], BOT_FIRST)
    bot = [sent(START + 62 * SECOND, **BOT), sent(START + 72 * SECOND, **BOT)]
    for event in (*asked(), bot[0], received(START + 70 * SECOND), bot[1]):
        memory.append(event, event.recordedtime)
    memory.advance(SERVICE_ENDS)
    rungs = [e.data.level for e in memory.log if isinstance(e.data, ReplyOverdue)]
    (told,) = [e.data for e in memory.log if isinstance(e.data, ConversationClosed)]
    assert (rungs, told.left_hanging) == (["nudge", "warn", "breach"], True)
    waits = [memory.state(name, "s1", "b1", "b1").waits for name in ("reply_clock", "closing")]
    assert waits[0] == waits[1]
