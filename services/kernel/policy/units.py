"""What the numbers of a policy are measured in: a field's name ends in its unit, its type gives the range."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated

from msgspec import Meta, Struct

_DAY_MINUTES = 24 * 60
_TEN_YEARS_DAYS = 3660

Offset = Annotated[int, Meta(ge=-366 * 86_400, le=_TEN_YEARS_DAYS * 86_400)]
"""Seconds after an instant; negative: before it."""
Minutes = Annotated[int, Meta(ge=0, le=366 * _DAY_MINUTES)]
Hours = Annotated[int, Meta(ge=0, le=366 * 24)]
Days = Annotated[int, Meta(ge=0, le=_TEN_YEARS_DAYS)]
Number = Annotated[int, Meta(ge=0, le=1_000_000)]
Positive = Annotated[int, Meta(ge=1, le=1_000_000)]
Percent = Annotated[int, Meta(ge=100, le=1_000)]
"""Of a ratio that is at least one: 110 = 1.1 times."""
Weekday = Annotated[int, Meta(ge=1, le=7)]
"""ISO: Monday 1 to Sunday 7."""
Name = Annotated[str, Meta(min_length=1, max_length=100)]
CLOCK_PATTERN = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z"
ClockTime = Annotated[str, Meta(pattern=CLOCK_PATTERN)]
"""A local time of day, `HH:MM`; 24:00 is the end of the day. Two of them compare as text."""


class Window(Struct, frozen=True, kw_only=True):
    """A part of the local day, `start` included, `end` not; `end` before `start` crosses midnight."""

    start: ClockTime
    end: ClockTime

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError(f"{self.start} to {self.end} is empty; the whole day is 00:00 to 24:00")

    def covers(self, minute: int) -> bool:
        """Whether this minute of the local day (0 to 1439) lies in the window."""
        start, end = minutes(self.start), minutes(self.end)
        return start <= minute < end if start < end else minute >= start or minute < end


def minutes(clock: ClockTime) -> int:
    """Minutes since local midnight, 0 to 1440."""
    return int(clock[:2]) * 60 + int(clock[3:])


def instant(day: date, clock: ClockTime, zone: tzinfo) -> datetime:
    """The instant (UTC) of this local time on this local day; 24:00 is midnight of the next day."""
    return (datetime.combine(day, time.min, zone) + timedelta(minutes=minutes(clock))).astimezone(UTC)
