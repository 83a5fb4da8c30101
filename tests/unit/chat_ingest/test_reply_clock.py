"""Reply clock: how long a buyer waited for a human answer (domain.md 3, answer times)."""

from typing import Any

from schemas.chat import MessageReceived, MessageSent, ReplyRecorded, Transferred
from schemas.envelope import Event
from services.chat_ingest import reply_clock
from services.kernel.process import Emit
from services.replay.given import at
from services.replay.story import event, story


def received(when: str, conversation: str = "c1", *, recorded: str | None = None) -> Event[Any]:
    return event(MessageReceived(message_id="m", conversation_id=conversation, text="在吗"), when, recorded=recorded)


def sent(when: str, conversation: str = "c1", *, agent: str = "lin", recorded: str | None = None, **more: Any) -> Any:
    data = MessageSent(message_id="m", conversation_id=conversation, text="亲,在的", agent_id=agent, **more)
    return event(data, when, recorded=recorded)


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


def test_a_bot_is_counted_once_a_cycle() -> None:
    bot = {"agent": "bot", "auto": True}
    story(reply_clock).given(received("10:00:00"), sent("10:00:02", **bot)).when(sent("10:00:03", **bot)).then().given(
        sent("10:00:10"), received("10:01:00")
    ).when(sent("10:01:01", **bot)).then(reply(1_000, cycle=2, agent_id="bot", by_bot=True))


def test_a_care_message_is_no_reply() -> None:
    story(reply_clock).given(received("10:00:00")).when(
        sent("10:00:01", care_id="care1"), sent("10:00:02", agent="bot", auto=True, care_id="care2")
    ).then()


def test_the_clock_goes_on_through_a_transfer_and_the_reply_is_credited_to_who_gives_it() -> None:
    transfer = Transferred(conversation_id="c1", from_agent="lin", to_agent="wu", reason="售后")
    story(reply_clock).given(received("10:00:00"), event(transfer, "10:00:10")).when(sent("10:00:25", agent="wu")).then(
        reply(25_000, first=True, agent_id="wu", since_transfer_ms=15_000)
    )


def test_a_transfer_before_the_message_is_not_noted() -> None:
    transfer = Transferred(conversation_id="c1", from_agent="lin", to_agent="wu", reason="售后")
    story(reply_clock).given(event(transfer, "09:59:00"), received("10:00:00")).when(sent("10:00:05", agent="wu")).then(
        reply(5_000, first=True, agent_id="wu")
    )


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
