"""One cause through one story: when its tick fires, what is folded, what is refused."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import Struct, structs

from schemas.care import CareSuppressed
from schemas.commands.care_notifier import CancelCare
from schemas.envelope import Actor, Command, Event, Rejected
from schemas.order import OrderPaid, OrderPlaced
from services.kernel.policy import default_policy, digest
from services.kernel.process import (
    LATE_TICK,
    MAX_TICKS,
    Emit,
    PolicyInForce,
    Process,
    Slot,
    StuckTick,
    beginning,
    fire_before,
    handle,
    process_of,
    with_due,
)
from services.replay.given import at, event
from tests.examples import reminder

REMINDER = process_of(reminder)
FORCE = PolicyInForce(default_policy(), digest(default_policy()))
AFTER = timedelta(seconds=default_policy().care.kinds.unpaid_soft.after_s)


class Heard(Struct, frozen=True):
    """A state that nothing changes."""


def cancel(care: str, command_id: str) -> Command[CancelCare]:
    return Command(command_id=command_id, shop="s1", actor=Actor(id="a1", role="agent"), data=CancelCare(care_id=care))


PLACED = OrderPlaced(order_id="o1", platform="taobao", shop_kind="c_shop", lines=(), total_fen=1, postage_fen=0)


def blank(process: Process = REMINDER) -> Slot:
    return beginning(process, "s1", "b1", "b1")


def read(data: Any, when: str, seq: int = 1) -> Event[Any]:
    return structs.replace(event(data, when), id=f"e{seq}", seq=seq)


def test_a_due_ahead_fires_at_itself_and_one_that_has_passed_five_seconds_after_it_was_learnt() -> None:
    placed = read(PLACED, "10:00:00")
    ahead = handle(REMINDER, blank(), placed, at("10:00:00"), FORCE).slot
    passed = handle(REMINDER, blank(), placed, at("12:00:00"), FORCE).slot
    assert ahead.due == passed.due == at("10:00:00") + AFTER
    assert ahead.fire == at("10:00:00") + AFTER
    assert passed.fire == at("12:00:00") + LATE_TICK


def test_a_late_tick_is_not_put_off_by_what_comes_meanwhile() -> None:
    late = handle(REMINDER, blank(), read(PLACED, "10:00:00"), at("12:00:00"), FORCE).slot
    other = read(OrderPaid(order_id="o2", paid_fen=1), "12:00:03", 2)
    assert handle(REMINDER, late, other, at("12:00:03"), FORCE).slot.fire == at("12:00:00") + LATE_TICK


def test_a_tick_at_an_inputs_own_instant_is_left_for_after_it() -> None:
    slot = handle(REMINDER, blank(), read(PLACED, "10:00:00"), at("10:00:00"), FORCE).slot
    assert slot.fire is not None
    assert fire_before(REMINDER, slot, slot.fire, FORCE).events == ()
    fired = fire_before(REMINDER, slot, slot.fire + timedelta(microseconds=1), FORCE)
    assert [one.time for one in fired.events] == [slot.fire]


def test_a_rejected_command_changes_nothing() -> None:
    slot = handle(REMINDER, blank(), read(PLACED, "10:00:00"), at("10:00:00"), FORCE).slot
    outcome = handle(REMINDER, slot, cancel("b1:x", "c1"), at("10:01:00"), FORCE)
    assert outcome.rejected is not None
    assert (outcome.slot, outcome.events) == (slot, ())


def test_an_own_event_that_was_never_folded_is_folded_when_it_is_read_and_decides_nothing() -> None:
    """After a restore the log is ahead of the rows."""
    paid = read(OrderPaid(order_id="o1", paid_fen=1), "10:00:00")
    made = handle(REMINDER, blank(), paid, at("10:00:00"), FORCE)
    (own,) = made.events
    restored = structs.replace(made.slot, decided=0, state=reminder.Reminder(spent_fen=1), inputs=1)
    outcome = handle(REMINDER, restored, structs.replace(own, seq=2), at("10:00:00"), FORCE)
    assert outcome.events == ()
    assert outcome.slot.state == made.slot.state
    assert (outcome.slot.decided, outcome.slot.reread) == (1, 1)


def test_with_due_asks_the_process_anew() -> None:
    slot = handle(REMINDER, blank(), read(PLACED, "10:00:00"), at("10:00:00"), FORCE).slot
    paid = structs.replace(slot, state=reminder.Reminder())
    assert with_due(REMINDER, paid, at("10:05:00"), FORCE).fire is None


def restless(**parts: Any) -> Process:
    """Always due, at the instant of its last input."""
    given = {
        "name": "restless",
        "version": 1,
        "state": Heard,
        "key": lambda item: "k",
        "evolve": lambda state, item: state,
        "decide": lambda state, cause, now, policy: (),
        "due": lambda state, policy: at("10:00:00"),
    }
    return Process(**(given | parts))


def test_a_tick_that_decides_nothing_and_stays_due_is_stuck() -> None:
    slot = handle(restless(), blank(), read(PLACED, "09:00:00"), at("09:00:00"), FORCE).slot
    with pytest.raises(StuckTick, match="changed nothing and is still due"):
        fire_before(restless(), slot, at("11:00:00"), FORCE)


def test_a_story_that_never_comes_to_rest_is_stuck() -> None:
    def suppress(state: Any, cause: Any, now: datetime, policy: Any) -> Iterable[Any]:
        if not isinstance(cause, Event):
            yield CareSuppressed(care_id="c", kind="payment_thanks", reason="cap")

    process = restless(decide=suppress, key=lambda event: event.buyer)
    slot = handle(process, blank(), read(PLACED, "09:00:00"), at("09:00:00"), FORCE).slot
    end = at("10:00:00") + MAX_TICKS * LATE_TICK + timedelta(hours=1)
    with pytest.raises(StuckTick, match=f"more than {MAX_TICKS} ticks"):
        fire_before(process, slot, end, FORCE)


def test_a_tick_that_only_tells_another_lane_and_stays_due_is_stuck() -> None:
    """It would fire every 5 s with the same id, for ever."""

    def tell(state: Any, cause: Any, now: datetime, policy: Any) -> Iterable[Any]:
        if not isinstance(cause, Event):
            yield Emit(data=CareSuppressed(care_id="c", kind="payment_thanks", reason="cap"), buyer="another")

    process = restless(decide=tell, key=lambda event: event.buyer)
    slot = handle(process, blank(), read(PLACED, "09:00:00"), at("09:00:00"), FORCE).slot
    with pytest.raises(StuckTick, match="changed nothing and is still due"):
        fire_before(process, slot, at("11:00:00"), FORCE)


@pytest.mark.parametrize("before", [0, 1])
def test_only_a_command_alone_may_be_rejected(before: int) -> None:
    def muddled(state: Any, cause: Any, now: datetime, policy: Any) -> Iterable[Any]:
        yield from [CareSuppressed(care_id="c", kind="payment_thanks", reason="cap")] * before
        yield Rejected(code="closed", message="no")

    cause = cancel("b1:x", "c1") if before else read(PLACED, "10:00:00")
    with pytest.raises(TypeError, match="only a command can be rejected"):
        handle(restless(decide=muddled), blank(), cause, at("10:00:00"), FORCE)
