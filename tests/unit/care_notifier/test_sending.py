"""Sending: shadow, live and paused, by command (domain.md 4, "A new shop starts in shadow mode")."""

from typing import Any

import pytest

from schemas.campaign import CarePaused, CareResumed, CareSwitchedLive
from schemas.commands.care_notifier import PauseSending, ResumeSending, SwitchLive
from services.care_notifier import sending
from services.care_notifier.sending import Sending
from services.replay.story import Story, Wish, at, command, story
from services.replay.story import event as happened


def ask(data: Any, when: str) -> Wish:
    return command(data, when, key="s1", buyer="-")


def live(when: str) -> Wish:
    return ask(SwitchLive(), when)


def pause(when: str, kind: Any = None) -> Wish:
    return ask(PauseSending(kind=kind, reason="stock-taking"), when)


def resume(when: str, kind: Any = None) -> Wish:
    return ask(ResumeSending(kind=kind, reason="done"), when)


def state(told: Story) -> Sending:
    return told.memory.state("sending", "s1", "-", "s1")


def test_a_new_shop_is_in_shadow_mode() -> None:
    assert Sending().holds_back("signed", at("10:00:00")) == "shadow"


def test_switched_live_it_sends_what_the_log_records_from_then_on_and_never_the_backlog() -> None:
    told = story(sending).when(live("10:00:00")).then(CareSwitchedLive(shop="s1"))
    assert state(told).holds_back("signed", at("09:59:59")) == "shadow"
    assert state(told).holds_back("signed", at("10:00:00")) == "shadow"
    assert state(told).holds_back("signed", at("10:00:01")) is None


def test_a_live_shop_cannot_be_switched_live_again() -> None:
    told = story(sending).given(live("10:00:00")).when(live("11:00:00")).then_rejected("already")
    assert state(told).live_since == at("10:00:00")


def test_while_it_is_paused_nothing_is_sent_and_afterwards_not_what_came_due_meanwhile() -> None:
    told = story(sending).given(live("09:00:00")).when(pause("10:00:00"))
    told.then(CarePaused(shop="s1", reason="stock-taking"))
    assert state(told).holds_back("signed", at("09:30:00")) == "paused"
    assert state(told).holds_back("signed", at("10:30:00")) == "paused"
    told.when(resume("11:00:00")).then(CareResumed(shop="s1", reason="done"))
    assert state(told).holds_back("signed", at("10:00:00")) == "paused"
    assert state(told).holds_back("signed", at("10:59:59")) == "paused"
    assert state(told).holds_back("signed", at("11:00:00")) is None
    assert state(told).holds_back("signed", at("09:30:00")) is None


def test_what_came_due_in_an_earlier_pause_is_not_sent_after_a_later_one() -> None:
    told = story(sending).given(live("09:00:00"))
    told.when(pause("10:00:00"), resume("11:00:00"), pause("12:00:00"), resume("12:05:00"))
    assert state(told).holds_back("signed", at("10:30:00")) == "paused"
    assert state(told).holds_back("signed", at("11:30:00")) is None


def test_one_kind_is_paused_alone() -> None:
    told = story(sending).given(live("09:00:00")).when(pause("10:00:00", "signed"))
    told.then(CarePaused(shop="s1", kind="signed", reason="stock-taking"))
    assert state(told).holds_back("signed", at("10:30:00")) == "paused"
    assert state(told).holds_back("shipped", at("10:30:00")) is None
    told.when(resume("11:00:00")).then_rejected("already")
    told.when(resume("11:00:00", "signed")).then(CareResumed(shop="s1", kind="signed", reason="done"))


def test_a_pause_of_everything_leaves_the_pause_of_a_kind_as_it_is() -> None:
    told = story(sending).given(live("09:00:00"), pause("09:30:00", "signed"), pause("10:00:00"), resume("11:00:00"))
    assert state(told).holds_back("signed", at("12:00:00")) == "paused"
    assert state(told).holds_back("shipped", at("12:00:00")) is None


@pytest.mark.parametrize("kind", [None, "signed"])
def test_what_is_so_already_is_rejected_and_changes_nothing(kind: Any) -> None:
    story(sending).when(resume("10:00:00", kind)).then_rejected("already")
    story(sending).given(pause("10:00:00", kind)).when(pause("11:00:00", kind)).then_rejected("already")


def test_a_shop_that_is_paused_in_shadow_mode_stays_paused_when_it_goes_live() -> None:
    told = story(sending).given(pause("09:00:00"), live("10:00:00"))
    assert state(told).holds_back("signed", at("11:00:00")) == "paused"


def test_what_stands_in_a_buyers_lane_is_not_of_the_shop() -> None:
    story(sending).when(happened(CareSwitchedLive(shop="s1"), buyer="b1")).then()
