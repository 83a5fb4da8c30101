"""The reply clock against a slow and obvious one, which counts second by second, on random chats and calendars.

The chats run through a midnight, with service hours that open and close around it, a day that may differ, and a promo
on the second day.
"""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from schemas.chat import (
    ConversationClosed,
    IntentDetected,
    MessageReceived,
    MessageSent,
    ReplyOverdue,
    ReplyRecorded,
    Transferred,
)
from schemas.envelope import Event
from services.chat_ingest import reply_clock
from services.kernel.policy import Policy, default_policy
from services.kernel.policy.trade import DayOverride, Promo
from services.kernel.policy.units import Window, minutes
from services.kernel.process import LATE_TICK
from services.replay.story import story
from tests.unit.chat_ingest.talk import BOT, closed, intent, received, sent, transferred

POLICY = default_policy()
START = datetime.fromisoformat("2026-03-02T23:52:00+08:00").astimezone(UTC)
MIDNIGHT_S = 8 * 60
LENGTH_S = 20 * 60
TODAY, TOMORROW = (datetime.fromisoformat(day).date() for day in ("2026-03-02", "2026-03-03"))
SECOND = timedelta(seconds=1)

QUICK = range(500)
ALL = range(500, 1_000)


def windows(chance: random.Random) -> tuple[Window, ...]:
    """Service hours of a day; those that matter here lie in its first and its last minutes."""
    early = [("00:00", "00:03"), ("00:00", "12:00"), ("00:05", "12:00"), ("00:02", "00:04"), ("00:06", "00:07")]
    late = [("20:00", "24:00"), ("23:50", "23:56"), ("23:54", "24:00"), ("23:58", "23:59"), ("12:30", "23:53")]
    some = chance.sample(early, chance.randint(0, 2)) + chance.sample(late, chance.randint(0, 2))
    if chance.random() < 0.3:
        some = [("00:00", "24:00")]
    return tuple(Window(start=start, end=end) for start, end in some)


def policy_of(chance: random.Random) -> Policy:
    days = (DayOverride(day=chance.choice((TODAY, TOMORROW)), service=windows(chance)),)
    other = replace(POLICY.reception.reply, nudge_s=15, warn_s=40, breach_s=45)
    promo = (Promo(name="双11", first_day=TOMORROW, last_day=TOMORROW, reply=other),)
    calendar = replace(
        POLICY.calendar,
        service=windows(chance),
        days=days if chance.random() < 0.3 else (),
        promo=promo if chance.random() < 0.3 else (),
    )
    return replace(POLICY, calendar=calendar, reception=replace(POLICY.reception, bot_first=chance.random() < 0.5))


def chat_of(chance: random.Random, late: float) -> list[Event[Any]]:
    """What is said, in the order in which it is learnt. late: how much of it is learnt after its time."""
    told: list[Event[Any]] = []
    second, talk = chance.randint(0, 400), 1
    for number in range(chance.randint(3, 20)):
        second += chance.choice((0, 1, 2, 5, 9, 10, 11, 14, 19, 20, 21, 30, 41, 60, 61, 90))
        if second > LENGTH_S - 200:
            break
        when = START + second * SECOND
        recorded = when + (chance.choice((1, 7, 25, 70)) if chance.random() < late else 0) * SECOND
        name, agent = f"c{talk}", chance.choice(("lin", "wu"))
        match chance.choice(("buyer",) * 9 + ("human",) * 3 + ("bot",) * 5 + ("care", "transfer", "close", "pause")):
            case "buyer":
                to = chance.choice((None, "lin", "wu", "bot"))
                message = f"m{number if chance.random() < 0.8 else 0}"
                told.append(received(when, name, message=message, recorded=recorded, agent_id=to))
                meant = chance.choice(("ack", "human", None, None, None))
                if meant:
                    told.append(intent(meant, when, message=message, conversation=name, recorded=recorded))
            case "human":
                told.append(sent(when, name, agent=agent, recorded=recorded))
            case "bot":
                told.append(sent(when, name, recorded=recorded, **BOT))
            case "care":
                told.append(sent(when, name, agent=agent, recorded=recorded, care_id="care1"))
            case "transfer":
                told.append(transferred(when, to=agent, conversation=name, recorded=recorded))
            case "close":
                told.append(closed(when, name))
                talk += 1
            case _:
                talk += 1
    return sorted(told, key=_learnt)


