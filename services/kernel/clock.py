"""The one place that reads time."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What the time is. The log's own clock (recordedtime) decides; this one only says when to look."""

    def now(self) -> datetime: ...


class WallClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class DrivenClock:
    """A clock that somebody else moves: tests and the demo (`CAREBUS_CLOCK=driven`).

    The hand is `public.driven_clock` in the database; the service's loop reads it and calls `set`.
    """

    def __init__(self) -> None:
        self._now = EPOCH

    def now(self) -> datetime:
        return self._now

    def set(self, instant: datetime) -> None:
        """Move forward to `instant`; a clock never goes back."""
        self._now = max(self._now, instant)


def monotonic() -> float:
    """Seconds that only grow, for measuring how long something took."""
    return time.monotonic()


def from_nanoseconds(nanoseconds: int) -> datetime:
    """A JetStream timestamp in UTC, cut to microseconds (what Python and PostgreSQL hold)."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


def from_rfc3339(text: str) -> datetime:
    """A server's `ts`, which has up to nine digits of a second, cut to microseconds."""
    head, _, fraction = text.removesuffix("Z").partition(".")
    micro = int((fraction + "000000")[:6])
    return datetime.fromisoformat(head).replace(microsecond=micro, tzinfo=UTC)
