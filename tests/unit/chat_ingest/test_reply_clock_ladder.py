"""The ladder of one unanswered cycle, and when a human is asked at all (domain.md 3, answer times)."""

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.chat import ReplyOverdue, ReplyRecorded
from services.chat_ingest import reply_clock
from services.kernel.policy import Policy, default_policy
from services.kernel.policy.trade import Promo
from services.kernel.policy.units import Window
from services.kernel.process import LATE_TICK, Emit
from services.replay.given import at
from services.replay.story import Story, story
from tests.unit.chat_ingest.talk import BOT, closed, intent, received, sent, transferred

POLICY = default_policy()
REPLY = POLICY.reception.reply
BOT_FIRST = replace(POLICY, reception=replace(POLICY.reception, bot_first=True))
START = at("10:00:00")
LATE = timedelta(hours=POLICY.escalations.late_fact_hours)


def after(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


def overdue(level: Any, waited_ms: int, *, cycle: int = 1, message: str = "m", **more: Any) -> ReplyOverdue:
    fields = {"conversation_id": "c1", **more}
    return ReplyOverdue(cycle=cycle, level=level, waited_ms=waited_ms, message_id=message, **fields)


def rungs(told: Story) -> list[tuple[str, int, str]]:
    """Level, seconds after START and message of each rung."""
    events = [event for event in told.memory.log if isinstance(event.data, ReplyOverdue)]
    return [(e.data.level, (e.time - START) // timedelta(seconds=1), e.data.message_id) for e in events]


def under(**calendar: Any) -> Policy:
    return replace(POLICY, calendar=replace(POLICY.calendar, **calendar))


def test_every_rung_is_reached_at_its_time_and_once() -> None:
    story(reply_clock).given(received(START)).when_it_is("14:00:00").then(
        Emit(data=overdue("nudge", REPLY.nudge_s * 1_000), time=after(REPLY.nudge_s)),
        Emit(data=overdue("warn", REPLY.warn_s * 1_000), time=after(REPLY.warn_s)),
        Emit(data=overdue("breach", REPLY.breach_s * 1_000), time=after(REPLY.breach_s)),
    )


def test_the_answer_ends_the_ladder() -> None:
    story(reply_clock).given(received(START)).when(sent(after(REPLY.warn_s - 1))).when_it_is("14:00:00").then(
        overdue("nudge", REPLY.nudge_s * 1_000),
        ReplyRecorded(
            conversation_id="c1",
            cycle=1,
            agent_id="lin",
            by_bot=False,
            latency_ms=(REPLY.warn_s - 1) * 1_000,
            first=True,
        ),
    )


def test_more_messages_of_the_same_cycle_climb_no_ladder_of_their_own() -> None:
    told = story(reply_clock).given(received(START), received(after(25), message="m2"), received(after(90)))
    told.when_it_is("14:00:00")
    assert rungs(told) == [("nudge", 20, "m"), ("warn", 30, "m"), ("breach", 60, "m")]


def test_the_next_cycle_has_a_ladder_of_its_own() -> None:
    told = story(reply_clock).given(received(START), sent(after(61)), received(after(100), message="m2"))
    told.when_it_is(after(120)).then(overdue("nudge", 20_000, cycle=2, message="m2", agent_id="lin"))


def test_a_bot_reply_does_not_reset_the_clock() -> None:
    told = story(reply_clock).given(received(START), sent(after(15), **BOT), sent(after(29), **BOT))
    told.when_it_is(after(60))
    assert rungs(told) == [("nudge", 20, "m"), ("warn", 30, "m"), ("breach", 60, "m")]


def test_a_transfer_does_not_reset_the_clock_and_the_new_agent_is_told() -> None:
    story(reply_clock).given(received(START, agent_id="lin"), transferred(after(15), to="wu")).when_it_is(
        after(20)
    ).then(overdue("nudge", 20_000, agent_id="wu"))


@pytest.mark.parametrize(
    ("before", "agent"),
    [
        ([received(after(-60)), sent(after(-50), agent="wu")], "wu"),
        ([received(after(-60), "c0"), sent(after(-50), "c0", agent="wu")], None),
        ([sent(after(-50), **BOT)], None),
    ],
    ids=["who answered last in this conversation", "not who did in another", "not the bot"],
)
def test_the_agent_who_should_answer_is_named(before: list[Any], agent: str | None) -> None:
    told = story(reply_clock).given(*before, received(START)).when_it_is(after(20))
    assert told.memory.log[-1].data.agent_id == agent


def test_an_old_message_that_is_learnt_late_does_not_change_who_is_named() -> None:
    told = story(reply_clock).given(received(START, agent_id="lin"))
    told.given(sent("07:00:00", agent="zhao", recorded=after(5)), transferred("07:00:09", to="wu", recorded=after(6)))
    told.given(received("06:59:00", "c0", recorded=after(7))).when_it_is(after(20))
    told.then(overdue("nudge", 20_000, agent_id="lin"))


def test_a_transfer_that_is_learnt_after_a_later_message_names_the_new_agent_nevertheless() -> None:
    told = story(reply_clock).given(received(START, agent_id="lin"), received(after(9)))
    told.given(transferred(after(5), to="wu", recorded=after(10))).when_it_is(after(20))
    told.then(overdue("nudge", 20_000, agent_id="wu"))


def test_a_message_addressed_to_the_bot_is_nobodys() -> None:
    story(reply_clock).given(received(START, agent_id="bot")).when_it_is(after(20)).then(overdue("nudge", 20_000))


def test_a_message_climbs_its_ladder_once_though_what_waited_before_it_is_closed_as_left_hanging() -> None:
    told = story(reply_clock).given(received("02:00:00", "c1", message="m1"), intent("ack", "02:00:00", message="m1"))
    told.given(received(START, "c2", message="m2")).when_it_is(after(60))
    assert rungs(told) == [("nudge", 20, "m2"), ("warn", 30, "m2"), ("breach", 60, "m2")]
    told.given(closed(after(1_800), "c1")).when_it_is("14:00:00").then()


def test_a_message_climbs_its_ladder_once_though_an_answer_to_what_was_said_before_it_is_learnt_late() -> None:
    told = story(reply_clock).given(received(START, message="m1"), intent("ack", START, message="m1"))
    told.given(received(after(10), message="m2")).when_it_is(after(75))
    assert rungs(told) == [("nudge", 30, "m2"), ("warn", 40, "m2"), ("breach", 70, "m2")]
    told.given(sent(after(5), recorded=after(90))).when_it_is("14:00:00").then()


def test_of_a_message_that_goes_on_waiting_only_the_rungs_not_yet_taken_are_told() -> None:
    told = story(reply_clock).given(received(START, message="m1"), intent("ack", START, message="m1"))
    told.given(received(after(10), message="m2")).when_it_is(after(35))
    told.given(sent(after(5), recorded=after(36))).when_it_is("14:00:00")
    assert rungs(told) == [("nudge", 30, "m2"), ("warn", 40, "m2"), ("breach", 70, "m2")]


def test_a_message_for_which_no_rung_was_told_climbs_a_ladder_when_what_waited_before_it_is_over() -> None:
    told = story(reply_clock).given(received(START, message="m1"), received(after(50), message="m2"))
    told.given(sent(after(40), recorded=after(61))).when_it_is(after(79))
    assert rungs(told)[-2:] == [("breach", 60, "m1"), ("nudge", 70, "m2")]


def test_the_ladder_rests_in_the_lunch_pause() -> None:
    lunch = under(service=(Window(start="09:00", end="18:00"), Window(start="18:30", end="20:00")))
    told = story(reply_clock).under(lunch).given(received(after(-25))).when_it_is("11:00:00")
    assert rungs(told) == [("nudge", -5, "m"), ("warn", 1_805, "m"), ("breach", 1_835, "m")]


def test_the_ladder_of_what_is_left_off_hours_begins_at_the_next_opening() -> None:
    told = story(reply_clock).given(received("02:00:00+08:00")).when_it_is("08:59:59+08:00").then()
    told.when_it_is("09:00:20+08:00").then(
        Emit(data=overdue("nudge", 20_000), time=at("09:00:20+08:00")),
    )


def test_the_ladder_has_no_closed_minute_at_midnight() -> None:
    windows = (Window(start="00:00", end="02:00"), Window(start="20:00", end="24:00"))
    told = story(reply_clock).under(under(service=windows)).given(received("15:59:55")).when_it_is("16:00:15")
    assert told.memory.log[-1].time == at("16:00:15")
    told.then(overdue("nudge", 20_000))


def test_a_shop_that_never_opens_raises_nothing() -> None:
    story(reply_clock).under(under(service=())).given(received(START)).when_it_is("20:00:00").then()


def test_a_promo_has_a_ladder_of_its_own() -> None:
    reply = replace(REPLY, nudge_s=40, warn_s=90, breach_s=180)
    promo = Promo(name="双11", first_day=date(2026, 3, 2), last_day=date(2026, 3, 2), reply=reply)
    told = story(reply_clock).under(under(promo=(promo,))).given(received(START)).when_it_is("14:00:00")
    assert rungs(told) == [("nudge", 40, "m"), ("warn", 90, "m"), ("breach", 180, "m")]


def test_the_targets_are_those_of_the_day_on_which_the_wait_begins_to_count() -> None:
    reply = replace(REPLY, nudge_s=40, warn_s=90, breach_s=180)
    promo = Promo(name="双11", first_day=date(2026, 3, 3), last_day=date(2026, 3, 3), reply=reply)
    told = story(reply_clock).under(under(promo=(promo,))).given(received("23:45:00+08:00"))
    told.when_it_is(at("09:00:40+08:00") + timedelta(days=1)).then(overdue("nudge", 40_000))


def test_an_acknowledgement_starts_no_ladder() -> None:
    story(reply_clock).given(received(START), intent("ack", START)).when_it_is("14:00:00").then()


def test_a_question_after_an_acknowledgement_starts_one_at_its_own_time() -> None:
    told = story(reply_clock).given(received(START), intent("ack", START), received(after(100), message="m2"))
    told.when_it_is(after(120)).then(overdue("nudge", 20_000, message="m2"))


def test_an_acknowledgement_after_a_question_does_not_end_its_ladder() -> None:
    told = story(reply_clock).given(received(START), received(after(5), message="m2"))
    told.given(intent("ack", after(5), message="m2")).when_it_is(after(20)).then(overdue("nudge", 20_000))


def test_an_acknowledgement_under_the_reused_id_of_a_question_does_not_end_its_ladder() -> None:
    """Platforms use a message id again: it is this message's only together with its time."""
    told = story(reply_clock).given(received(START), received(after(5)), intent("ack", after(5)))
    told.when_it_is("14:00:00")
    assert rungs(told) == [("nudge", 20, "m"), ("warn", 30, "m"), ("breach", 60, "m")]


def test_a_conversation_that_is_reopened_climbs_from_the_first_rung_at_its_own_time() -> None:
    told = (
        story(reply_clock).given(received("07:00:00"), closed("08:00:00"), received(START, "c2")).when_it_is(after(60))
    )
    assert rungs(told)[-3:] == [("nudge", 20, "m"), ("warn", 30, "m"), ("breach", 60, "m")]


def test_a_closed_conversation_raises_nothing_more() -> None:
    story(reply_clock).given(received(START), closed(after(10))).when_it_is("14:00:00").then()


def test_what_is_learnt_a_little_late_takes_all_rungs_that_have_passed_at_once() -> None:
    learnt = after(45)
    story(reply_clock).given(received(START, recorded=learnt)).when_it_is(learnt + LATE_TICK).then(
        Emit(data=overdue("nudge", 50_000), time=after(50)), Emit(data=overdue("warn", 50_000), time=after(50))
    ).when_it_is(after(60)).then(overdue("breach", 60_000))


@pytest.mark.parametrize(("late", "levels"), [(LATE, 3), (LATE + timedelta(seconds=1), 0)])
def test_what_is_learnt_later_than_the_policy_says_makes_no_noise(late: timedelta, levels: int) -> None:
    told = story(reply_clock).given(received(START, recorded=START + late)).when_it_is("14:00:00")
    assert len(rungs(told)) == levels


def test_the_answer_to_what_was_learnt_late_is_measured_nevertheless() -> None:
    told = story(reply_clock).given(received("07:00:00", recorded=START)).when(sent(after(2)))
    assert told.memory.log[-1].data.latency_ms == (3 * 3_600 + 2) * 1_000


def test_a_message_in_time_starts_a_ladder_where_one_learnt_late_waits_already() -> None:
    told = story(reply_clock).given(received("07:00:00", recorded=START), received(after(1), message="m2"))
    told.when_it_is(after(21)).then(overdue("nudge", 20_000, message="m2"))


def test_a_message_answered_before_it_was_learnt_starts_no_ladder() -> None:
    story(reply_clock).given(sent(after(6)), received(START, recorded=after(7))).when_it_is("14:00:00").then()


def test_where_the_bot_comes_first_what_it_answers_waits_for_nobody() -> None:
    told = story(reply_clock).under(BOT_FIRST).given(received(START), sent(after(2), **BOT))
    told.when(sent(after(300))).when_it_is("14:00:00").then()


def test_where_the_bot_comes_first_a_message_that_it_does_not_answer_waits_from_its_own_time() -> None:
    told = story(reply_clock).under(BOT_FIRST).given(received(START), sent(after(2), **BOT))
    told.given(received(after(60), message="m2")).when_it_is(after(80)).then(overdue("nudge", 20_000, message="m2"))
    told.when(sent(after(85)))
    assert told.memory.log[-1].data.latency_ms == 25_000


@pytest.mark.parametrize(("second", "nudged"), [(BOT_FIRST.reception.bot_answer_s, False), (11, True)])
def test_where_the_bot_comes_first_it_has_the_seconds_of_the_policy(second: int, nudged: bool) -> None:
    told = story(reply_clock).under(BOT_FIRST).given(received(START), sent(after(second), **BOT)).when_it_is(after(20))
    assert bool(rungs(told)) == nudged


def test_where_the_bot_comes_first_the_clock_starts_when_the_buyer_asks_for_a_human() -> None:
    told = story(reply_clock).under(BOT_FIRST).given(received(START, message="m1"), sent(after(1), **BOT))
    told.given(received(after(60), message="m2"), intent("human", after(60), message="m2"), sent(after(61), **BOT))
    told.when_it_is(after(80)).then(overdue("nudge", 20_000, message="m2"))
    told.when(sent(after(84)))
    assert told.memory.log[-1].data.latency_ms == 24_000


def test_where_the_bot_comes_first_who_asks_for_a_human_under_a_reused_id_asks_at_that_time() -> None:
    told = story(reply_clock).under(BOT_FIRST).given(received(START), sent(after(1), **BOT))
    told.given(received(after(60)), intent("human", after(60))).when(sent(after(64)))
    assert told.memory.log[-1].data.latency_ms == 4_000


def test_where_the_bot_comes_first_a_human_who_is_faster_is_measured() -> None:
    told = story(reply_clock).under(BOT_FIRST).given(received(START)).when(sent(after(3)))
    assert told.memory.log[-1].data.latency_ms == 3_000


def test_the_story_of_a_policy_without_bot_first_takes_no_notice_of_who_asks_for_a_human() -> None:
    told = story(reply_clock).given(received(START), intent("human", START)).when_it_is(after(20))
    assert rungs(told) == [("nudge", 20, "m")]
