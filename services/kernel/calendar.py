"""Calendar: when a shop answers and when it ships, and how much of that time lies between two instants.

Source: domain.md 1 (service hours, shipping days, holidays, promo periods), 2 (ship due), 3 (service time).

- **Service time** is what the windows of policy `calendar.service` cover. A window belongs to the local day on which
  it begins, also where it goes on past midnight; that day's override or holiday says whether it is kept. Windows that
  touch or overlap are one interval, over midnight too: 24:00 is the 00:00 of the next day.
- **Holidays** are those of the library `holidays`, and the weekend days that they enclose (国庆 is eight days in a row,
  of which the library names those that are not weekends anyway). A make-up working day 调休 is none. Whether a shop
  answers or ships on holidays is policy; an override of a day has the last word.
- **Shipping days** are the policy's weekdays and the make-up working days, without holidays.

Instants are aware; those that are given back are UTC. Nothing is looked for beyond HORIZON_DAYS: what lies further
away is None, and time between two instants that are further apart is that of the first HORIZON_DAYS.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
from msgspec import Struct

from services.kernel.policy.model import Policy
from services.kernel.policy.trade import Calendar as Rules
from services.kernel.policy.trade import Orders, Promo, ReplyTargets
from services.kernel.policy.units import Window, instant

HORIZON_DAYS = 400
"""Own: more than a year, so that whatever a calendar repeats has come once."""

_DAY = timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)
_REMEMBERED_DAYS = 1_024

Span = tuple[datetime, datetime]
"""From an instant, included, to another, not included."""


class PublicHolidays(Struct, frozen=True):
    """A country's year: days off, weekend days that are worked (调休), and which days of the week are its weekend."""

    off: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()
    weekend: frozenset[int] = frozenset()

    def rests(self, day: date) -> bool:
        """A weekend day that is no more than that."""
        return day.weekday() in self.weekend and day not in self.worked and day not in self.off


