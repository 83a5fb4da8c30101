"""What holds for every process, whatever comes in: state = fold(log), the same again, ids, bases, lanes."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs

from schemas.care import CareSuppressed
from schemas.commands.care_notifier import CancelCare
from schemas.envelope import Actor, Command, Event
from schemas.order import OrderPaid
from services.kernel.policy import default_policy, digest
from services.kernel.process import (
    Emit,
    PolicyInForce,
    Process,
    Slot,
    beginning,
    fire_before,
    handle,
    process_of,
    story_of,
)
from services.kernel.refold import fold
from services.kernel.service import Service
from services.replay.given import at, event
from services.replay.memory import Memory
from tests.examples import reminder
from tests.examples.services import FACTS, REMIND

REMINDER = process_of(reminder)
FORCE = PolicyInForce(default_policy(), digest(default_policy()))
LONG_AFTER = at("23:59:59")


class Move(Struct, frozen=True):
    """Some seconds pass; then a fact of some minutes ago is pushed, perhaps twice in one message, or a care is
    called off.
    """

    seconds: int
    fact: str
    order: int
    minutes_ago: int
    twice: bool


MOVE = st.builds(
    Move,
    seconds=st.sampled_from([0, 1, 5, 600, 1_800, 1_801]),
    fact=st.sampled_from(["placed", "placed", "paid", "closed", "reviewed", "cancel"]),
    order=st.integers(1, 4),
    minutes_ago=st.sampled_from([0, 0, 29, 30, 31, 180]),
    twice=st.booleans(),
)
MOVES = st.lists(MOVE, max_size=14)


def played(moves: Iterable[Move], times: int = 1) -> Memory:
    """The example services after these moves (each pushed so many times) and a long quiet."""
    memory, now = Memory([FACTS, REMIND]), at("00:00:00")
    for number, move in enumerate(moves):
        now += timedelta(seconds=move.seconds)
        buyer = f"b{move.order % 2}"
        if move.fact == "cancel":
            care = f"{buyer}:payment_thanks:o{move.order}"
            memory.command("ex_remind", "cancel_care", cancel(care, f"c{number}"), now)
            continue
        fact = {
            "fact": move.fact,
            "order_id": f"o{move.order}",
            "buyer": buyer,
            "time": now - timedelta(minutes=move.minutes_ago),
            "amount_fen": move.order,
            "id": "r1",
            "score": 1,
        }
        for _ in range(times):
            memory.publish("shop", "s1", "order", [fact, fact] if move.twice else [fact], now)
    memory.advance(LONG_AFTER)
    return memory


def cancel(care: str, command_id: str) -> Command[CancelCare]:
    return Command(command_id=command_id, shop="s1", actor=Actor(id="a1", role="agent"), data=CancelCare(care_id=care))


def stories(memory: Memory) -> list[Slot]:
    return [slot for key, slot in memory.slots.items() if key[0] == REMINDER.name]


def lane(memory: Memory, slot: Slot) -> list[Event[Any]]:
    return [one for one in memory.log if (one.shop, one.buyer) == (slot.shop, slot.buyer)]


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_a_state_is_the_fold_of_its_lane_of_the_log(moves: list[Move]) -> None:
    memory = played(moves)
    for slot in stories(memory):
        blank = structs.replace(beginning(REMINDER, slot.shop, slot.buyer, slot.key), decided=slot.decided)
        again = fold(REMINDER, blank, lane(memory, slot), [], len(memory.messages))
        assert (again.state, again.inputs, again.basis) == (slot.state, slot.inputs, slot.basis)


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_a_process_that_reads_the_log_later_decides_the_same(moves: list[Move]) -> None:
    """Commands are not in the log; what they decided is there to be folded, so without them only."""
    memory = played(move for move in moves if move.fact != "cancel")
    for slot in stories(memory):
        later, decided = beginning(REMINDER, slot.shop, slot.buyer, slot.key), list[Event[Any]]()
        for one in lane(memory, slot):
            if story_of(REMINDER, one) == (slot.shop, slot.buyer, slot.key):
                assert one.recordedtime is not None
                ticked = fire_before(REMINDER, later, one.recordedtime, FORCE)
                outcome = handle(REMINDER, ticked.slot, one, one.recordedtime, FORCE)
                later = outcome.slot
                decided += ticked.events + outcome.events
        assert later == slot
        own = [one for one in lane(memory, slot) if one.source == REMINDER.source]
        assert decided == [structs.replace(one, seq=0, recordedtime=None) for one in own]


@settings(max_examples=30, deadline=None)
@given(MOVES)
def test_the_same_inputs_give_the_same_log_to_the_byte(moves: list[Move]) -> None:
    assert played(moves).messages == played(moves).messages


@settings(max_examples=30, deadline=None)
@given(MOVES)
def test_a_feed_said_again_adds_nothing(moves: list[Move]) -> None:
    once, twice = played(moves), played(moves, times=2)
    shown = [(one.data, one.time, one.buyer) for one in once.log]
    assert [(one.data, one.time, one.buyer) for one in twice.log] == shown


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_ids_are_unique_ordinals_count_and_bases_lie_before(moves: list[Move]) -> None:
    memory = played(moves)
    assert len({one.id for one in memory.log}) == len(memory.log)
    places: dict[tuple[str, str, str], list[int]] = {}
    for one in memory.log:
        places.setdefault((one.source, one.buyer, one.causationid), []).append(one.ordinal)
        stream, _, number = one.basis.rpartition(":")
        limit = len(memory.inbox) + 1 if stream == "in" else one.seq
        assert stream in ("", "in")
        assert 0 <= int(number) < limit
    assert all(ordinals == list(range(len(ordinals))) for ordinals in places.values())


@settings(max_examples=30, deadline=None)
@given(MOVES)
def test_every_own_event_is_read_back_once_and_nothing_stays_due(moves: list[Move]) -> None:
    memory = played(moves)
    assert memory.parked == []
    assert [slot.due for slot in stories(memory) if slot.due] == []
    assert all(slot.reread == slot.decided for slot in stories(memory))


class Heard(Struct, frozen=True):
    """What a lane has heard: of its own payments, and of those that the other buyer's lane told it of."""

    paid: int = 0
    told: int = 0


