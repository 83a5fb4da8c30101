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

EVERYTHING = ""
"""The key of a pause of all kinds."""


class Pause(Struct, frozen=True):
    """The last pause of a kind, or of everything; until: absent while it lasts."""

    since: datetime
    until: datetime | None = None

    def holds(self, recorded: datetime) -> bool:
        """Whether what was recorded then is held back: it came due while the pause lasted, or it lasts."""
        return self.until is None or self.since <= recorded < self.until


class Sending(Struct, frozen=True):
    """live_since: absent in shadow mode. pauses: kind, or EVERYTHING, -> its last pause."""

    live_since: datetime | None = None
    pauses: dict[str, Pause] = {}

    def is_paused(self, kind: str) -> bool:
        pause = self.pauses.get(kind)
        return pause is not None and pause.until is None

    def holds_back(self, kind: CareKind, recorded: datetime) -> Literal["shadow", "paused"] | None:
        """Why a request of this kind that the log recorded then is not sent; None: it may be."""
        if self.live_since is None or recorded <= self.live_since:
            return "shadow"
        pauses = (self.pauses.get(EVERYTHING), self.pauses.get(kind))
        return "paused" if any(pause and pause.holds(recorded) for pause in pauses) else None


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
            return replace(sending, pauses={**sending.pauses, kind or EVERYTHING: Pause(event.time)})
        case CareResumed(kind=kind) if pause := sending.pauses.get(kind or EVERYTHING):
            return replace(sending, pauses={**sending.pauses, kind or EVERYTHING: replace(pause, until=event.time)})
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


def _already(message: str, message_zh: str) -> Rejected:
    return Rejected(code="already", message=f"{message} Nothing was changed.", message_zh=f"{message_zh}未做改动。")