class Calendar:
    """The calendar of a shop; made by `calendar_of`. It never changes, so its days are computed once."""

    def __init__(self, rules: Rules, orders: Orders, reply: ReplyTargets) -> None:
        self._rules = rules
        self._orders = orders
        self._reply = reply
        self._zone = ZoneInfo(rules.time_zone)
        self._overrides = {override.day: override for override in rules.days}
        self._service = lru_cache(_REMEMBERED_DAYS)(self._service_of)
        self._shipping = lru_cache(_REMEMBERED_DAYS)(self._shipping_of)

    def local_day(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()

    def is_open(self, moment: datetime) -> bool:
        """Whether the shop answers at this instant; the end of an interval is no part of it."""
        return any(start <= moment < end for start, end in self._service(self.local_day(moment)))

    def working(self, start: datetime, end: datetime) -> timedelta:
        """Service time between two instants; none where `end` comes first."""
        total = timedelta()
        for opens, closes in self._spans(self._service, start):
            if opens >= end:
                break
            total += min(closes, end) - opens
        return total

    def working_ms(self, start: datetime, end: datetime) -> int:
        return self.working(start, end) // _MILLISECOND

    def plus_working(self, start: datetime, duration: timedelta) -> datetime | None:
        """The first instant at which so much service time has passed since `start`."""
        return _passed(self._spans(self._service, start), start, duration)

    def next_open(self, moment: datetime) -> datetime | None:
        """This instant if the shop is open, otherwise when it opens next."""
        return next((opens for opens, _ in self._spans(self._service, moment)), None)

    def end_of_interval(self, moment: datetime) -> datetime | None:
        """When the interval ends in which this instant lies; None when closed, or where no end is in sight."""
        if not self.is_open(moment):
            return None
        spans = self._spans(self._service, moment)
        _, end = next(spans)
        for opens, closes in spans:
            if opens != end:
                return end
            end = closes
        return end if self._seen(moment, end) else None

    def next_interval_end(self, moment: datetime) -> datetime | None:
        """When the interval ends that goes on now or, when closed, comes next."""
        opens = self.next_open(moment)
        return None if opens is None else self.end_of_interval(opens)

    def end_of_day(self, moment: datetime) -> datetime:
        """24:00 of the local day in which this instant lies."""
        return instant(self.local_day(moment), "24:00", self._zone)

    def promos(self, day: date) -> Iterator[Promo]:
        """The promo periods of this local day, in the policy's order."""
        return (promo for promo in self._rules.promo if promo.first_day <= day <= promo.last_day)

    def reply_targets(self, moment: datetime) -> ReplyTargets:
        """Answer times in force: of the day's first promo that has its own, otherwise the usual ones."""
        own = (promo.reply for promo in self.promos(self.local_day(moment)) if promo.reply is not None)
        return next(own, self._reply)

    def is_holiday(self, day: date) -> bool:
        """A public holiday, or a weekend day between two of them."""
        year = self._holidays(day)
        return day in year.off or (year.rests(day) and self._borders(day, -_DAY) and self._borders(day, _DAY))

    def is_shipping_day(self, day: date) -> bool:
        override = self._overrides.get(day)
        if override is not None and override.shipping is not None:
            return override.shipping
        if self.is_holiday(day) and not self._rules.shipping_on_holidays:
            return False
        return day.isoweekday() in self._rules.shipping_weekdays or day in self._holidays(day).worked

    def ship_due(self, paid: datetime) -> datetime | None:
        """24:00 of the payment day if paid before the cut-off on a shipping day; otherwise when 24 h (policy) of
        shipping days have passed since payment. A platform's own `ship_by` is not looked at here (domain.md 2).
        """
        day = self.local_day(paid)
        if self.is_shipping_day(day) and paid < instant(day, self._orders.ship_due_cutoff, self._zone):
            return instant(day, "24:00", self._zone)
        return _passed(self._spans(self._shipping, paid), paid, timedelta(hours=self._orders.ship_due_else_hours))

    def _spans(self, of_day: Callable[[date], tuple[Span, ...]], since: datetime) -> Iterator[Span]:
        """What is left of the spans from `since` on, in their order; each lies within one local day."""
        first = self.local_day(since)
        for number in range(HORIZON_DAYS):
            for start, end in of_day(first + number * _DAY):
                if end > since:
                    yield max(start, since), end

    def _seen(self, moment: datetime, end: datetime) -> bool:
        """Whether the day after `end` was still looked at."""
        return self.local_day(end) < self.local_day(moment) + HORIZON_DAYS * _DAY

    def _service_of(self, day: date) -> tuple[Span, ...]:
        """Windows of this day, and what is left of those that began the evening before."""
        midnight, next_midnight = self._whole(day)
        begun = [span for begins in (day - _DAY, day) for span in self._begun_on(begins)]
        return _united((max(start, midnight), min(end, next_midnight)) for start, end in begun)

    def _shipping_of(self, day: date) -> tuple[Span, ...]:
        return (self._whole(day),) if self.is_shipping_day(day) else ()

    def _begun_on(self, day: date) -> Iterator[Span]:
        for window in self._windows(day):
            last = day if window.start < window.end else day + _DAY
            yield instant(day, window.start, self._zone), instant(last, window.end, self._zone)

    def _windows(self, day: date) -> tuple[Window, ...]:
        override = self._overrides.get(day)
        if override is not None and override.service is not None:
            return override.service
        kept = self._rules.service_on_holidays or not self.is_holiday(day)
        return self._rules.service if kept else ()

    def _whole(self, day: date) -> Span:
        return instant(day, "00:00", self._zone), instant(day, "24:00", self._zone)

    def _holidays(self, day: date) -> PublicHolidays:
        return public_holidays(self._rules.holidays_of, day.year)

    def _borders(self, day: date, step: timedelta) -> bool:
        """Whether, in this direction, the weekend ends at a public holiday."""
        while self._holidays(day).rests(day):
            day += step
        return day in self._holidays(day).off


def calendar_of(policy: Policy) -> Calendar:
    """The calendar of this policy; policies that say the same of it share one."""
    return _calendar(policy.calendar, policy.orders, policy.reception.reply)


_calendar = lru_cache(maxsize=256)(Calendar)


@lru_cache(maxsize=64)
def public_holidays(country: str, year: int) -> PublicHolidays:
    """What the library knows of a year; nothing without a country. Raises NotImplementedError for an unknown one."""
    if not country:
        return PublicHolidays()
    known = holidays.country_holidays(country, years=(year, year + 1), expand=False)
    return PublicHolidays(frozenset(known), frozenset(known.weekend_workdays), frozenset(known.weekend))


def _united(spans: Iterable[Span]) -> tuple[Span, ...]:
    """In order of time, and one where they touch or overlap; a span that ends before it begins is nothing."""
    united: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return tuple(united)


def _passed(spans: Iterable[Span], start: datetime, duration: timedelta) -> datetime | None:
    """The first instant at which `duration` of the spans has passed; None: they do not last so long."""
    if duration <= timedelta():
        return start
    for opens, closes in spans:
        if closes - opens >= duration:
            return opens + duration
        duration -= closes - opens
    return None
