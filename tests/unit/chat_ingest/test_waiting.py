"""Waiting: who waits for an answer, and since when (domain.md 3, answer times)."""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from schemas.chat import ConversationClosed, ReplyOverdue
from schemas.envelope import Event
from services.chat_ingest.app import SERVICE
from services.chat_ingest.waiting import KEPT, Waits, heard
from services.kernel.policy import default_policy
from services.replay.given import at
from services.replay.memory import Memory
from tests.unit.chat_ingest.talk import BOT, closed, intent, opened, received, sent

START = at("10:00:00")
SECOND = timedelta(seconds=1)
POLICY = default_policy()
BOT_FIRST = replace(POLICY, reception=replace(POLICY.reception, bot_first=True))


def after(*events: Event[Any]) -> Waits:
    waits = Waits()
    for event in events:
        waits = heard(waits, event)
    return waits


def talked(*events: Event[Any], until: datetime, bot_first: bool = False) -> Memory:
    """The whole service, after it has learnt these messages."""
    memory = Memory([SERVICE], BOT_FIRST if bot_first else POLICY)
    for event in events:
        memory.append(event, event.recordedtime)
    memory.advance(until)
    assert memory.parked == []
    return memory


def rungs(memory: Memory) -> list[tuple[str, int]]:
    """Level, and seconds after START."""
    return [(e.data.level, (e.time - START) // SECOND) for e in memory.log if isinstance(e.data, ReplyOverdue)]


def waiting_flood(conversation: str, start: datetime) -> list[Event[Any]]:
    return [received(start + number * SECOND, conversation) for number in range(2 * KEPT)]


def test_of_too_many_messages_the_first_of_each_conversation_is_kept() -> None:
    """One that is forgotten would be closed as answered."""
    known = (received(START, "c1"), received(START + SECOND, "c2"), sent(START + 2 * SECOND, "c2", **BOT))
    waiting = after(*known, *waiting_flood("c3", START + 3 * SECOND)).cycle.waiting
    assert len(waiting) == KEPT
    assert [one.conversation_id for one in waiting[:4]] == ["c1", "c2", "c3", "c3"]


def test_of_too_many_messages_one_that_asks_for_a_human_is_kept() -> None:
    """Whatever the bot has said to it."""
    asked = START + SECOND
    human = (received(asked, message="h"), intent("human", asked, message="h"), sent(asked, **BOT))
    waiting = after(received(START), *human, *waiting_flood("c1", START + 2 * SECOND)).cycle.waiting
    assert [one.message_id for one in waiting if one.human] == ["h"]


def test_of_too_many_messages_one_that_a_rung_was_told_for_is_kept_and_climbs_no_second_ladder() -> None:
    told = ReplyOverdue(conversation_id="c1", cycle=1, level="breach", waited_ms=60_000, message_id="m1")
    known = [
        received(START, "c0"),
        received(START + SECOND, "c1", message="m0"),
        received(START + 2 * SECOND, message="m1"),
    ]
    flood = waiting_flood("c1", START + 70 * SECOND)
    rung = Event(data=told, shop="s1", buyer="b1", time=START + 62 * SECOND)
    bot = sent(START + 63 * SECOND, "c1", **BOT)
    ack = intent("ack", START + SECOND, message="m0")
    left = after(*known, ack, rung, bot, *flood, closed(START + 300 * SECOND, "c0"))
    assert (left.cycle.number, left.cycle.rungs) == (2, 3)


def test_an_acknowledgement_that_reuses_the_id_of_a_question_leaves_its_ladder_alone() -> None:
    question, ack = received(START, text="这款有货吗?"), received(START + 5 * SECOND, text="好的")
    memory = talked(opened(START), question, ack, until=START + 90 * SECOND)
    assert rungs(memory) == [("nudge", 20), ("warn", 30), ("breach", 60)]


def test_a_question_after_an_acknowledgement_that_was_left_hanging_climbs_one_ladder() -> None:
    ack, question = at("10:00:00+08:00"), at("23:00:00+08:00")
    events = (opened(ack), received(ack, text="好的"), opened(question, "c2"), received(question, "c2", text="有货吗"))
    memory = talked(*events, until=question + timedelta(hours=1))
    closings = [event.data for event in memory.log if isinstance(event.data, ConversationClosed)]
    assert [(closing.conversation_id, closing.left_hanging) for closing in closings] == [("c1", True)]
    assert [level for level, _ in rungs(memory)] == ["nudge", "warn", "breach"]


def test_who_was_reported_as_waiting_too_long_is_left_hanging() -> None:
    late, soon = sent(START + 62 * SECOND, **BOT), sent(START + 72 * SECOND, **BOT)
    events = (opened(START), received(START), late, received(START + 70 * SECOND), soon)
    memory = talked(*events, until=at("23:30:00+08:00"), bot_first=True)
    (closing,) = [event.data for event in memory.log if isinstance(event.data, ConversationClosed)]
    assert rungs(memory)[-1] == ("breach", 60)
    assert closing.left_hanging
    assert closing.longest_wait_ms >= 60_000
