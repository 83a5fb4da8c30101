"""Conversation: each chat message once, in the conversation to which its time belongs (domain.md 1, 3)."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.chat import ConversationOpened, MessageRecalled, MessageReceived, MessageSent
from services.chat_ingest import conversation
from services.chat_ingest.conversation import REMEMBERED
from services.chat_ingest.facts import BuyerWrote, ShopWrote, TakenBack
from services.kernel.policy import default_policy
from services.kernel.process import Emit, Fact
from services.replay.given import at, fact
from services.replay.story import BUYER, Story, story

IDLE = timedelta(minutes=default_policy().reception.conversation_idle_minutes)
START = at("10:00:00")
SHORTLY = IDLE - timedelta(seconds=1)


def wrote(text: str, when: datetime | str, *, message_id: str = "m1", recorded: datetime | None = None) -> Fact[Any]:
    return fact(BuyerWrote(message_id=message_id, text=text), when, recorded=recorded, buyer=BUYER)


def answered(text: str, when: datetime | str, **more: Any) -> Fact[Any]:
    return fact(ShopWrote(message_id="m1", text=text, agent_id="shop:lin", **more), when, buyer=BUYER)


def talks(told: Story) -> list[list[str]]:
    """The texts of each conversation, in the order in which the conversations were opened."""
    found: dict[str, list[str]] = {}
    for event in told.memory.log:
        match event.data:
            case ConversationOpened(conversation_id=name):
                assert name not in found, "opened twice"
                found[name] = []
            case MessageReceived() | MessageSent() as said:
                found[said.conversation_id].append(said.text)
    return list(found.values())


def test_the_first_message_opens_a_conversation_of_its_channel_at_its_own_time() -> None:
    said = fact(BuyerWrote(message_id="m1", text="在吗", channel="feige", sku="k1"), START, buyer=BUYER)
    told = story(conversation).when(said)
    name = told.memory.log[0].data.conversation_id
    told.then(
        Emit(data=ConversationOpened(conversation_id=name, channel="feige"), time=START, buyer=BUYER),
        Emit(
            data=MessageReceived(message_id="m1", conversation_id=name, text="在吗", sku="k1"), time=START, buyer=BUYER
        ),
    )


def test_a_message_within_the_pause_goes_on_and_one_after_it_opens_a_new_conversation() -> None:
    told = story(conversation).given(wrote("a", START), wrote("b", START + SHORTLY), wrote("c", START + SHORTLY + IDLE))
    assert talks(told) == [["a", "b"], ["c"]]


def test_the_pause_is_a_number_of_the_policy() -> None:
    policy = default_policy()
    shorter = replace(policy, reception=replace(policy.reception, conversation_idle_minutes=1))
    told = story(conversation).under(shorter).given(wrote("a", START), wrote("b", START + timedelta(minutes=1)))
    assert talks(told) == [["a"], ["b"]]


def test_what_the_shop_says_first_opens_a_conversation_too() -> None:
    told = story(conversation).given(answered("亲,您的包裹到了", "10:00:00"), wrote("好的", "10:01:00"))
    assert talks(told) == [["亲,您的包裹到了", "好的"]]


def test_a_message_told_twice_counts_once() -> None:
    story(conversation).given(wrote("a", START), answered("b", "10:00:05")).when(
        wrote("a", START, recorded=at("18:00:00")), answered("b", "10:00:05")
    ).then()


def test_a_message_id_used_again_for_another_text_or_time_is_another_message() -> None:
    told = story(conversation).given(wrote("a", "10:00:00"), wrote("b", "10:00:00"), wrote("a", "10:00:01"))
    assert talks(told) == [["a", "b", "a"]]


def test_the_same_words_of_both_sides_are_two_messages() -> None:
    told = story(conversation).given(wrote("好的", "10:00:00"), answered("好的", "10:00:00"))
    assert talks(told) == [["好的", "好的"]]


def test_a_recall_is_told_once_and_may_name_no_message() -> None:
    told = story(conversation).given(wrote("a", "10:00:00"))
    name = told.memory.log[0].data.conversation_id
    recall = fact(TakenBack(by="buyer"), "10:00:30", buyer=BUYER)
    told.when(recall, recall).then(
        Emit(data=MessageRecalled(conversation_id=name, by="buyer"), time=at("10:00:30"), buyer=BUYER)
    )


def test_a_late_message_goes_to_the_conversation_in_which_it_was_said() -> None:
    told = story(conversation).given(
        wrote("a", "08:00:00"), wrote("c", "12:00:00"), wrote("b", "08:10:00", recorded=at("12:00:05"))
    )
    assert talks(told) == [["a", "b"], ["c"]]


def test_a_late_message_between_two_conversations_belongs_to_the_earlier_and_joins_nothing() -> None:
    told = story(conversation).given(wrote("a", "10:00:00"), wrote("c", "10:50:00"), wrote("b", "10:25:00"))
    assert talks(told) == [["a", "b"], ["c"]]


def test_a_late_message_said_where_nothing_is_known_has_a_conversation_of_its_own() -> None:
    told = story(conversation).given(
        wrote("now", "10:00:00"), wrote("long ago", START - timedelta(days=365), recorded=at("10:00:05"))
    )
    assert talks(told) == [["now"], ["long ago"]]


def test_an_import_of_last_years_chats_is_remembered_as_long_as_todays() -> None:
    year_ago = START - timedelta(days=365)
    told = story(conversation).given(
        wrote("a", year_ago, recorded=START), wrote("b", year_ago + SHORTLY, recorded=START)
    )
    assert talks(told) == [["a", "b"]]
    told.when(wrote("a", year_ago, recorded=START + REMEMBERED)).then()


def test_memory_is_bounded() -> None:
    told = story(conversation).given(
        *(wrote("a", START + day * timedelta(days=1)) for day in range(2 * REMEMBERED.days))
    )
    kept = told.memory.state("conversation", "s1", "-", BUYER)
    assert len(kept.spans) == len(kept.learnt) == REMEMBERED.days + 1


def test_two_buyers_have_nothing_in_common() -> None:
    other = fact(BuyerWrote(message_id="m1", text="a"), START, buyer="b2")
    told = story(conversation).given(wrote("a", START), other)
    assert talks(told) == [["a"], ["a"]]


def test_the_bot_is_automatic_whether_it_is_said_or_not() -> None:
    said = fact(ShopWrote(message_id="m1", text="您好", agent_id="bot"), START, buyer=BUYER)
    told = story(conversation).given(said)
    assert told.memory.log[-1].data.auto is True


def test_the_name_of_a_conversation_tells_nothing_and_does_not_depend_on_when_it_is_learnt() -> None:
    early, late = story(conversation).given(wrote("a", START)), story(conversation).given(wrote("x", "06:00:00"))
    late.given(wrote("a", START, recorded=at("20:00:00")))
    name = early.memory.log[0].data.conversation_id
    assert name == late.memory.log[-1].data.conversation_id
    assert BUYER not in name


facts = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from("abc"), st.booleans()), min_size=1, max_size=12, unique=True
)


@settings(max_examples=60, deadline=None)
@given(said=facts, data=st.data())
def test_in_any_order_and_however_often_each_message_is_told_once(said: list[Any], data: st.DataObject) -> None:
    order = data.draw(st.permutations(said + data.draw(st.lists(st.sampled_from(said), max_size=8))))
    told = story(conversation).given(*(_said(one) for one in order))
    events = [e for e in told.memory.log if isinstance(e.data, MessageReceived | MessageSent)]
    assert sorted((e.time, e.data.text, e.data.TYPE) for e in events) == sorted(
        (fact.time, fact.data.text, fact.data.TYPE) for fact in map(_said, said)
    )
    times: dict[str, list[datetime]] = {}
    for event in events:
        times.setdefault(event.data.conversation_id, []).append(event.time)
    for one in times.values():
        one.sort()
        assert all(later - earlier < IDLE for earlier, later in pairwise(one)), "a pause within"


@settings(max_examples=40, deadline=None)
@given(said=facts)
def test_in_the_order_of_time_conversations_are_what_the_pauses_cut(said: list[Any]) -> None:
    said = sorted(said)
    told = story(conversation).given(*(_said(one) for one in said))
    cut: list[list[str]] = []
    last = None
    for minutes, text, _ in said:
        if last is None or timedelta(minutes=minutes - last) >= IDLE:
            cut.append([])
        cut[-1].append(text)
        last = minutes
    assert talks(told) == cut


def _said(one: tuple[int, str, bool]) -> Fact[Any]:
    minutes, text, by_buyer = one
    when = START + timedelta(minutes=minutes)
    return wrote(text, when) if by_buyer else answered(text, when)
