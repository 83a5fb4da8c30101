"""Sending: whether a shop's messages are really sent - in shadow, live, or paused (domain.md 4).

Keyed by shop, in the lane of buyer `-`. A new shop is in shadow mode: everything is decided and recorded, nothing is
sent. Switching live, or going on after a pause, never sends what came due before.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from schemas.campaign import CarePaused, CareResumed, CareSwitchedLive
from schemas.care import CareKind
from schemas.commands.care_notifier import PauseSending, ResumeSending, SwitchLive
from schemas.envelope import Command, Event, Rejected
from schemas.subjects import NO_BUYER
from services.kernel.policy import Policy

VERSION = 1

PAUSES = 50
"""How many of a kind are remembered: more than can lie between a request and its expiry."""
EVERYTHING = ""
"""The key of a pause of all kinds."""


class Pause(Struct, frozen=True):
    """A pause of a kind, or of everything; until: absent while it lasts."""

    since: datetime
    until: datetime | None = None

    def holds(self, recorded: datetime) -> bool:
        """Whether what was recorded then is held back: it came due while the pause lasted, or it lasts."""
        return self.until is None or self.since <= recorded < self.until


class Sending(Struct, frozen=True):
    """live_since: absent in shadow mode. pauses: kind, or EVERYTHING, -> its last PAUSES, the latest at the end."""

    live_since: datetime | None = None
    pauses: dict[str, tuple[Pause, ...]] = {}

    def of(self, kind: str) -> tuple[Pause, ...]:
        return self.pauses.get(kind, ())

    def is_paused(self, kind: str) -> bool:
        return any(pause.until is None for pause in self.of(kind))

    def holds_back(self, kind: CareKind, recorded: datetime) -> Literal["shadow", "paused"] | None:
        """Why a request of this kind that the log recorded then is not sent; None: it may be."""
        if self.live_since is None or recorded <= self.live_since:
            return "shadow"
        return "paused" if any(pause.holds(recorded) for pause in self.of(EVERYTHING) + self.of(kind)) else None


State = Sending
Decided = CareSwitchedLive | CarePaused | CareResumed | Rejected


def key(event: Event[Any]) -> str | None:
    mine = isinstance(event.data, CareSwitchedLive | CarePaused | CareResumed)
    return event.shop if mine and event.buyer == NO_BUYER else None


def evolve(sending: Sending, event: Event[Any]) -> Sending:
    match event.data:
        case CareSwitchedLive():
            return replace(sending, live_since=event.time)
        case CarePaused(kind=kind):
            return _with(sending, kind or EVERYTHING, (*sending.of(kind or EVERYTHING), Pause(event.time)))
        case CareResumed(kind=kind):
            ended = (p if p.until else replace(p, until=event.time) for p in sending.of(kind or EVERYTHING))
            return _with(sending, kind or EVERYTHING, tuple(ended))
        case _:
            return sending


def decide(sending: Sending, cause: object, now: datetime, policy: Policy) -> Iterable[Decided]:
    match cause:
        case Command(data=SwitchLive(), shop=shop):
            if sending.live_since is not None:
                yield _already("This shop is live.", "店铺已经是正式发送状态。")
            else:
                yield CareSwitchedLive(shop=shop)
        case Command(data=PauseSending(kind=kind, reason=reason), shop=shop):
            if sending.is_paused(kind or EVERYTHING):
                yield _already(f"Sending of {kind or 'everything'} is paused.", "该消息已处于暂停状态。")
            else:
                yield CarePaused(shop=shop, kind=kind, reason=reason)
        case Command(data=ResumeSending(kind=kind, reason=reason), shop=shop):
            if not sending.is_paused(kind or EVERYTHING):
                yield _already(f"Sending of {kind or 'everything'} is not paused.", "该消息未被暂停。")
            else:
                yield CareResumed(shop=shop, kind=kind, reason=reason)
        case _:
            return


def due(sending: Sending, policy: Policy) -> datetime | None:
    return None


def _with(sending: Sending, kind: str, pauses: tuple[Pause, ...]) -> Sending:
    return replace(sending, pauses={**sending.pauses, kind: pauses[-PAUSES:]})


def _already(message: str, message_zh: str) -> Rejected:
    return Rejected(code="already", message=f"{message} Nothing was changed.", message_zh=f"{message_zh}未做改动。")
