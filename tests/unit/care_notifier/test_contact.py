"""Contact: the gate between a proposal and the sender (domain.md 4). Times with +08:00 are the shop's local ones."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.buyer import BuyerContactStored, ContactDigests
from schemas.care import CareChannel, CareDeferred, CareProposed, CareRequested, CareSuppressed
from schemas.case import CaseOpened, CaseResolved
from schemas.chat import MessageReceived
from schemas.envelope import Event
from services.care_notifier import contact
from services.care_notifier.contact import PLATFORM_CHAT
from services.care_notifier.texts import render
from services.kernel.policy import default_policy, load
from services.replay.story import DAY, Story, at, event, story
from tests.unit.care_notifier.facts import closed, paid, placed, proposal, seconds, signed

CARE = default_policy().care
TEXT = render("signed", {})
CHAT = CareChannel(channel="platform", address_ref=PLATFORM_CHAT, text=TEXT)
MORNING = at("08:00:00+08:00") + timedelta(days=1)
"""The end of the quiet hours that begin at 22:00 of DAY."""


def requested(one: CareProposed, *channels: CareChannel) -> CareRequested:
    return CareRequested(
        care_id=one.care_id,
        kind=one.kind,
        order_id=one.order_id,
        channels=channels or (CHAT,),
        mode=CARE.kinds.of(one.kind).mode,
        expires_at=one.expires_at,
    )


def suppressed(one: CareProposed, reason: Any, detail: str = "", **more: Any) -> CareSuppressed:
    return CareSuppressed(
        care_id=one.care_id, kind=one.kind, order_id=one.order_id, reason=reason, detail=detail, **more
    )


def deferred(one: CareProposed, until: datetime, reason: Any = "quiet_hours") -> CareDeferred:
    return CareDeferred(care_id=one.care_id, kind=one.kind, order_id=one.order_id, until=until, reason=reason)


def said(one: CareProposed, when: str) -> Event[Any]:
    return event(one, at=when)


def tomorrow(one: CareProposed) -> CareProposed:
    """The same, expiring at 10:00 local of the day after DAY."""
    return replace(one, expires_at=at("10:00:00+08:00") + timedelta(days=1))


def outcomes(told: Story) -> list[str]:
    return [one.data.TYPE.removeprefix("care.") for one in told.memory.log if one.source == "carebus/contact"]


def test_a_fresh_message_by_day_is_requested_with_its_text_and_the_kinds_mode() -> None:
    one = proposal()
    story(contact).when(said(one, "10:00:00+08:00")).then(requested(one))


def test_sms_is_a_way_once_the_vault_has_the_buyers_contact() -> None:
    stored = BuyerContactStored(vault_ref="v1", digests=ContactDigests())
    sms = CareChannel(channel="sms", address_ref="v1", text=TEXT)
    one = proposal()
    story(contact).given(event(stored)).when(said(one, "10:00:00")).then(requested(one, CHAT, sms))


def test_contact_placeholders_stay_open_in_the_log() -> None:
    values = {"商品清单": "杯子", "收货地区": "浙江", "发货时效说明": ""}
    told = story(contact).when(said(proposal(kind="payment_thanks", values=values), "10:00:00"))
    (data,) = (one.data for one in told.memory.log if isinstance(one.data, CareRequested))
    assert data.channels[0].text == render("payment_thanks", values)
    assert "#收件人姓名#" in data.channels[0].text


def test_at_its_expiry_a_message_is_of_no_use_any_more() -> None:
    one = proposal(expires="10:00:00")
    story(contact).when(said(one, "10:00:00")).then(suppressed(one, "expired"))
    story(contact).when(said(one, "09:59:59")).then(requested(one))


def test_a_fact_of_years_ago_contacts_nobody() -> None:
    one = replace(proposal(), expires_at=at("10:00:00") - timedelta(days=3_000))
    story(contact).when(said(one, "10:00:00")).then(suppressed(one, "expired"))


def test_marketing_waits_for_consent_which_is_not_kept_yet() -> None:
    one = proposal(marketing=True)
    expected = suppressed(one, "consent", "no consent is known", marketing=True)
    story(contact).when(said(one, "10:00:00")).then(expected)


def test_without_any_way_to_the_buyer_the_message_ends() -> None:
    policy = load([("shop", b'[care.kinds.signed]\nchannels = ["sms"]')])
    one = proposal()
    expected = suppressed(one, "no_channel", "no address for sms")
    story(contact).under(policy).when(said(one, "10:00:00")).then(expected)


def test_a_message_whose_time_has_not_come_waits_for_it() -> None:
    one = proposal(not_before=at("11:00:00"))
    told = story(contact).when(said(one, "10:00:00")).then(deferred(one, at("11:00:00"), "not_before"))
    told.when_it_is("11:00:00").then(requested(one))


# quiet hours


@pytest.mark.parametrize("when", [CARE.quiet.hours.start, "23:59"])
def test_in_quiet_hours_a_message_is_held_until_they_end_and_then_requested(when: str) -> None:
    one = tomorrow(proposal())
    told = story(contact).when(said(one, f"{when}:00+08:00")).then(deferred(one, MORNING))
    told.when_it_is(MORNING - seconds(1)).then().when_it_is(MORNING).then(requested(one))


def test_after_midnight_they_end_on_the_same_day() -> None:
    morning = at(f"{CARE.quiet.hours.end}:00+08:00")
    one = proposal(expires="23:00:00", not_before=morning - timedelta(hours=5))
    story(contact).when(event(one, at=morning - timedelta(hours=5))).then(deferred(one, morning))


@pytest.mark.parametrize("when", ["21:59:59", "08:00:00"])
def test_the_quiet_hours_end_at_their_end_and_begin_at_their_start(when: str) -> None:
    one = tomorrow(proposal())
    story(contact).when(said(one, f"{when}+08:00")).then(requested(one))


@pytest.mark.parametrize("fact", [closed("23:00:00+08:00"), signed("23:00:00+08:00")])
def test_what_waits_is_not_said_once_its_order_is_closed_or_its_parcel_signed_for(fact: Event[Any]) -> None:
    one = tomorrow(proposal(kind="shipped", parcel_id="p1", template="signed"))
    told = story(contact).given(said(one, "22:30:00+08:00")).when(fact)
    told.then(suppressed(one, "state_changed", parcel_id="p1")).when_it_is(MORNING).then()


def test_what_waits_of_another_order_or_kind_is_not_overtaken() -> None:
    other, receipt = tomorrow(proposal("c1", order_id="o2")), tomorrow(proposal("c2", parcel_id="p1"))
    told = story(contact).given(said(other, "22:30:00+08:00"), said(receipt, "22:31:00+08:00"))
    told.when(closed("23:00:00+08:00", "o3"), signed("23:01:00+08:00")).then()


def test_no_review_is_invited_to_while_a_case_is_open() -> None:
    opened = CaseOpened(case_id="k1", kind="review", order_id="o1", reason="差评", opened_by="system")
    plain = replace(CHAT, text=render("signed.plain", {}))
    one, two = proposal("c1"), proposal("c2")
    told = story(contact).given(event(opened, at="09:00:00")).when(said(one, "10:00:00")).then(requested(one, plain))
    ended = CaseResolved(case_id="k1", reason="补发", by="a1")
    told.when(event(ended, at="11:00:00"), said(two, "11:30:00")).then(requested(two))
    assert "感受" in TEXT
    assert "感受" not in plain.text


def test_a_message_that_expires_while_it_is_held_is_not_said_in_the_morning() -> None:
    one = replace(proposal(), expires_at=MORNING)
    told = story(contact).given(said(one, "22:30:00+08:00"))
    told.when_it_is(MORNING).then(suppressed(one, "expired"))


def test_the_quiet_hours_are_those_of_the_shops_time_zone() -> None:
    policy = load([("shop", b'[calendar]\ntime_zone = "America/Sao_Paulo"')])
    one = tomorrow(proposal())
    story(contact).under(policy).when(said(one, "22:30:00+08:00")).then(requested(one))


ACTS = {
    "order": placed,
    "payment": paid,
    "message": lambda when: event(MessageReceived(message_id="m", conversation_id="c", text="?"), at=when),
}


@pytest.mark.parametrize("act", ACTS)
def test_right_after_the_buyers_own_act_quiet_hours_do_not_hold_a_platform_message(act: str) -> None:
    minutes = CARE.quiet.own_action_minutes
    acted = at("23:00:00+08:00")
    one = tomorrow(proposal())
    within, later = acted + timedelta(minutes=minutes), acted + timedelta(minutes=minutes, seconds=1)
    story(contact).given(ACTS[act]("23:00:00+08:00")).when(event(one, at=within)).then(requested(one))
    story(contact).given(ACTS[act]("23:00:00+08:00")).when(event(one, at=later)).then(deferred(one, MORNING))


def test_that_is_when_the_buyer_acted_and_not_when_it_was_learnt() -> None:
    one = tomorrow(proposal())
    told = story(contact).given(paid("21:00:00+08:00", recorded="23:00:00+08:00"))
    told.when(said(one, "23:00:01+08:00")).then(deferred(one, MORNING))


def test_sms_is_held_by_quiet_hours_even_then() -> None:
    stored = BuyerContactStored(vault_ref="v1", digests=ContactDigests())
    one = tomorrow(proposal())
    told = story(contact).given(event(stored, at="22:59:00+08:00"), paid("23:00:00+08:00"))
    told.when(said(one, "23:00:01+08:00")).then(requested(one, CHAT))


# caps


def spoken_to(times: int, begin: str = "10:00:00+08:00") -> list[Event[Any]]:
    return [
        event(proposal(f"before-{n}", expires="23:59:00"), at=at(begin) + timedelta(minutes=n)) for n in range(times)
    ]


def test_the_cap_of_the_day_holds_the_next_message_back() -> None:
    cap = CARE.caps.transactional_a_day
    one = proposal()
    expected = suppressed(one, "cap", f"{cap} of {cap} a day")
    story(contact).given(*spoken_to(cap - 1)).when(said(one, "20:00:00+08:00")).then(requested(one))
    story(contact).given(*spoken_to(cap)).when(said(one, "20:00:00+08:00")).then(expected)


def test_the_cap_counts_by_the_shops_local_day() -> None:
    cap = CARE.caps.transactional_a_day
    one = tomorrow(proposal())
    story(contact).given(*spoken_to(cap, "21:00:00+08:00")).when(event(one, at=MORNING)).then(requested(one))


@pytest.mark.parametrize("kind", CARE.caps.exempt)
def test_exempt_kinds_are_neither_held_nor_counted(kind: Any) -> None:
    cap = CARE.caps.transactional_a_day
    exempt = proposal("x", kind, template="signed")
    given = [event(replace(exempt, care_id=f"x{n}"), at="11:00:00") for n in range(cap)]
    told = story(contact).given(*given, *(said(proposal(f"c{n}"), "11:30:00") for n in range(cap)))
    assert outcomes(told) == ["requested"] * 2 * cap
    told.when(said(exempt, "12:00:00")).then(requested(exempt))


def test_what_waited_for_the_morning_is_capped_together_oldest_first() -> None:
    cap = CARE.caps.transactional_a_day
    night = [tomorrow(proposal(f"n{n}", not_before=at("22:00:00+08:00") + seconds(n))) for n in range(cap + 2)]
    told = story(contact).given(*(said(one, "22:30:00+08:00") for one in reversed(night)))
    full = f"{cap} of {cap} a day"
    told.when_it_is(MORNING).then(
        *(requested(one) for one in night[:cap]), *(suppressed(one, "cap", full) for one in night[cap:])
    )


# once


def test_a_message_proposed_again_is_ignored_whether_it_waits_or_has_ended() -> None:
    one, late = proposal(), tomorrow(proposal("c2"))
    told = story(contact).given(said(one, "10:00:00+08:00"), said(late, "22:30:00+08:00"))
    told.when(said(one, "22:31:00+08:00"), said(late, "22:31:00+08:00")).then()
    told.when_it_is(MORNING).then(requested(late))


def test_what_the_sender_says_of_a_message_changes_nothing_here() -> None:
    one = proposal()
    told = story(contact).given(said(one, "10:00:00"))
    before = told.memory.state("contact", "s1", "b1", "b1")
    told.when(event(suppressed(one, "shadow"), at="10:00:01")).then()
    assert told.memory.state("contact", "s1", "b1", "b1") == before


def test_what_has_ended_is_forgotten_once_it_has_expired() -> None:
    told = story(contact).given(said(proposal("c1", expires="11:00:00"), "10:00:00"), said(proposal("c2"), "12:00:00"))
    assert set(told.memory.state("contact", "s1", "b1", "b1").ended) == {"c2"}


def test_a_proposal_without_a_buyer_is_nobodys() -> None:
    story(contact).when(event(proposal(), at="10:00:00", buyer="-")).then()


def test_the_day_of_the_story_is_the_one_its_mornings_are_reckoned_from() -> None:
    assert MORNING.date() == DAY + timedelta(days=1)
