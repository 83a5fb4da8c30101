"""Any calendar against the slow and obvious one, which looks at every minute by itself."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.kernel.calendar import HORIZON_DAYS, Calendar, calendar_of
from services.kernel.policy import Policy, default_policy
from services.kernel.policy.trade import DayOverride
from services.kernel.policy.units import Window, minutes

POLICY = default_policy()
FIRST_DAYS = (date(2025, 9, 29), date(2025, 10, 22), date(2026, 3, 25))
"""So that calendars run through a week of holidays 国庆, and over the days on which Berlin changes its clocks."""
WORKED = (date(2025, 9, 28), date(2025, 10, 11))
"""Weekend days that are worked 调休, of the days that are looked at."""
DAYS = 11
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

CLOCKS = ["00:00", "03:30", "08:00", "09:15", "12:00", "13:00", "17:59", "20:00", "23:59", "24:00"]
windows = (
    st.tuples(st.sampled_from(CLOCKS[:-1]), st.sampled_from(CLOCKS))
    .filter(lambda ends: ends[0] != ends[1])
    .map(lambda ends: Window(start=ends[0], end=ends[1]))
)
services = st.lists(windows, max_size=3).map(tuple)


@st.composite
def calendars(draw: st.DrawFn, **orders: Any) -> "Drawn":
    """A shop's calendar, and an instant not far from its holidays and overrides."""
    first = draw(st.sampled_from(FIRST_DAYS))
    days = st.integers(0, DAYS - 1).map(lambda number: first + number * DAY)
    override = st.builds(DayOverride, day=days, service=st.none() | services, shipping=st.none() | st.booleans())
    rules = replace(
        POLICY.calendar,
        time_zone=draw(st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Asia/Kolkata"])),
        holidays_of=draw(st.sampled_from(["", "CN"])),
        service=draw(services),
        service_on_holidays=draw(st.booleans()),
        shipping_weekdays=tuple(draw(st.sets(st.integers(1, 7), min_size=1))),
        shipping_on_holidays=draw(st.booleans()),
        days=tuple(draw(st.lists(override, max_size=3, unique_by=lambda one: one.day))),
    )
    policy = replace(POLICY, calendar=rules, orders=replace(POLICY.orders, **orders))
    start = datetime.combine(first, time.min, UTC) + draw(st.integers(1440, (DAYS - 2) * 1440)) * MINUTE
    return Drawn(calendar_of(policy), Obvious(policy), start)


class Drawn(NamedTuple):
    calendar: Calendar
    obvious: "Obvious"
    start: datetime


class Obvious:
    """Minute by minute, from the instant on."""

    def __init__(self, policy: Policy) -> None:
        self.rules = policy.calendar
        self.orders = policy.orders
        self.zone = ZoneInfo(policy.calendar.time_zone)
        self.holiday = calendar_of(policy).is_holiday
        self.override = {override.day: override for override in self.rules.days}

    def open(self, moment: datetime) -> bool:
        local = moment.astimezone(self.zone)
        minute, today = local.hour * 60 + local.minute, local.date()
        for window in self.windows(today):
            start, end = minutes(window.start), minutes(window.end)
            if start <= minute and (minute < end or end < start):
                return True
        yesterdays = self.windows(today - DAY)
        return any(minutes(w.end) < minutes(w.start) and minute < minutes(w.end) for w in yesterdays)

    def windows(self, day: date) -> tuple[Window, ...]:
        override = self.override.get(day)
        if override is not None and override.service is not None:
            return override.service
        return () if self.holiday(day) and not self.rules.service_on_holidays else self.rules.service

    def ships(self, moment: datetime) -> bool:
        day = moment.astimezone(self.zone).date()
        override = self.override.get(day)
        if override is not None and override.shipping is not None:
            return override.shipping
        if self.holiday(day) and not self.rules.shipping_on_holidays:
            return False
        worked = self.rules.holidays_of == "CN" and day in WORKED
        return day.isoweekday() in self.rules.shipping_weekdays or worked

    def passed(self, counts: Any, moment: datetime, least: timedelta) -> datetime:
        """When `least` of the minutes that count have passed."""
        while least:
            least -= counts(moment) * MINUTE
            moment += MINUTE
        return moment

    def first(self, moment: datetime, wanted: bool) -> datetime | None:
        """The next minute at which the shop is open, or closed; None: there is none within DAYS."""
        minutes_on = (moment + number * MINUTE for number in range(DAYS * 1440))
        return next((later for later in minutes_on if self.open(later) == wanted), None)


@settings(max_examples=100, deadline=None)
@given(drawn=calendars(), length=st.integers(0, 3 * 1440))
def test_service_time_is_the_minutes_at_which_the_shop_is_open(drawn: Drawn, length: int) -> None:
    calendar, obvious, start = drawn
    open_minutes = sum(obvious.open(start + number * MINUTE) for number in range(length))
    assert calendar.working(start, start + length * MINUTE) == open_minutes * MINUTE
    assert calendar.is_open(start) == obvious.open(start)


@settings(max_examples=60, deadline=None)
@given(drawn=calendars())
def test_opening_and_closing_are_the_next_minutes_at_which_that_changes(drawn: Drawn) -> None:
    calendar, obvious, start = drawn
    opens = obvious.first(start, True)
    if opens is None:
        found = calendar.next_open(start)
        assert found is None or found >= start + DAYS * DAY
        return
    assert calendar.next_open(start) == opens
    closes = obvious.first(opens, False)
    if closes is None:
        end = calendar.next_interval_end(start)
        assert end is None or end >= opens + DAYS * DAY
        return
    assert calendar.next_interval_end(start) == closes
    assert calendar.end_of_interval(start) == (closes if opens == start else None)


@settings(max_examples=150, deadline=None)
@given(drawn=calendars(), microseconds=st.integers(1, 3 * 86_400_000_000))
def test_so_much_service_time_has_passed_first_at_the_instant_that_is_named(drawn: Drawn, microseconds: int) -> None:
    calendar, _, start = drawn
    length = timedelta(microseconds=microseconds)
    reached = calendar.plus_working(start, length)
    if reached is None:
        assert calendar.working(start, start + HORIZON_DAYS * DAY) < length
        return
    assert calendar.working(start, reached) == length
    assert calendar.working(start, reached - timedelta(microseconds=1)) < length


@settings(max_examples=150, deadline=None)
@given(drawn=calendars(), cuts=st.lists(st.integers(0, 86_400 * 5), min_size=1, max_size=4))
def test_service_time_adds_up(drawn: Drawn, cuts: list[int]) -> None:
    calendar, _, start = drawn
    moments = [start, *(start + timedelta(seconds=cut) for cut in sorted(cuts))]
    parts = sum((calendar.working(earlier, later) for earlier, later in pairwise(moments)), timedelta())
    assert calendar.working(start, moments[-1]) == parts


@settings(max_examples=100, deadline=None)
@given(data=st.data(), cutoff=st.sampled_from(["00:00", "18:00", "24:00"]))
def test_ship_due_is_what_counting_the_minutes_of_shipping_days_gives(data: st.DataObject, cutoff: str) -> None:
    calendar, obvious, paid = data.draw(calendars(ship_due_cutoff=cutoff))
    local = paid.astimezone(obvious.zone)
    if obvious.ships(paid) and local.hour * 60 + local.minute < minutes(cutoff):
        expected = paid
        while expected.astimezone(obvious.zone).date() == local.date():
            expected += MINUTE
    else:
        expected = obvious.passed(obvious.ships, paid, timedelta(hours=obvious.orders.ship_due_else_hours))
    assert calendar.ship_due(paid) == expected
