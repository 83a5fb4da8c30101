"""Calendar: service time, shipping days, holidays and promo periods (domain.md 1, 2, 3)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.kernel.calendar import HORIZON_DAYS, Calendar, calendar_of
from services.kernel.policy import Policy, default_policy
from services.kernel.policy.trade import DayOverride, Promo
from services.kernel.policy.units import Window

POLICY = default_policy()
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


def under(**rules: Any) -> Policy:
    return replace(POLICY, calendar=replace(POLICY.calendar, **rules))


def calendar(*windows: str, **rules: Any) -> Calendar:
    """With these service windows, `"09:00-12:00"`; the default's where none is given."""
    if windows:
        rules["service"] = tuple(Window(start=window[:5], end=window[6:]) for window in windows)
    return calendar_of(under(**rules))


def at(local: str) -> datetime:
    """`"2026-03-02 10:00"` in Shanghai, as an instant."""
    return datetime.fromisoformat(f"{local}+08:00").astimezone(UTC)


USUAL = calendar()
LUNCH = calendar("09:00-12:00", "13:00-18:00")
ROUND_MIDNIGHT = calendar("00:00-02:00", "20:00-24:00")
ALWAYS = calendar("00:00-24:00", holidays_of="")
NEVER = calendar(service=())


def test_a_shop_is_open_from_the_start_of_an_interval_until_its_end() -> None:
    assert not USUAL.is_open(at("2026-03-02 09:00") - MICROSECOND)
    assert USUAL.is_open(at("2026-03-02 09:00"))
    assert USUAL.is_open(at("2026-03-02 23:30") - MICROSECOND)
    assert not USUAL.is_open(at("2026-03-02 23:30"))


def test_service_time_leaves_out_the_lunch_pause_and_the_night() -> None:
    assert LUNCH.working_ms(at("2026-03-02 11:00"), at("2026-03-03 10:00")) == 7 * 3_600_000
    assert LUNCH.working_ms(at("2026-03-02 12:10"), at("2026-03-02 12:50")) == 0


def test_no_service_time_lies_between_an_instant_and_one_before_it() -> None:
    assert LUNCH.working(at("2026-03-02 11:00"), at("2026-03-02 10:00")) == timedelta()


def test_an_interval_that_ends_at_24_00_goes_on_in_one_from_00_00() -> None:
    evening = at("2026-03-02 23:59:50")
    assert ROUND_MIDNIGHT.working_ms(evening, evening + 20 * SECOND) == 20_000
    assert ROUND_MIDNIGHT.plus_working(evening, 20 * SECOND) == evening + 20 * SECOND
    assert ROUND_MIDNIGHT.end_of_interval(evening) == at("2026-03-03 02:00")


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    night = calendar("22:00-02:00", days=(DayOverride(day=date(2026, 3, 3), service=()),))
    assert night.is_open(at("2026-03-03 01:59")), "the night shift of the 2nd"
    assert not night.is_open(at("2026-03-03 22:00"))
    assert not night.is_open(at("2026-03-04 01:00"))
    assert night.next_open(at("2026-03-03 02:00")) == at("2026-03-04 22:00")


def test_windows_that_overlap_count_once() -> None:
    assert (
        calendar("09:00-12:00", "10:00-14:00").working(at("2026-03-02 08:00"), at("2026-03-02 20:00")) == 5 * DAY / 24
    )


def test_what_is_left_off_hours_is_due_from_the_next_opening() -> None:
    night = at("2026-03-02 23:45")
    assert USUAL.next_open(night) == at("2026-03-03 09:00")
    assert USUAL.plus_working(night, 20 * SECOND) == at("2026-03-03 09:00:20")
    assert USUAL.next_open(at("2026-03-02 10:00")) == at("2026-03-02 10:00")


def test_a_duration_that_the_interval_just_holds_ends_with_it() -> None:
    assert LUNCH.plus_working(at("2026-03-02 11:59:40"), 20 * SECOND) == at("2026-03-02 12:00")
    assert LUNCH.plus_working(at("2026-03-02 11:59:41"), 20 * SECOND) == at("2026-03-02 13:00:01")