def _learnt(event: Event[Any]) -> datetime:
    return event.recordedtime or event.time


class Asked(Struct):
    """A buyer message that nobody has answered yet. taken: the rungs that were told for it."""

    event: Event[Any]
    ack: bool = False
    human: bool = False
    bot_s: int | None = None
    taken: tuple[str, ...] = ()


class Obvious:
    """It walks through the seconds since START, keeps every message in one list, and counts open seconds one by one."""

    def __init__(self, policy: Policy, chat: list[Event[Any]]) -> None:
        self.policy = policy
        self.told: dict[int, list[Event[Any]]] = {second: [] for second in range(LENGTH_S)}
        for event in chat:
            self.told[(_learnt(event) - START) // SECOND].append(event)
        self.open = [self.is_open(second) for second in range(LENGTH_S)]
        self.waiting: list[Asked] = []
        self.cycle, self.agent, self.talk, self.named = 0, None, "", -1
        self.replied = -1
        self.transfers: list[int] = []
        self.firsts: list[str] = []
        self.replies: list[tuple[Any, ...]] = []
        self.rungs: list[tuple[Any, ...]] = []
        self.due: int | None = None
        self.fire: int | None = None

    def is_open(self, second: int) -> bool:
        day = TODAY if second < MIDNIGHT_S else TOMORROW
        other = [override.service for override in self.policy.calendar.days if override.day == day]
        minute = (23 * 60 + 52 + second // 60) % 1_440
        hours = other[0] if other and other[0] is not None else self.policy.calendar.service
        return any(minutes(window.start) <= minute < minutes(window.end) for window in hours)

    def worked(self, start: int, end: int) -> int:
        return sum(self.open[start:end]) * 1_000

    def run(self) -> "Obvious":
        for second in range(LENGTH_S):
            for event in self.told[second]:
                self.hear(event, (event.time - START) // SECOND)
                self.aim(second)
            if self.fire == second:
                self.climb(second)
                self.aim(second, climbed=True)
        return self

    def hear(self, event: Event[Any], second: int) -> None:
        match event.data:
            case MessageReceived(conversation_id=talk) as said:
                self.serve(talk, said.agent_id, second)
                if second < self.replied:
                    return
                if not self.waiting:
                    self.begin()
                self.waiting.append(Asked(event))
                self.waiting.sort(key=lambda one: one.event.time)
            case IntentDetected(message_id=message, intent=name):
                for one in self.waiting:
                    if one.event.data.message_id == message and self.second(one) == second:
                        one.ack, one.human = one.ack or name == "ack", one.human or name == "human"
            case Transferred(to_agent=agent, conversation_id=talk):
                self.serve(talk, agent, second)
                if self.waiting and second >= self.second(self.waiting[0]):
                    self.transfers.append(second)
            case ConversationClosed(conversation_id=talk):
                self.end([one for one in self.waiting if one.event.data.conversation_id == talk], second)
            case MessageSent(care_id=None, auto=True):
                asked = [one for one in self.waiting if self.second(one) <= second and one.bot_s is None]
                self.record(event, asked, second)
                for one in asked:
                    one.bot_s = second
            case MessageSent(care_id=None, conversation_id=talk, agent_id=agent):
                self.serve(talk, agent, second)
                self.replied = max(self.replied, second)
                asked = [one for one in self.waiting if self.second(one) <= second]
                self.record(event, [one for one in asked if self.is_for_a_human(one)], second)
                self.end(asked, second)

    def serve(self, talk: str, agent: str | None, second: int) -> None:
        named = agent not in (None, "bot")
        if second >= self.named and (named or talk != self.talk):
            self.agent, self.talk, self.named = agent if named else None, talk, second

    def begin(self) -> None:
        self.cycle += 1
        self.transfers = []

    def end(self, over: list[Asked], second: int) -> None:
        over = [one for one in over if self.second(one) <= second]
        self.waiting = [one for one in self.waiting if one not in over]
        if over and self.waiting:
            transfers = self.transfers
            self.begin()
            self.transfers = [one for one in transfers if one >= self.second(self.waiting[0])]

    def record(self, event: Event[Any], asked: list[Asked], second: int) -> None:
        if not asked:
            return
        first = ([one for one in asked if not one.ack] or asked)[0]
        start, talk, bot = self.second(first), first.event.data.conversation_id, event.data.auto
        last = max(self.transfers, default=-1)
        since = self.worked(last, second) if not bot and start <= last <= second else None
        is_first = not bot and talk != (self.firsts or [""])[-1]
        if not bot:
            self.firsts.append(talk)
        latency = self.worked(start, second)
        self.replies.append((second, talk, self.cycle, event.data.agent_id, bot, latency, is_first, since))

    def ladder(self) -> tuple[Asked, dict[str, int]] | None:
        """The first message that starts a ladder, and the rungs not yet taken: how much each is."""
        loud = [one for one in self.waiting if not one.ack and self.is_for_a_human(one)]
        open_later = [second for second in range(self.second(loud[0]), LENGTH_S) if self.open[second]] if loud else []
        if not open_later:
            return None
        day = TODAY if open_later[0] < MIDNIGHT_S else TOMORROW
        promo = [one.reply for one in self.policy.calendar.promo if one.first_day == day and one.reply]
        targets = promo[0] if promo else self.policy.reception.reply
        rungs = {"nudge": targets.nudge_s, "warn": targets.warn_s, "breach": targets.breach_s}
        taken = {level for one in self.waiting for level in one.taken}
        return loud[0], {level: rungs[level] * 1_000 for level in rungs if level not in taken}

    def aim(self, learnt: int, climbed: bool = False) -> None:
        """When the next rung is reached; what is learnt when that has passed is told LATE_TICK later."""
        ladder = self.ladder()
        due = None
        if ladder is not None and ladder[1]:
            start, least = self.second(ladder[0]), min(ladder[1].values())
            due = next((later for later in range(start, LENGTH_S) if self.worked(start, later) >= least), None)
        if climbed or due != self.due:
            self.fire = due if due is None or due > learnt else learnt + LATE_TICK // SECOND
        self.due = due

    def climb(self, second: int) -> None:
        ladder = self.ladder()
        assert ladder is not None
        first, rungs = ladder
        said: MessageReceived = first.event.data
        waited = self.worked(self.second(first), second)
        for level in (level for level, least in rungs.items() if waited >= least):
            first.taken += (level,)
            self.rungs.append((second, said.conversation_id, self.cycle, level, waited, said.message_id, self.agent))

    def is_for_a_human(self, one: Asked) -> bool:
        reception = self.policy.reception
        in_time = one.bot_s is not None and one.bot_s - self.second(one) <= reception.bot_answer_s
        return one.human or not (reception.bot_first and in_time)

    def second(self, one: Asked) -> int:
        return (one.event.time - START) // SECOND


def measured(policy: Policy, chat: list[Event[Any]]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The replies and the rungs of the reply clock, as the obvious one tells them."""
    told = story(reply_clock).under(policy).given(*chat).when_it_is(START + (LENGTH_S - 1) * SECOND)
    replies: list[tuple[Any, ...]] = []
    rungs: list[tuple[Any, ...]] = []
    for event in told.memory.log:
        second = (event.time - START) // SECOND
        match event.data:
            case ReplyRecorded() as it:
                measures = (it.latency_ms, it.first, it.since_transfer_ms)
                replies.append((second, it.conversation_id, it.cycle, it.agent_id, it.by_bot, *measures))
            case ReplyOverdue() as it:
                rungs.append((second, it.conversation_id, it.cycle, it.level, it.waited_ms, it.message_id, it.agent_id))
    return replies, rungs


def compare(seed: int) -> int:
    """One chat, told as it happens or some of it late; the number of replies and rungs."""
    chance = random.Random(seed)
    policy, chat = policy_of(chance), chat_of(chance, late=chance.choice((0, 0, 0.4)))
    obvious = Obvious(policy, chat).run()
    replies, rungs = measured(policy, chat)
    assert replies == obvious.replies, f"seed {seed}"
    assert rungs == obvious.rungs, f"seed {seed}"
    by_cycle = [(cycle, level) for _, _, cycle, level, *_ in rungs]
    assert len(by_cycle) == len(set(by_cycle)), f"seed {seed}: a rung is taken once a cycle"
    return len(replies) + len(rungs)


def test_the_reply_clock_equals_one_that_counts_every_second() -> None:
    found = [compare(seed) for seed in QUICK]
    assert sum(found) > 4 * len(found), "chats in which something happens"


@pytest.mark.long
def test_the_reply_clock_equals_one_that_counts_every_second_in_as_many_chats_again() -> None:
    found = [compare(seed) for seed in ALL]
    assert sum(found) > 4 * len(found), "chats in which something happens"
