"""Reply clock: how long a buyer waited for a human answer (domain.md 3, answer times)."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from schemas.chat import ReplyRecorded
from services.chat_ingest import reply_clock
from services.chat_ingest.waiting import KEPT
from services.kernel.policy import default_policy
from services.kernel.policy.units import Window
from services.kernel.process import Emit
from services.replay.given import at
from services.replay.story import story
from tests.unit.chat_ingest.talk import BOT, closed, intent, received, sent, transferred

POLICY = default_policy()
LUNCH = replace(
    POLICY,
    calendar=replace(POLICY.calendar, service=(Window(start="09:00", end="12:00"), Window(start="13:00", end="18:00"))),
)


def reply(latency_ms: int, *, cycle: int = 1, first: bool = False, **more: Any) -> ReplyRecorded:
    fields = {"conversation_id": "c1", "agent_id": "lin", "by_bot": False, **more}
    return ReplyRecorded(cycle=cycle, latency_ms=latency_ms, first=first, **fields)


def test_the_clock_starts_at_the_first_unanswered_message() -> None:
    story(reply_clock).given(received("10:00:00"), received("10:00:04")).when(sent("10:00:06")).then(
        reply(6_000, first=True)
    )


def test_a_reply_is_recorded_at_the_time_at_which_it_was_given() -> None:
    story(reply_clock).given(received("10:00:00", recorded="12:00:00")).when(
        sent("10:00:06.250", recorded="12:00:01")
    ).then(Emit(data=reply(6_250, first=True), time=at("10:00:06.250")))


def test_a_second_reply_answers_nothing_more() -> None:
    story(reply_clock).given(received("10:00:00"), sent("10:00:06")).when(sent("10:00:07")).then()


def test_the_next_unanswered_message_begins_another_cycle_of_the_same_conversation() -> None:
    story(reply_clock).given(received("10:00:00"), sent("10:00:06"), received("10:01:00")).when(sent("10:01:20")).then(
        reply(20_000, cycle=2)
    )


def test_what_the_shop_says_unasked_is_no_reply() -> None:
    story(reply_clock).when(sent("10:00:00")).then()


def test_the_first_answer_of_each_conversation_is_the_first() -> None:
    story(reply_clock).given(received("10:00:00"), sent("10:00:06")).when(
        received("11:00:00", "c2"), sent("11:00:05", "c2")
    ).then(reply(5_000, cycle=2, first=True, conversation_id="c2"))


def test_a_wait_goes_on_through_a_pause_and_belongs_to_the_conversation_in_which_it_began() -> None:
    story(reply_clock).given(received("10:00:00", "c1"), received("11:00:00", "c2")).when(sent("11:00:05", "c2")).then(
        reply(3_605_000, first=True, conversation_id="c1")
    )


def test_a_bot_reply_is_counted_apart_and_does_not_stop_the_clock() -> None:
    story(reply_clock).given(received("10:00:00")).when(
        sent("10:00:02", agent="bot", auto=True), sent("10:00:20")
    ).then(reply(2_000, agent_id="bot", by_bot=True), reply(20_000, first=True))


def test_a_bot_reply_is_measured_from_the_first_message_that_no_bot_has_answered() -> None:
    story(reply_clock).given(received("10:00:00"), sent("10:00:02", **BOT)).when(sent("10:00:03", **BOT)).then().given(
        received("10:00:10")
    ).when(sent("10:00:11", **BOT), sent("10:00:12")).then(
        reply(1_000, agent_id="bot", by_bot=True), reply(12_000, first=True)
    )


def test_a_care_message_is_no_reply() -> None:
    story(reply_clock).given(received("10:00:00")).when(
        sent("10:00:01", care_id="care1"), sent("10:00:02", agent="bot", auto=True, care_id="care2")
    ).then()


def test_the_clock_goes_on_through_a_transfer_and_the_reply_is_credited_to_who_gives_it() -> None:
    told = story(reply_clock).given(received("10:00:00", agent_id="lin"), transferred("10:00:10", to="wu"))
    told.when(sent("10:00:19", agent="wu")).then(reply(19_000, first=True, agent_id="wu", since_transfer_ms=9_000))


def test_the_credit_is_not_the_assignees() -> None:
    told = story(reply_clock).given(received("10:00:00", agent_id="lin"), transferred("10:00:10", to="wu"))
    told.when(sent("10:00:19", agent="zhao")).then(reply(19_000, first=True, agent_id="zhao", since_transfer_ms=9_000))


def test_a_transfer_before_the_message_is_not_noted() -> None:
    story(reply_clock).given(transferred("09:59:00"), received("10:00:00")).when(sent("10:00:05", agent="wu")).then(
        reply(5_000, first=True, agent_id="wu")
    )


def test_a_transfer_after_a_reply_that_is_learnt_late_is_not_noted() -> None:
    story(reply_clock).given(received("10:00:00"), transferred("10:00:10")).when(
        sent("10:00:08", recorded="10:00:12")
    ).then(reply(8_000, first=True))


def test_a_reply_given_before_the_message_answers_nothing_whenever_it_is_learnt() -> None:
    story(reply_clock).given(received("10:00:00")).when(sent("09:59:59", recorded="10:00:01")).then().when(
        sent("10:00:05")
    ).then(reply(5_000, first=True))


def test_a_message_learnt_late_that_was_answered_long_ago_starts_no_clock() -> None:
    story(reply_clock).given(received("10:00:00"), sent("10:00:06"), received("09:00:00", recorded="10:05:00")).when(
        sent("11:00:00")
    ).then()


def test_a_message_learnt_late_may_be_the_first_unanswered_one() -> None:
    story(reply_clock).given(received("10:00:10"), received("10:00:00", recorded="10:00:12")).when(
        sent("10:00:20")
    ).then(reply(20_000, first=True))


def test_what_the_buyer_wrote_after_a_reply_that_is_learnt_late_is_still_unanswered() -> None:
    story(reply_clock).given(received("10:00:00"), received("10:05:00")).when(
        sent("10:00:30", recorded="10:05:01"), sent("10:05:20")
    ).then(reply(30_000, first=True), reply(20_000, cycle=2))


def test_messages_of_one_second_are_answered_in_the_order_of_the_log() -> None:
    """Exports tell time in whole seconds."""
    story(reply_clock).given(received("10:00:00"), sent("10:00:00"), received("10:00:00")).when(sent("10:00:03")).then(
        reply(3_000, cycle=2)
    )


def test_of_several_messages_after_a_reply_that_is_learnt_late_the_first_begins_the_next_cycle() -> None:
    story(reply_clock).given(received("10:00:00"), received("10:00:12"), received("10:00:16")).when(
        sent("10:00:10", recorded="10:00:17"), sent("10:00:18")
    ).then(reply(10_000, first=True), reply(6_000, cycle=2))


def test_only_service_time_counts_and_the_lunch_pause_is_none() -> None:
    story(reply_clock).under(LUNCH).given(received("11:59:55+08:00")).when(sent("13:00:05+08:00")).then(
        reply(10_000, first=True)
    )


def test_what_is_left_off_hours_is_due_from_the_next_opening() -> None:
    story(reply_clock).given(received("02:00:00+08:00", offline=True)).when(sent("09:00:07+08:00")).then(
        reply(7_000, first=True)
    )


def test_an_answer_off_hours_to_a_message_left_off_hours_took_no_service_time() -> None:
    story(reply_clock).given(received("02:00:00+08:00")).when(sent("02:05:00+08:00")).then(reply(0, first=True))


def test_there_is_no_closed_minute_between_24_00_and_00_00() -> None:
    round_midnight = (Window(start="00:00", end="02:00"), Window(start="20:00", end="24:00"))
    policy = replace(POLICY, calendar=replace(POLICY.calendar, service=round_midnight))
    story(reply_clock).under(policy).given(received("15:59:55")).when(sent("16:00:10")).then(reply(15_000, first=True))


def test_the_part_of_a_wait_after_a_transfer_is_service_time_too() -> None:
    told = story(reply_clock).under(LUNCH).given(received("11:59:55+08:00"), transferred("12:30:00+08:00"))
    told.when(sent("13:00:05+08:00", agent="wu")).then(
        reply(10_000, first=True, agent_id="wu", since_transfer_ms=5_000)
    )


def test_an_acknowledgement_waits_for_its_last_word() -> None:
    story(reply_clock).given(received("10:00:00"), intent("ack", "10:00:00")).when(sent("10:00:30")).then(
        reply(30_000, first=True)
    )


def test_a_question_after_an_acknowledgement_waits_from_its_own_time() -> None:
    told = story(reply_clock).given(received("10:00:00", message="m1"), intent("ack", "10:00:00", message="m1"))
    told.given(received("10:05:00", message="m2")).when(sent("10:05:08")).then(reply(8_000, first=True))


def test_a_question_and_an_acknowledgement_of_one_reused_id_are_two_messages() -> None:
    """Platforms use a message id again."""
    told = story(reply_clock).given(received("10:00:00"), received("10:00:05"), intent("ack", "10:00:05"))
    told.when(sent("10:00:08")).then(reply(8_000, first=True))


def test_a_conversation_that_is_reopened_keeps_no_old_clock() -> None:
    story(reply_clock).given(received("10:00:00"), closed("11:00:00"), received("11:30:00", "c2")).when(
        sent("11:30:06", "c2")
    ).then(reply(6_000, cycle=2, first=True, conversation_id="c2"))


def test_what_waits_in_another_conversation_goes_on_when_one_is_closed() -> None:
    told = story(reply_clock).given(received("10:00:00", "c1"), received("10:40:00", "c2"), closed("10:40:05", "c1"))
    told.when(sent("10:40:09", "c2")).then(reply(9_000, cycle=2, first=True, conversation_id="c2"))


def test_a_message_that_is_learnt_when_its_conversation_has_just_been_closed_waits_all_the_same() -> None:
    told = story(reply_clock).given(received("10:00:00"), sent("10:00:05"), closed("10:30:05", left_hanging=False))
    told.given(received("10:30:04", recorded="10:30:06")).when(sent("10:30:10")).then(reply(6_000, cycle=2))


def test_of_more_messages_than_are_kept_the_first_and_the_last_are() -> None:
    minute = timedelta(seconds=60)
    first = at("02:00:00")
    told = story(reply_clock).given(*(received(first + number * minute) for number in range(3 * KEPT)))
    waiting = told.memory.state("reply_clock", "s1", "b1", "b1").waits.cycle.waiting
    assert len(waiting) == KEPT
    assert (waiting[0].time, waiting[-1].time) == (first, first + (3 * KEPT - 1) * minute)


def test_what_a_bot_has_answered_makes_room_for_what_nobody_has() -> None:
    told = story(reply_clock)
    start = at("10:00:00")
    for number in range(2 * KEPT):
        when = start + number * timedelta(seconds=10)
        told.given(received(when), sent(when + timedelta(seconds=1), **BOT))
    asked = start + 2 * KEPT * timedelta(seconds=10)
    told.given(received(asked), received(asked + timedelta(seconds=1)), received(asked + timedelta(seconds=2)))
    waiting = told.memory.state("reply_clock", "s1", "b1", "b1").waits.cycle.waiting
    assert [one.time - asked for one in waiting if one.bot is None] == [timedelta(seconds=n) for n in range(3)]