def test_the_end_of_an_interval_is_of_the_one_that_goes_on_or_of_the_next() -> None:
    assert LUNCH.end_of_interval(at("2026-03-02 11:00")) == at("2026-03-02 12:00")
    assert LUNCH.end_of_interval(at("2026-03-02 12:00")) is None
    assert LUNCH.next_interval_end(at("2026-03-02 11:00")) == at("2026-03-02 12:00")
    assert LUNCH.next_interval_end(at("2026-03-02 12:00")) == at("2026-03-02 18:00")
    assert LUNCH.next_interval_end(at("2026-03-02 19:00")) == at("2026-03-03 12:00")


def test_a_shop_that_is_never_open_answers_none() -> None:
    moment = at("2026-03-02 10:00")
    assert NEVER.next_open(moment) is NEVER.plus_working(moment, SECOND) is NEVER.next_interval_end(moment) is None
    assert NEVER.working(moment, moment + 10 * HORIZON_DAYS * DAY) == timedelta()


def test_a_shop_that_never_closes_has_no_end_of_an_interval() -> None:
    assert ALWAYS.end_of_interval(at("2026-03-02 10:00")) is ALWAYS.next_interval_end(at("2026-03-02 10:00")) is None
    assert ALWAYS.working(at("2026-03-02 10:00"), at("2026-03-05 11:00")) == 3 * DAY + DAY / 24


def test_nothing_is_looked_for_beyond_the_horizon() -> None:
    moment = at("2026-03-02 00:00")
    assert ALWAYS.working(moment, moment + 10 * HORIZON_DAYS * DAY) == HORIZON_DAYS * DAY
    assert ALWAYS.plus_working(moment, HORIZON_DAYS * DAY) == moment + HORIZON_DAYS * DAY
    assert ALWAYS.plus_working(moment, HORIZON_DAYS * DAY + MICROSECOND) is None


def test_a_day_may_have_other_service_hours_or_none() -> None:
    days = (
        DayOverride(day=date(2026, 3, 3), service=(Window(start="10:00", end="11:00"),)),
        DayOverride(day=date(2026, 3, 4), service=()),
        DayOverride(day=date(2026, 3, 5), shipping=False),
    )
    shop = calendar("09:00-18:00", days=days)
    assert shop.working(at("2026-03-03 00:00"), at("2026-03-05 00:00")) == DAY / 24
    assert shop.next_open(at("2026-03-03 11:00")) == at("2026-03-05 09:00")


def test_whether_a_shop_answers_on_holidays_is_policy_and_an_override_has_the_last_word() -> None:
    national_day = at("2025-10-01 10:00")
    assert not calendar(service_on_holidays=False).is_open(national_day)
    assert calendar(service_on_holidays=True).is_open(national_day)
    kept = DayOverride(day=date(2025, 10, 1), service=POLICY.calendar.service)
    assert calendar(service_on_holidays=False, days=(kept,)).is_open(national_day)


def test_holidays_are_the_librarys_with_the_weekend_that_they_enclose() -> None:
    """国庆 2025: 1 to 8 October are off, 28 September and 11 October are worked."""
    found = [day for day in range(1, 13) if USUAL.is_holiday(date(2025, 10, day))]
    assert found == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("day", [date(2024, 6, 9), date(2025, 4, 5)], ids=["before", "after"])
def test_a_weekend_on_one_side_of_a_holiday_is_no_more_than_a_weekend(day: date) -> None:
    assert not USUAL.is_holiday(day)


def test_a_shop_without_a_country_has_no_holidays() -> None:
    assert not calendar(holidays_of="").is_holiday(date(2025, 10, 1))


def test_holidays_are_those_of_the_country() -> None:
    assert calendar(holidays_of="US").is_holiday(date(2026, 7, 3)), "observed"
    assert not USUAL.is_holiday(date(2026, 7, 3))


def test_shipping_days_are_weekdays_without_holidays_and_with_the_working_weekends() -> None:
    week = calendar(shipping_weekdays=(1, 2, 3, 4, 5))
    assert [day for day in range(1, 13) if week.is_shipping_day(date(2025, 10, day))] == [9, 10, 11]
    assert week.is_shipping_day(date(2025, 9, 28)), "a Sunday that is worked 调休"
    assert not week.is_shipping_day(date(2025, 9, 27))


def test_shipping_on_holidays_and_on_single_days_is_policy() -> None:
    holiday = date(2025, 10, 1)
    assert not calendar(shipping_on_holidays=False).is_shipping_day(holiday)
    assert calendar(shipping_on_holidays=True).is_shipping_day(holiday)
    assert calendar(days=(DayOverride(day=holiday, shipping=True),)).is_shipping_day(holiday)
    assert not calendar(days=(DayOverride(day=date(2026, 3, 2), shipping=False),)).is_shipping_day(date(2026, 3, 2))


