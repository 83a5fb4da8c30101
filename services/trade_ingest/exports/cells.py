"""Reading the cells of a row: ids, money, times, numbers. Pure; a fault never quotes the cell (it may be personal)."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from schemas.types import Fen, Id
from services.kernel.inputs import time_fault
from services.trade_ingest.exports.record import Row, Rules, plain

_SPOILT = re.compile(r"[0-9](\.[0-9]+)?[eE]\+[0-9]+")
_FEN = {
    "yuan": re.compile(r"([0-9]{1,14})(?:\.([0-9]{1,2}))?"),
    "fen": re.compile(r"([0-9]{1,16})()"),
}
_MANY_DECIMALS = re.compile(r"[0-9]+\.[0-9]+")
_DIGITS = re.compile(r"[0-9]{1,16}")

T = TypeVar("T")


class Fault(Struct, frozen=True):
    """What cannot be read: where (`orders.csv row 17`), which field (empty: the row), and why, quoting nothing."""

    place: str
    field: str
    reason: str


class Unreadable(ValueError):
    """Cells that cannot be read; what would have been made of them cannot be made."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(", ".join(f"{fault.place}: {fault.reason}" for fault in faults))
        self.faults = faults


class Cells(Struct, frozen=True):
    """The cells of one row under these rules. Each method raises Unreadable, and returns None for a null.

    received: when the record was published.
    """

    row: Row
    rules: Rules
    zone: ZoneInfo
    received: datetime

    def text(self, field: str, type: Any) -> str | None:
        """type: one of schemas.types, whose limits are kept."""
        if damage := self.row.damage:
            raise self.wrong("", damage)
        cell = self.row.fields.get(field, "")
        if "\0" in cell:
            raise self.wrong(field, "a NUL character")
        if (text := plain(cell)) in self.rules.nulls or not text:
            return None
        return self._of(type, field, text)

    def id(self, field: str, type: Any = Id) -> str | None:
        found = self.text(field, type)
        if found is not None and _SPOILT.fullmatch(found):
            raise self.wrong(field, "an id that a spreadsheet wrote as a number like 4.01E+17: its digits are lost")
        return found

    def fen(self, field: str) -> int | None:
        text = self.text(field, str)
        if text is None:
            return None
        if amount := _FEN[self.rules.money].fullmatch(text):
            whole, part = amount.groups()
            scale = 100 if self.rules.money == "yuan" else 1
            return self._of(Fen, field, int(whole) * scale + int((part or "").ljust(2, "0")))
        if text.startswith("-"):
            raise self.wrong(field, "a negative amount")
        if self.rules.money == "yuan" and _MANY_DECIMALS.fullmatch(text):
            raise self.wrong(field, "an amount with more than two decimals")
        raise self.wrong(field, f"no amount in {self.rules.money}")

    def time(self, field: str) -> datetime | None:
        """In UTC."""
        text = self.text(field, str)
        if text is None:
            return None
        form = self.rules.time_format
        try:
            local = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
            time = (local if local.tzinfo else local.replace(tzinfo=self.zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            said = "that rules.time_format says" if form else "YYYY-MM-DD HH:MM:SS"
            raise self.wrong(field, f"no time in the format {said}") from None
        if fault := time_fault(time, self.received):
            raise self.wrong(field, fault)
        return time

    def whole(self, field: str, type: Any) -> int | None:
        text = self.text(field, str)
        if text is None:
            return None
        if not _DIGITS.fullmatch(text):
            raise self.wrong(field, "no whole number")
        return self._of(type, field, int(text))

    def choice(self, field: str, type: Any) -> Any:
        """One of the words of a Literal."""
        text = self.text(field, str)
        try:
            return None if text is None else msgspec.convert(text, type)
        except msgspec.ValidationError:
            raise self.wrong(field, "not one of the words that the contract allows") from None

    def must(self, field: str, value: T | None) -> T:
        """The value of a cell that may not be null."""
        if value is None:
            raise self.wrong(field, "missing")
        return value

    def wrong(self, field: str, reason: str) -> Unreadable:
        return Unreadable(Fault(self.row.place, field, reason))

    def _of(self, type: Any, field: str, value: Any) -> Any:
        try:
            return msgspec.convert(value, type)
        except msgspec.ValidationError as error:
            raise self.wrong(field, str(error)) from None


@lru_cache(maxsize=256)
def reads_times(form: str) -> bool:
    """Whether this format of strptime says day, hour and minute, each once; empty (ISO 8601) it does."""
    some = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
    try:
        read = datetime.strptime(some.strftime(form), form) if form else some
    except (ValueError, re.error):  # re.error: a directive said twice, of which strptime makes one group each
        return False
    return read.replace(tzinfo=UTC) == some


def each(rows: Iterable[Cells], read: Callable[[Cells], T]) -> Sequence[T]:
    """All rows read; raises Unreadable with the faults of all that cannot be."""
    found: list[T] = []
    faults: list[Fault] = []
    for row in rows:
        try:
            found.append(read(row))
        except Unreadable as error:
            faults += error.faults
    if faults:
        raise Unreadable(*faults)
    return found
