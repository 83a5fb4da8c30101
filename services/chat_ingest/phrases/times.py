"""Times that an agent promises, from the words that say them: 今天, 明天下午3点, 24小时内, 三天内 (domain.md 3).

A day without a time of day ends at 24:00 of the shop; a part of it at its end (上午 12:00, 下午 18:00); a time without
a day is the next one that comes; 5点 is 17:00. Working days (工作日) have no due time: no calendar is known here.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from services.chat_ingest.phrases.numbers import NUMBER, number
from services.kernel.policy.units import instant

_DAYS = {"今天": 0, "今日": 0, "今晚": 0, "明天": 1, "明日": 1, "明早": 1, "明晚": 1, "后天": 2}
_IN_DAYS = {"今晚": "晚上", "明早": "早上", "明晚": "晚上"}
"""The part of the day that is in the word for the day."""
_ENDS = {"凌晨": 6, "早上": 12, "上午": 12, "中午": 14, "下午": 18, "傍晚": 20, "晚上": 24}
"""The hour at which a part of the day ends."""
_AFTERNOON = frozenset({"下午", "傍晚", "晚上"})
_EARLIEST_HOUR = 8
"""No shop means an earlier hour of the morning without saying so."""

_SPAN = re.compile(
    rf"(?:{NUMBER}[~-])?(?P<n>{NUMBER}|半)(?P<half>个半)?个?(?P<unit>分钟|小时|钟头|工作日|天|日)(?:之内|以内|内|后|之后)"
)
_CLOCK = re.compile(
    rf"(?:(?P<day>今天|今日|今晚|明天|明日|明早|明晚|(?<!大)后天)的?)?(?P<part>凌晨|早上|上午|中午|下午|傍晚|晚上)?"
    rf"(?:(?P<hour>{NUMBER})(?::(?P<minute>[0-9]{{2}})|点(?P<half>半)?(?P<after>[0-9]{{1,2}})?分?))?"
)
_CONDITION = re.compile(r"(?:之?前|以前)?(?:您)?(?:付款|下单|拍下|支付|拍)")
"""今天18:00前付款的订单: when the buyer pays, not when the shop acts."""


class SaidTime(Struct, frozen=True):
    """A time said: text[start:end]. due_at: the instant that it means, in UTC; None: it cannot be told here."""

    start: int
    end: int
    due_at: datetime | None


def said_times(text: str, now: datetime) -> Iterator[SaidTime]:
    """The times in this normal form, in its order. now: in the time zone of the shop."""
    at = 0
    while at < len(text):
        found = _SPAN.match(text, at) or _CLOCK.match(text, at)
        if found is None or found.end() == at:
            at += 1
            continue
        if not _CONDITION.match(text, found.end()):
            yield SaidTime(at, found.end(), _span(found, now) if found.re is _SPAN else _clock(found, now))
        at = found.end()


def _span(found: re.Match[str], now: datetime) -> datetime | None:
    count = 0.5 if found["n"] == "半" else number(found["n"])
    if count is None or found["unit"] == "工作日":
        return None
    if found["unit"] in ("天", "日"):
        return instant(now.date() + timedelta(days=count), "24:00", now.tzinfo or UTC)
    length = count + (0.5 if found["half"] else 0)
    unit = timedelta(minutes=1) if found["unit"] == "分钟" else timedelta(hours=1)
    return (now + length * unit).astimezone(UTC)


def _clock(found: re.Match[str], now: datetime) -> datetime | None:
    part = found["part"] or _IN_DAYS.get(found["day"])
    hour, minute = (_ENDS.get(part or "", 24), 0) if found["hour"] is None else _hour(found, part)
    if hour is None or minute > 59 or hour * 60 + minute > 24 * 60:
        return None
    day = now.date() + timedelta(days=_DAYS.get(found["day"], 0))
    zone = now.tzinfo or UTC
    due = instant(day, f"{hour:02}:{minute:02}", zone)
    if due <= now and day == now.date() and part is None and hour < 12:
        due = instant(day, f"{hour + 12:02}:{minute:02}", zone)
    if due <= now and found["day"] is None:
        due = instant(day + timedelta(days=1), f"{hour:02}:{minute:02}", zone)
    return due


def _hour(found: re.Match[str], part: str | None) -> tuple[int | None, int]:
    """The hour of 24 and the minute that a clock time means in its part of the day."""
    hour = number(found["hour"])
    minute = 30 if found["half"] else int(found["minute"] or found["after"] or 0)
    if hour is None:
        return None, minute
    if (part in _AFTERNOON and hour < 12) or (part == "中午" and hour < 4) or (part is None and hour < _EARLIEST_HOUR):
        hour += 12
    elif part == "晚上" and hour == 12:
        hour = 24
    return hour, minute