@pytest.mark.parametrize(
    ("paid", "due"),
    [
        ("2025-09-25 00:00", "2025-09-26 00:00"),
        ("2025-09-25 17:59:59.999999", "2025-09-26 00:00"),
        ("2025-09-25 18:00", "2025-09-26 18:00"),
        ("2025-09-25 23:59:59", "2025-09-26 23:59:59"),
        ("2025-09-30 17:00", "2025-10-01 00:00"),
        ("2025-09-30 20:00", "2025-10-09 20:00"),
        ("2025-10-01 10:00", "2025-10-10 00:00"),
        ("2025-10-08 23:59", "2025-10-10 00:00"),
    ],
)
def test_ship_due_is_24_00_of_the_payment_day_before_the_cut_off_and_else_24_h_of_shipping_days(
    paid: str, due: str
) -> None:
    assert USUAL.ship_due(at(paid)) == at(due)


def test_the_cut_off_and_the_hours_of_ship_due_are_policy() -> None:
    orders = replace(POLICY.orders, ship_due_cutoff="16:00", ship_due_else_hours=48)
    shop = calendar_of(replace(under(shipping_weekdays=(1, 2, 3, 4, 5)), orders=orders))
    assert shop.ship_due(at("2026-03-05 15:59")) == at("2026-03-06 00:00")
    assert shop.ship_due(at("2026-03-05 16:00")) == at("2026-03-09 16:00"), "Saturday and Sunday do not count"


def test_a_shop_that_ships_on_no_day_owes_nothing_at_any_instant() -> None:
    first = date(2026, 3, 1)
    closed = tuple(DayOverride(day=first + number * DAY, shipping=False) for number in range(HORIZON_DAYS + 2))
    assert calendar(days=closed).ship_due(at("2026-03-02 10:00")) is None


def test_a_promo_has_its_own_reply_targets_on_its_local_days() -> None:
    reply = replace(POLICY.reception.reply, nudge_s=40, warn_s=60, breach_s=120)
    days: dict[str, Any] = {"first_day": date(2025, 11, 10), "last_day": date(2025, 11, 12)}
    shop = calendar(promo=(Promo(name="预热", **days), Promo(name="双11", reply=reply, **days)))
    assert shop.reply_targets(at("2025-11-09 23:59:59")) == POLICY.reception.reply
    assert shop.reply_targets(at("2025-11-10 00:00")) == reply
    assert shop.reply_targets(at("2025-11-12 23:59:59")) == reply
    assert shop.reply_targets(at("2025-11-13 00:00")) == POLICY.reception.reply
    assert [promo.name for promo in shop.promos(date(2025, 11, 11))] == ["预热", "双11"]


def test_the_local_day_is_that_of_the_shops_time_zone() -> None:
    assert USUAL.local_day(datetime(2026, 3, 1, 16, 0, tzinfo=UTC)) == date(2026, 3, 2)
    assert calendar(time_zone="America/New_York").local_day(datetime(2026, 3, 1, 4, 59, tzinfo=UTC)) == date(
        2026, 2, 28
    )


def test_a_local_day_ends_at_24_00() -> None:
    assert USUAL.end_of_day(at("2026-03-02 23:59:59")) == at("2026-03-03 00:00")
    assert USUAL.end_of_day(at("2026-03-03 00:00")) == at("2026-03-04 00:00")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_is_as_long_as_the_clocks_make_it(day: str, hours: int) -> None:
    berlin = calendar("00:00-24:00", time_zone="Europe/Berlin", holidays_of="")
    noon = datetime.fromisoformat(f"{day}T12:00+00:00")
    assert berlin.working(noon - 3 * DAY, noon + 3 * DAY) == 6 * DAY
    one = DayOverride(day=noon.date(), service=(Window(start="00:00", end="24:00"),))
    only = calendar(service=(), days=(one,), time_zone="Europe/Berlin")
    assert only.working(noon - 3 * DAY, noon + 3 * DAY) == hours * DAY / 24


def test_policies_that_say_the_same_share_one_calendar() -> None:
    assert calendar_of(replace(POLICY, shop=replace(POLICY.shop, name="another"))) is calendar_of(POLICY)
    assert calendar_of(under(service=())) is not calendar_of(POLICY)
