"""Contact: what a buyer may be told, and when - the gate between a proposal and the sender (domain.md 4).

Keyed by buyer. Each proposal ends once, as `care.requested` or `care.suppressed`, perhaps deferred before. In this
order:

| rule | else |
| --- | --- |
| it is fresh: before its expiry | suppressed `expired` |
| it is no marketing: consent is not kept yet, so there is none | suppressed `consent` |
| its time has come | deferred `not_before` |
| there is a way to the buyer | suppressed `no_channel` |
| it is outside the quiet hours 免打扰 | deferred `quiet_hours` |
| the day's cap on `care.requested` is not reached | suppressed `cap` |

Quiet hours do not hold a platform message right after the buyer's own order, payment or message; the other channels
are left out then. A review is not invited to while a case is open: `signed` is then said without its invitation. What
waits is overtaken when its order is closed, or a `shipped` when its parcel is signed for: suppressed `state_changed`.

What was deferred is asked about again, from the first rule on, when its instant comes.

A proposal of a care_id that waits, or has ended, is the same one once more, and is ignored.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from schemas.buyer import BuyerContactStored
from schemas.care import CareChannel, CareDeferred, CareKind, CareProposed, CareRequested, CareSuppressed
from schemas.case import CaseOpened, CaseRefused, CaseReopened, CaseResolved, CaseWithdrawn
from schemas.chat import MessageReceived
from schemas.envelope import Event
from schemas.order import OrderClosed, OrderPaid, OrderPlaced, OrderSigned
from schemas.subjects import NO_BUYER
from schemas.types import Channel
from services.care_notifier.steps import step_of
from services.care_notifier.texts import render
from services.kernel.policy import Policy
from services.kernel.policy.units import Window, instant
from services.kernel.process import Tick

VERSION = 1

PLATFORM_CHAT = "platform:buyer"
"""The address of a platform message: the chat of the lane's buyer. Other channels read theirs from the vault."""

REMEMBERED = timedelta(days=2)
"""How long a request is kept for counting: no local day is longer."""


class Held(Struct, frozen=True):
    """A proposal that has not ended. until: when it is asked about again; None: now."""

    proposal: CareProposed
    until: datetime | None = None


class Asked(Struct, frozen=True):
    """A `care.requested` that counts toward a cap."""

    kind: CareKind
    at: datetime


class Contact(Struct, frozen=True):
    """acted: the buyer's last own order, payment or message. vault_ref: where the contact data is, if known. cases:
    those that are open.

    held: care_id -> what waits. ended: care_id -> its expiry, after which it need not be remembered.
    """

    acted: datetime | None = None
    vault_ref: str = ""
    cases: frozenset[str] = frozenset()
    held: dict[str, Held] = {}
    ended: dict[str, datetime] = {}
    asked: tuple[Asked, ...] = ()


State = Contact
Decided = CareDeferred | CareSuppressed | CareRequested

_ACTS = (OrderPlaced, OrderPaid, MessageReceived)
_OVERTAKES = (OrderClosed, OrderSigned)
_CASES = (CaseOpened, CaseReopened, CaseResolved, CaseRefused, CaseWithdrawn)
_CARE = (CareProposed, CareDeferred, CareSuppressed, CareRequested)
_MINE = (*_ACTS, *_OVERTAKES, *_CASES, *_CARE, BuyerContactStored)

INVITING: frozenset[CareKind] = frozenset({"signed"})
"""Kinds whose text invites to a review; `<template>.plain` is the same without it."""


def key(event: Event[Any]) -> str | None:
    return event.buyer if isinstance(event.data, _MINE) and event.buyer != NO_BUYER else None


def evolve(contact: Contact, event: Event[Any]) -> Contact:
    match event.data:
        case OrderPlaced() | OrderPaid() | MessageReceived():
            acted = min(event.time, event.recordedtime or event.time)  # a sender's clock may run ahead
            return replace(contact, acted=max(contact.acted or acted, acted))
        case CaseOpened(case_id=case) | CaseReopened(case_id=case):
            return replace(contact, cases=contact.cases | {case})
        case CaseResolved(case_id=case) | CaseRefused(case_id=case) | CaseWithdrawn(case_id=case):
            return replace(contact, cases=contact.cases - {case})
        case BuyerContactStored(vault_ref=vault_ref):
            return replace(contact, vault_ref=vault_ref)
        case CareProposed(care_id=care) as proposal if care not in contact.held and care not in contact.ended:
            ended = {care: expiry for care, expiry in contact.ended.items() if expiry > event.time}
            return replace(contact, held={**contact.held, care: Held(proposal)}, ended=ended)
        case CareDeferred(care_id=care, until=until) if care in contact.held:
            return replace(contact, held={**contact.held, care: replace(contact.held[care], until=until)})
        case CareSuppressed(care_id=care):
            return _ended(contact, care)
        case CareRequested(care_id=care, kind=kind, marketing=False):
            asked = tuple(one for one in contact.asked if one.at > event.time - REMEMBERED)
            return replace(_ended(contact, care), asked=(*asked, Asked(kind, event.time)))
        case CareRequested(care_id=care):
            return _ended(contact, care)
        case _:
            return contact