def gossip() -> Process:
    """Tells the lane of b2 of every payment; keyed by buyer, its own events included."""

    def evolve(heard: Heard, item: Event[Any]) -> Heard:
        if isinstance(item.data, OrderPaid):
            return structs.replace(heard, paid=heard.paid + 1)
        return structs.replace(heard, told=heard.told + 1)

    def decide(heard: Heard, cause: Any, now: datetime, policy: Any) -> Iterable[Any]:
        if isinstance(cause, Event) and isinstance(cause.data, OrderPaid):
            note = CareSuppressed(care_id=cause.data.order_id, kind="payment_thanks", reason="cap")
            yield Emit(data=note, buyer="b2")

    return Process(
        name="gossip",
        version=1,
        state=Heard,
        key=lambda item: item.buyer if isinstance(item.data, OrderPaid | CareSuppressed) else None,
        evolve=evolve,
        decide=decide,
        due=lambda heard, policy: None,
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["b1", "b2", "b3"]), max_size=10))
def test_an_event_for_another_lane_is_folded_there_and_not_at_home(buyers: list[str]) -> None:
    process = gossip()
    memory = Memory([Service(name="gossip", processes=[process])])
    for number, buyer in enumerate(buyers):
        memory.append(event(OrderPaid(order_id=f"o{number}", paid_fen=1), buyer=buyer), at("10:00:00"))
    for buyer in ("b1", "b2", "b3"):
        told = len(buyers) if buyer == "b2" else 0
        assert memory.state("gossip", "s1", buyer, buyer) == Heard(paid=buyers.count(buyer), told=told)
        slot = memory.slots[("gossip", "s1", buyer, buyer)]
        again = fold(process, structs.replace(slot, state=None), lane(memory, slot), [], len(memory.messages))
        assert (again.state, again.inputs) == (slot.state, slot.inputs)


def test_a_fold_takes_no_more_own_events_than_the_row_has_decided() -> None:
    """The log may be ahead of a row that was restored from a backup."""
    memory = played([Move(seconds=1, fact="paid", order=1, minutes_ago=0, twice=False)])
    (slot,) = stories(memory)
    behind = fold(REMINDER, structs.replace(slot, decided=0), lane(memory, slot), [], len(memory.messages))
    assert (slot.decided, behind.inputs) == (1, slot.inputs - 1)
    assert behind.state == structs.replace(slot.state, proposed=frozenset())


def test_a_fold_takes_own_events_that_are_not_yet_in_the_log() -> None:
    memory = played([Move(seconds=1, fact="paid", order=1, minutes_ago=0, twice=False)])
    (slot,) = stories(memory)
    *logged, own = lane(memory, slot)
    assert own.source == REMINDER.source
    again = fold(REMINDER, structs.replace(slot, state=None), logged, [own], len(memory.messages))
    assert (again.state, again.inputs) == (slot.state, slot.inputs)
