"""The in-memory runner: its log, its time, its order. What it shares with the live loop is in tests/conformance."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import Struct, structs

from schemas.agent import AgentResumed, AgentSignedOut
from schemas.codec import EncodeError
from schemas.commands.care_notifier import CancelCare
from schemas.envelope import Actor, Command, Event
from schemas.order import OrderClosed, OrderPaid, OrderPlaced
from schemas.subjects import NO_BUYER
from schemas.subjects import event as event_subject
from services.kernel.policy import changed, default_policy, load
from services.kernel.process import Emit, Process, Tick
from services.kernel.service import Service
from services.replay.given import at, event
from services.replay.memory import INSTANT, Memory
from tests.examples import reminder
from tests.examples.services import ENDS, FACTS, REMIND

CARE = "b1:payment_thanks:o1"
AFTER = timedelta(seconds=default_policy().care.kinds.unpaid_soft.after_s)
PLACED = OrderPlaced(order_id="o1", platform="taobao", shop_kind="c_shop", lines=(), total_fen=1, postage_fen=0)


def said(fact: str, when: str = "10:00:00", **more: Any) -> dict[str, Any]:
    return {"fact": fact, "order_id": "o1", "buyer": "b1", "time": at(when), "amount_fen": 100, **more}


def cancel(care: str = CARE, command_id: str = "c1") -> Command[CancelCare]:
    return Command(command_id=command_id, shop="s1", actor=Actor(id="a1", role="agent"), data=CancelCare(care_id=care))


def types(memory: Memory) -> list[str]:
    return [one.data.TYPE for one in memory.log]


def test_sequences_count_from_one_and_recordedtime_is_the_virtual_present() -> None:
    memory = Memory([FACTS, REMIND])
    memory.publish("shop", "s1", "order", said("paid"), at("10:00:01"))
    assert [(one.seq, one.data.TYPE, one.recordedtime) for one in memory.log] == [
        (1, "order.paid", at("10:00:01")),
        (2, "care.proposed", at("10:00:01")),
    ]


def test_services_run_in_their_order_until_all_is_quiet() -> None:
    for services in ([FACTS, REMIND], [REMIND, FACTS]):
        memory = Memory(services)
        memory.publish("shop", "s1", "order", [said("paid"), said("closed")], at("10:00:01"))
        assert types(memory) == ["order.paid", "order.closed", "care.proposed"]


def test_what_a_tick_decides_has_its_instant_and_is_recorded_a_microsecond_later() -> None:
    memory = Memory([REMIND])
    memory.append(event(PLACED), at("10:00:00"))
    assert memory.next_due == at("10:00:00") + AFTER
    memory.advance(at("10:00:00") + AFTER)
    assert (memory.log[-1].time, memory.log[-1].recordedtime) == (
        at("10:00:00") + AFTER,
        at("10:00:00") + AFTER + INSTANT,
    )
    assert memory.next_due is None


def test_time_never_goes_back() -> None:
    memory = Memory([FACTS])
    memory.publish("shop", "s1", "order", said("paid"), at("10:00:00"))
    memory.publish("shop", "s1", "order", said("closed"), at("09:00:00"))
    memory.advance(at("08:00:00"))
    assert [one.recordedtime for one in memory.log] == [at("10:00:00")] * 2
    assert memory.now == at("10:00:00")


def test_a_publication_without_an_instant_is_of_the_present() -> None:
    memory = Memory([FACTS], start=at("10:00:00"))
    memory.publish("shop", "s1", "order", said("paid"))
    assert memory.log[0].recordedtime == at("10:00:00")


def test_messages_are_kept_as_the_bytes_that_a_stream_would_hold() -> None:
    memory = Memory([FACTS])
    memory.publish("shop", "店 1", "order", said("paid"), at("10:00:00"))
    assert memory.inbox[0].subject.startswith("inbox.")
    assert memory.messages[0].subject == event_subject("店 1", "b1", "order")
    assert msgspec.json.decode(memory.messages[0].payload)["shop"] == "店 1"


def test_an_event_that_no_reader_could_take_is_refused_and_logged_nowhere() -> None:
    memory = Memory([REMIND])
    with pytest.raises(EncodeError, match="reason"):
        memory.append(event(OrderClosed(order_id="o1", reason="\0", paid=False)))
    assert memory.messages == []


def test_bytes_that_are_no_event_take_a_sequence_and_are_in_no_log() -> None:
    memory = Memory([REMIND])
    memory.put(event_subject("s1", "b1", "order"), b"{}", at("10:00:00"))
    memory.append(event(PLACED, buyer="b2"))
    assert [one.seq for one in memory.log] == [2]


def test_projections_do_not_run_here() -> None:
    memory = Memory([ENDS, REMIND])
    memory.append(event(OrderPaid(order_id="o1", paid_fen=1)))
    assert types(memory) == ["order.paid", "care.proposed"]
    with pytest.raises(KeyError, match="ex_ends"):
        memory.command("ex_ends", "x", cancel())


def test_a_story_to_which_nothing_has_happened_is_at_its_beginning() -> None:
    memory = Memory([REMIND])
    assert memory.state("reminder", "s1", "b1", "b1") == reminder.Reminder()
    with pytest.raises(KeyError, match="nobody"):
        memory.state("nobody", "s1", "b1", "b1")


def test_a_policy_may_be_given_for_all_shops() -> None:
    memory = Memory([REMIND], policy=load([("shop", b"[care.kinds.unpaid_soft]\nafter_s = 60")]))
    memory.append(event(PLACED), at("10:00:00"))
    assert memory.next_due == at("10:01:00")


def test_a_policy_change_of_another_shop_leaves_a_due_where_it_is() -> None:
    memory = Memory([REMIND])
    memory.append(event(PLACED), at("10:00:00"))
    shorter = changed("s2", load([("shop", b"[care.kinds.unpaid_soft]\nafter_s = 60")]), None, 1)
    memory.append(event(shorter, shop="s2", buyer=NO_BUYER))
    assert memory.slots["reminder", "s1", "b1", "b1"].fire == at("10:00:00") + AFTER


def test_senders_are_told_of_what_was_refused() -> None:
    memory = Memory([FACTS])
    memory.publish("shop", "s1", "order", [{"fact": "dreamt"}], at("10:00:00"))
    assert [(told.source, told.inbox_seq) for told in memory.notices] == [("shop", 1)]
    assert types(memory) == ["ops.message_refused"]


def test_a_refused_fact_plays_when_its_source_is_mended() -> None:
    sources = dict(FACTS.sources)
    memory = Memory([structs.replace(FACTS, sources=sources)])
    translate = sources["shop"]
    sources["shop"] = lambda raw: [][0]
    memory.publish("shop", "s1", "order", [said("paid"), said("closed")], at("10:00:00"))
    sources["shop"] = translate
    memory.retry(memory.parked[0])
    assert types(memory) == ["ops.message_refused", "order.paid", "order.closed"]
    assert memory.parked == []


class Alarm(Struct, frozen=True):
    """Rings once, a minute after the first order is placed; counts what it hears."""

    rings: datetime | None = None
    heard: tuple[str, ...] = ()


def alarm(name: str) -> Process:
    """Each rings for buyer b1 and hears the closings of the other."""

    def evolve(state: Alarm, item: Event[Any]) -> Alarm:
        match item.data:
            case OrderPlaced():
                return structs.replace(state, rings=item.time + timedelta(minutes=1))
            case OrderClosed(reason=reason) if reason == name:
                return structs.replace(state, rings=None, heard=(*state.heard, "own"))
            case _:
                return structs.replace(state, heard=(*state.heard, "other"))

    def decide(state: Alarm, cause: Any, now: datetime, policy: Any) -> Iterable[Any]:
        if isinstance(cause, Tick):
            yield OrderClosed(order_id=f"heard {len(state.heard)}", reason=name, paid=False)

    return Process(
        name=name,
        version=1,
        state=Alarm,
        key=lambda item: item.buyer,
        evolve=evolve,
        decide=decide,
        due=lambda state, policy: state.rings,
    )


def test_all_ticks_of_an_instant_fire_before_anything_that_they_decide_is_read() -> None:
    memory = Memory([Service(name=name, processes=[alarm(name)]) for name in ("left", "right")])
    memory.append(event(PLACED), at("10:00:00"))
    memory.advance(at("10:01:00"))
    assert [one.data.order_id for one in memory.log] == ["o1", "heard 0", "heard 0"]
    assert memory.state("left", "s1", "b1", "b1").heard == ("own", "other")
    assert memory.state("right", "s1", "b1", "b1").heard == ("own", "other")


def test_what_a_tick_tells_another_service_is_handled_before_the_next_instant() -> None:
    def relay(state: Any, cause: Any, now: datetime, policy: Any) -> Iterable[Any]:
        if isinstance(cause, Event) and cause.data.TYPE == "order.closed":
            yield Emit(data=OrderPaid(order_id=cause.data.order_id, paid_fen=1), buyer="b2")

    echo = structs.replace(
        alarm("echo"),
        decide=relay,
        evolve=lambda state, item: state,
        due=lambda state, policy: None,
    )
    memory = Memory([Service(name=one.name, processes=[one]) for one in (echo, alarm("left"))])
    memory.append(event(PLACED), at("10:00:00"))
    memory.append(event(PLACED, buyer="b3", at="10:00:30"), at("10:00:30"))
    memory.advance(at("11:00:00"))
    assert [(one.data.TYPE, one.buyer) for one in memory.log[2:]] == [
        ("order.closed", "b1"),
        ("order.paid", "b2"),
        ("order.closed", "b3"),
        ("order.paid", "b2"),
    ]


class Count(Struct, frozen=True):
    seen: int = 0


def counting(name: str, key: Any, broken: set[str]) -> Process:
    """Counts what it hears; raises about an agent that is broken."""

    def decide(state: Count, cause: Any, now: datetime, policy: Any) -> Iterable[Any]:
        if cause.data.agent_id in broken:
            raise LookupError(cause.data.agent_id)
        return ()

    return Process(
        name=name,
        version=1,
        state=Count,
        key=key,
        evolve=lambda state, item: Count(state.seen + 1),
        decide=decide,
        due=lambda state, policy: None,
    )


def test_without_a_buyer_the_keys_of_a_parked_message_wait_and_those_that_share_one_with_what_waits() -> None:
    broken = {"a1"}
    by_agent = counting("by_agent", lambda item: item.data.agent_id, broken)
    by_shop = counting("by_shop", lambda item: "shop" if isinstance(item.data, AgentSignedOut) else None, broken)
    memory = Memory([Service(name="desk", processes=[by_agent, by_shop])])

    def seen() -> list[int]:
        agents = [memory.state("by_agent", "s1", NO_BUYER, agent).seen for agent in ("a1", "a2", "a3")]
        return [*agents, memory.state("by_shop", "s1", NO_BUYER, "shop").seen]

    for data in (
        AgentSignedOut(agent_id="a1", main_account="m1"),  # fails: a1 and the shop wait
        AgentSignedOut(agent_id="a2", main_account="m1"),  # waits for the shop: now a2 waits too
        AgentResumed(agent_id="a2", main_account="m1"),
        AgentResumed(agent_id="a3", main_account="m1"),  # concerns nobody who waits
    ):
        memory.append(event(data, buyer=NO_BUYER))
    assert seen() == [0, 0, 1, 0]
    broken.clear()
    memory.retry(memory.parked[0])
    assert (seen(), memory.parked) == ([1, 2, 1, 2], [])
