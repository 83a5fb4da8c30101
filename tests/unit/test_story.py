"""`story`: what it compares, and what its failures say."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import Struct, structs

from schemas.care import CareProposed, CareSuppressed
from schemas.commands.care_notifier import CancelCare
from schemas.envelope import Event
from schemas.order import OrderClosed, OrderPaid, OrderPlaced
from services.kernel.policy import default_policy, load
from services.kernel.process import Emit, Process, Tick, process_of
from services.replay.story import at, command, event, fact, story
from tests.examples import order_facts, reminder

SOFT = default_policy().care.kinds.unpaid_soft
THANKS = default_policy().care.kinds.payment_thanks


def placed(when: str, order: str = "o1") -> Event[Any]:
    data = OrderPlaced(order_id=order, platform="taobao", shop_kind="c_shop", lines=(), total_fen=100, postage_fen=0)
    return event(data, at=when)


def paid(when: str, order: str = "o1") -> Event[Any]:
    return event(OrderPaid(order_id=order, paid_fen=100), at=when)


def thanks(when: datetime, order: str = "o1") -> CareProposed:
    return CareProposed(
        care_id=f"b1:payment_thanks:{order}",
        kind="payment_thanks",
        order_id=order,
        marketing=False,
        template="payment_thanks",
        not_before=when,
        expires_at=when + timedelta(seconds=THANKS.expires_s),
    )


def soft(when: datetime, order: str = "o1") -> CareProposed:
    return CareProposed(
        care_id=f"unpaid_soft:{order}",
        kind="unpaid_soft",
        order_id=order,
        marketing=False,
        template="unpaid_soft",
        not_before=when,
        expires_at=when + timedelta(seconds=SOFT.expires_s),
    )


def failure(step: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        step(*arguments, **named)
    return str(caught.value)


def test_what_an_input_decides_is_compared() -> None:
    story(reminder).given(placed("10:00:00")).when(paid("10:01:00")).then(thanks(at("10:01:00")))


def test_nothing_decided_is_said_by_an_empty_then() -> None:
    story(reminder).when(placed("10:00:00")).then()


def test_a_tick_fires_at_its_instant_and_not_a_second_before() -> None:
    when = at("10:00:00") + timedelta(seconds=SOFT.after_s)
    told = story(reminder).given(placed("10:00:00")).when_it_is(when - timedelta(seconds=1)).then()
    told.when_it_is(when).then(soft(when))


def test_what_given_inputs_decide_is_folded_and_not_compared() -> None:
    told = story(reminder).given(placed("10:00:00"), paid("10:01:00"))
    told.then().then_state(proposed=frozenset({"b1:payment_thanks:o1"}))


def test_several_steps_before_a_then_are_compared_together() -> None:
    when = at("10:00:00") + timedelta(seconds=SOFT.after_s)
    story(reminder).given(placed("10:00:00")).when(paid("10:01:00", "o2")).when_it_is(when).then(
        thanks(at("10:01:00"), "o2"), soft(when)
    )


def test_a_story_goes_on_after_a_then() -> None:
    story(reminder).when(paid("10:00:00")).then(thanks(at("10:00:00"))).when(paid("10:05:00", "o2")).then(
        thanks(at("10:05:00"), "o2")
    )


def test_mere_data_is_an_event_of_the_present() -> None:
    story(reminder).given(placed("10:00:00")).when(OrderPaid(order_id="o1", paid_fen=5)).then(thanks(at("10:00:00")))


def test_a_fact_learnt_late_is_decided_when_it_is_learnt() -> None:
    late = structs.replace(paid("09:00:00"), recordedtime=at("10:30:00"))
    story(reminder).when(late).then(thanks(at("10:30:00")))


def test_a_policy_may_be_said_first_and_only_first() -> None:
    short = load([("shop", b"[care.kinds.unpaid_soft]\nafter_s = 60")])
    told = story(reminder).under(short).given(placed("10:00:00")).when_it_is("10:01:00")
    told.then(soft(at("10:01:00")))
    with pytest.raises(ValueError, match="under: the story has begun"):
        told.under(short)


def test_a_command_goes_to_the_only_story_there_is() -> None:
    called_off = CareSuppressed(care_id="b1:payment_thanks:o1", kind="payment_thanks", reason="cancelled")
    told = story(reminder).given(paid("10:00:00"))
    told.when(command(CancelCare(care_id="b1:payment_thanks:o1"))).then(called_off)


def test_a_rejection_is_compared_by_its_code_and_field() -> None:
    told = story(reminder).given(paid("10:00:00")).when(CancelCare(care_id="b1:other"))
    assert "code: expected 'closed', found 'already_requested'" in failure(told.then_rejected, "closed")
    assert "field: expected 'x', found 'data.care_id'" in failure(told.then_rejected, "already_requested", "x")
    assert "rejected: already_requested at data.care_id" in failure(told.then)
    told.then_rejected("already_requested", field="data.care_id").then()


def test_a_missing_rejection_is_said() -> None:
    told = story(reminder).given(paid("10:00:00")).when(CancelCare(care_id="b1:payment_thanks:o1"))
    text = failure(told.then_rejected, "already_requested")
    assert "expected nothing, decided CareSuppressed(" in text
    assert "expected a rejection 'already_requested', there was none" in text


def test_a_given_command_that_is_rejected_fails_at_once() -> None:
    assert "a given command was rejected" in failure(story(reminder).given, CancelCare(care_id="b1:x"))


def test_an_emit_compares_time_and_lane_too() -> None:
    said = order_facts.Statement(fact="paid", order_id="o1", buyer="b9", time=at("09:00:00"), amount_fen=7)
    told = story(order_facts).when(fact(said, at="10:00:00"))
    text = failure(told.then, Emit(data=OrderPaid(order_id="o1", paid_fen=7), buyer="b1"))
    assert "(buyer): expected 'b1', decided 'b9'" in text
    told.then(Emit(data=OrderPaid(order_id="o1", paid_fen=7), buyer="b9", time=at("09:00:00")))


def test_a_fact_said_twice_is_decided_once() -> None:
    said = order_facts.Statement(fact="paid", order_id="o1", buyer="b9", time=at("09:00:00"), amount_fen=7)
    story(order_facts).given(fact(said, at="10:00:00")).when(fact(said, at="10:00:01")).then()


def test_a_failure_shows_expected_decided_difference_and_inputs() -> None:
    told = story(reminder).given(placed("10:00:00")).when(paid("10:01:00"))
    text = failure(told.then, structs.replace(thanks(at("10:01:00")), template="another", expires_at=at("11:00:00")))
    assert text.splitlines() == [
        "reminder decided otherwise",
        "expected:",
        "  1. CareProposed(care_id='b1:payment_thanks:o1', kind='payment_thanks', order_id='o1', marketing=False, "
        "template='another', not_before=10:01:00, expires_at=11:00:00)",
        "decided:",
        "  1. 10:01:00 for b1: CareProposed(care_id='b1:payment_thanks:o1', kind='payment_thanks', order_id='o1', "
        "marketing=False, template='payment_thanks', not_before=10:01:00, expires_at=22:01:00)",
        "difference:",
        "  1. template: expected 'another', decided 'payment_thanks'",
        "  1. expires_at: expected 11:00:00, decided 22:01:00",
        "inputs:",
        "  given 10:00:00 b1: OrderPlaced(order_id='o1', platform='taobao', shop_kind='c_shop', lines=(), "
        "total_fen=100, postage_fen=0)",
        "  when 10:01:00 b1: OrderPaid(order_id='o1', paid_fen=100)",
    ]


def test_a_failure_says_what_is_missing_what_is_too_much_and_what_is_of_another_kind() -> None:
    told = story(reminder).when(paid("10:00:00"), paid("10:00:01", "o2"))
    one = thanks(at("10:00:00"))
    assert "2. expected nothing more, decided CareProposed(" in failure(told.then, one)
    text = failure(told.then, one, OrderClosed(order_id="o1", reason="x", paid=False), one)
    assert "2. expected OrderClosed(order_id='o1', reason='x', paid=False), decided CareProposed(" in text
    assert "3. expected CareProposed(care_id='b1:payment_thanks:o1'" in text
    assert ", decided nothing" in text


def test_a_failure_says_what_a_tick_decided_and_when() -> None:
    when = at("10:00:00") + timedelta(seconds=SOFT.after_s)
    text = failure(story(reminder).given(placed("10:00:00")).when_it_is(when).then)
    assert "1. 10:30:00 by the tick for b1: CareProposed(" in text
    assert text.endswith("when it is 10:30:00")


def test_a_state_that_is_otherwise_is_shown_by_field() -> None:
    told = story(reminder).given(paid("10:00:00"))
    assert "spent_fen: expected 5, found 100" in failure(told.then_state, spent_fen=5)
    told.then_state("b1", spent_fen=100)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="it is 10:00:00 already, not 09:00:00"):
        story(reminder).given(placed("10:00:00")).when_it_is("09:00:00")


def test_times_are_utc_unless_they_say_an_offset() -> None:
    assert at("22:30:00+08:00") == at("14:30:00")
    assert at(at("14:30:00")) == at("14:30:00")


def test_what_is_no_input_is_refused() -> None:
    with pytest.raises(TypeError, match="when: 3 is no event"):
        story(reminder).when(3)


class Loose(Struct, frozen=True):
    """A state that JSON does not bring back: a set without a type comes back as a list."""

    seen: Any = None


def loose(**parts: Any) -> Process:
    def fold(state: Loose, item: Event[Any]) -> Loose:
        return Loose({item.data.order_id})

    def nothing(*_: Any) -> Iterable[Any]:
        return ()

    given = {
        "name": "loose",
        "version": 1,
        "state": Loose,
        "key": lambda item: "k",
        "evolve": fold,
        "decide": nothing,
        "due": lambda state, policy: None,
    }
    return Process(**(given | parts))


def test_a_state_that_its_row_could_not_hold_fails_the_story() -> None:
    text = failure(story(loose()).when, paid("10:00:00"))
    assert text.startswith("the state does not come back from its row")
    assert "seen: expected {'o1'}, read back ['o1']" in text


def test_a_process_that_raises_fails_the_story_with_its_traceback() -> None:
    def broken(*_: Any) -> Iterable[Any]:
        raise LookupError("no such rung")

    text = failure(story(loose(decide=broken, evolve=lambda state, item: state)).when, paid("10:00:00"))
    assert text.startswith("loose raised LookupError: no such rung\nTraceback")
    assert text.endswith("when 10:00:00 b1: OrderPaid(order_id='o1', paid_fen=100)")


def test_a_tick_that_stays_due_and_decides_nothing_fails_the_story() -> None:
    stuck = loose(evolve=lambda state, item: state, due=lambda state, policy: at("11:00:00"))
    text = failure(story(stuck).given(paid("10:00:00")).when_it_is, "12:00:00")
    assert "StuckTick: loose: the tick of 2026-03-02T11:00:00+00:00 changed nothing and is still due" in text


def test_an_event_that_no_reader_could_take_fails_the_story() -> None:
    def unreadable(state: Any, cause: Any, now: datetime, policy: Any) -> Iterable[Any]:
        return [] if isinstance(cause, Tick) else [OrderClosed(order_id="o1", reason="\0", paid=False)]

    text = failure(story(loose(decide=unreadable, evolve=lambda state, item: state)).when, paid("10:00:00"))
    assert "EncodeError" in text


def test_a_command_that_breaks_fails_the_story_and_shows_why() -> None:
    def broken(*_: Any) -> Iterable[Any]:
        raise LookupError("no such care")

    with pytest.raises(AssertionError, match="loose raised") as caught:
        story(loose(decide=broken)).when(CancelCare(care_id="c1"))
    assert isinstance(caught.value.__cause__, LookupError)


def test_a_process_module_and_its_process_tell_the_same_story() -> None:
    for process in (reminder, process_of(reminder)):
        story(process).when(paid("10:00:00")).then(thanks(at("10:00:00")))


def test_a_decision_is_logged_as_bytes_that_read_back() -> None:
    told = story(reminder).when(paid("10:00:00"))
    wire = msgspec.json.decode(told.memory.messages[-1].payload)
    assert (wire["type"], wire["time"]) == ("care.proposed", "2026-03-02T10:00:00Z")