def decide(contact: Contact, cause: object, now: datetime, policy: Policy) -> Iterable[Decided]:
    match cause:
        case Event(data=CareProposed(care_id=care)):
            held = contact.held.get(care)
            if held is None or held.until is not None:
                return  # said once more: it has ended, or waits for its instant
            yield _gate(contact, held.proposal, now, policy, _counted(contact, now, policy))
        case Event(data=OrderClosed() | OrderSigned() as fact):
            for held in contact.held.values():
                if _overtaken(held.proposal, fact):
                    yield _suppressed(held.proposal, "state_changed")
        case Tick():
            counted = _counted(contact, now, policy)
            come = [held.proposal for held in contact.held.values() if held.until is not None and held.until <= now]
            for proposal in sorted(come, key=lambda one: (one.not_before, one.care_id)):
                decided = _gate(contact, proposal, now, policy, counted)
                if isinstance(decided, CareRequested) and _capped(proposal.kind, policy):
                    counted += 1
                yield decided
        case _:
            return


def due(contact: Contact, policy: Policy) -> datetime | None:
    return min((held.until for held in contact.held.values() if held.until is not None), default=None)


def _gate(contact: Contact, proposal: CareProposed, now: datetime, policy: Policy, counted: int) -> Decided:
    """counted: requests of the buyer's local day that the cap counts."""
    if now >= proposal.expires_at:
        return _suppressed(proposal, "expired")
    if proposal.marketing:
        return _suppressed(proposal, "consent", detail="no consent is known")
    if now < proposal.not_before:
        return CareDeferred(**step_of(proposal), until=proposal.not_before, reason="not_before")
    kind = policy.care.kinds.of(proposal.kind)
    ways: list[tuple[Channel, str]] = [
        (channel, address) for channel in kind.channels if (address := _address(contact, channel))
    ]
    if not ways:
        return _suppressed(proposal, "no_channel", detail=f"no address for {', '.join(kind.channels)}")
    quiet_until = _quiet_until(policy, now)
    if quiet_until is not None:
        ways = [way for way in ways if way[0] == "platform" and _acted_lately(contact, now, policy)]
    if not ways and quiet_until is not None:
        return CareDeferred(**step_of(proposal), until=quiet_until, reason="quiet_hours")
    cap = policy.care.caps.transactional_a_day
    if _capped(proposal.kind, policy) and counted >= cap:
        return _suppressed(proposal, "cap", detail=f"{counted} of {cap} a day")
    plain = ".plain" if proposal.kind in INVITING and contact.cases else ""
    text = render(proposal.template + plain, proposal.values)
    return CareRequested(
        **step_of(proposal),
        marketing=proposal.marketing,
        channels=tuple(CareChannel(channel=channel, address_ref=address, text=text) for channel, address in ways),
        mode=kind.mode,
        expires_at=proposal.expires_at,
    )


def _overtaken(proposal: CareProposed, fact: OrderClosed | OrderSigned) -> bool:
    if proposal.order_id != fact.order_id:
        return False
    if isinstance(fact, OrderClosed):
        return fact.line_ids is None
    return proposal.kind == "shipped" and proposal.parcel_id == fact.parcel_id


def _address(contact: Contact, channel: Channel) -> str:
    return PLATFORM_CHAT if channel == "platform" else contact.vault_ref


def _acted_lately(contact: Contact, now: datetime, policy: Policy) -> bool:
    within = timedelta(minutes=policy.care.quiet.own_action_minutes)
    return contact.acted is not None and now - contact.acted <= within


def _quiet_until(policy: Policy, now: datetime) -> datetime | None:
    """When the quiet hours end in which `now` lies; None outside of them."""
    hours: Window = policy.care.quiet.hours
    zone = ZoneInfo(policy.calendar.time_zone)
    local = now.astimezone(zone)
    if not hours.covers(local.hour * 60 + local.minute):
        return None
    today = instant(local.date(), hours.end, zone)
    return today if today > now else instant(local.date() + timedelta(days=1), hours.end, zone)


def _counted(contact: Contact, now: datetime, policy: Policy) -> int:
    zone = ZoneInfo(policy.calendar.time_zone)
    today = now.astimezone(zone).date()
    return sum(_capped(one.kind, policy) and one.at.astimezone(zone).date() == today for one in contact.asked)


def _capped(kind: CareKind, policy: Policy) -> bool:
    return kind not in policy.care.caps.exempt


def _suppressed(proposal: CareProposed, reason: Any, detail: str = "") -> CareSuppressed:
    return CareSuppressed(**step_of(proposal), reason=reason, marketing=proposal.marketing, detail=detail)


def _ended(contact: Contact, care: str) -> Contact:
    held = contact.held.get(care)
    if held is None:
        return contact
    left = {other: one for other, one in contact.held.items() if other != care}
    return replace(contact, held=left, ended={**contact.ended, care: held.proposal.expires_at})
