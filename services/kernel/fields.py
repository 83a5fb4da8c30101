"""Reading what platforms send: a JSON object, field by field, with the path of what cannot be read (feeds.md, traps).

Ids come as integers beyond 2^53 or as strings, money in yuan or fen, times naive in GMT+8 or as an epoch, lists as one
object or as `""`, objects as JSON in a string. Each reader takes every form that feeds have been seen to send, and says
None for what is not there: absent, null, or empty.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeGuard, TypeVar, cast

import msgspec

from schemas.types import MAX_SAFE_INTEGER, Fen, Id, Short, Text
from services.kernel.inputs import RawFact, Refused, time_fault
from services.kernel.process import Fact

GMT8 = timezone(timedelta(hours=8))
"""The clock of every platform here, whatever the machine's: naive times are of this zone."""

MAX_DEPTH = 32
"""Of JSON within JSON; deeper is no message of a platform."""

_MILLISECONDS = 100_000_000_000
"""An epoch from here on is in milliseconds: in seconds it would be the year 5138."""

_YUAN = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,2})0*)?")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_FLOATED = re.compile(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]+|[0-9]+\.[0-9]*")

_TRUTHS = {"true": True, "false": False, "1": True, "0": False}

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What JSON can spell and neither UTF-8 nor PostgreSQL can keep."""

T = TypeVar("T")


class Unreadable(ValueError):
    """A field that cannot be read: its path, and why, quoting nothing of what was sent."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


class Fields:
    """A JSON object of a feed. Every reader raises Unreadable. received: when INBOX took the message."""

    def __init__(self, values: Mapping[str, Any], received: datetime, path: str = "") -> None:
        self._values = values
        self._received = received
        self._path = path

    def __contains__(self, name: str) -> bool:
        return not _is_nothing(self._values.get(name))

    def said(self, name: str) -> bool:
        """Whether the feed says it at all, be it that it is empty (a memo that was taken away)."""
        return self._values.get(name) is not None

    def path(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def must(self, name: str, value: T | None) -> T:
        """The value of a field that may not be missing."""
        if value is None:
            raise self.wrong(name, "missing")
        return value

    def wrong(self, name: str, reason: str) -> Unreadable:
        return Unreadable(reason, self.path(name))

    def id(self, name: str, type: Any = Id) -> str | None:
        """An identifier, digit for digit. A float has lost digits already and is refused."""
        value = self._values.get(name)
        if _is_nothing(value):
            return None
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise self.wrong(name, "no id: neither a whole number nor a text")
        found = str(value).strip()
        if isinstance(value, str) and _FLOATED.fullmatch(found) and not found.isdigit():
            raise self.wrong(name, "an id written as a decimal number: its digits are lost")
        return self._of(type, name, found)

    def text(self, name: str, type: Any = Short) -> str | None:
        """A text; a number is taken as it is written."""
        value = self._values.get(name)
        if _is_nothing(value):
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | Written):
            raise self.wrong(name, "no text")
        return self._of(type, name, str(value).replace("\r\n", "\n"))

    def long_text(self, name: str) -> str | None:
        return self.text(name, Text)

    def whole(self, name: str) -> int | None:
        value = self._values.get(name)
        if _is_nothing(value):
            return None
        text = str(value).strip()
        if isinstance(value, bool | Written) or not isinstance(value, int | str) or not _WHOLE.fullmatch(text):
            raise self.wrong(name, "no whole number")
        if abs(int(text)) > MAX_SAFE_INTEGER:
            raise self.wrong(name, "a number beyond 2^53")
        return int(text)

    def yuan(self, name: str) -> int | None:
        """An amount in yuan (`"29.80"`), as fen."""
        text = self._amount(name)
        if text is None:
            return None
        if found := _YUAN.fullmatch(text):
            whole, part = found.groups()
            return self._of(Fen, name, int(whole) * 100 + int((part or "").ljust(2, "0")))
        raise self.wrong(name, "a negative amount" if text.startswith("-") else "no amount in yuan with two decimals")

    def fen(self, name: str) -> int | None:
        """An amount in fen, a whole number."""
        text = self._amount(name)
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) <= 16:
            return self._of(Fen, name, int(text))
        raise self.wrong(name, "a negative amount" if text.startswith("-") else "no whole amount in fen")

    def local(self, name: str, *, ahead: bool = False) -> datetime | None:
        """A time of day and date in GMT+8 (`2026-11-11 00:00:03`), in UTC; null-like years are nothing.

        ahead: it may lie in the future, a deadline.
        """
        value = self._values.get(name)
        if _is_nothing(value):
            return None
        if not isinstance(value, str):
            return self.epoch(name, ahead=ahead)
        try:
            found = datetime.fromisoformat(value.strip())
            time = (found if found.tzinfo else found.replace(tzinfo=GMT8)).astimezone(UTC)
        except (ValueError, OverflowError):
            if value.strip()[:4] in ("0001", "0000"):
                return None
            raise self.wrong(name, "no time like 2026-11-11 00:00:03") from None
        return self._time(name, time, ahead)

    def epoch(self, name: str, *, ahead: bool = False) -> datetime | None:
        """Seconds or milliseconds since 1970, in UTC; 0 is nothing. ahead: as in `local`."""
        number = self.whole(name)
        if not number:
            return None
        try:
            seconds = number / 1000 if abs(number) >= _MILLISECONDS else number
            return self._time(name, datetime.fromtimestamp(seconds, UTC), ahead)
        except (ValueError, OverflowError, OSError):
            raise self.wrong(name, "no time in seconds or milliseconds since 1970") from None

    def object(self, name: str) -> "Fields | None":
        """An object, also where it is JSON in a string."""
        value = self._values.get(name)
        if isinstance(value, str) and not _is_nothing(value):
            value = load(value.encode(errors="surrogatepass"), self.path(name))
        if _is_nothing(value):
            return None
        if not is_object(value):
            raise self.wrong(name, "no object")
        return Fields(value, self._received, self.path(name))

    def objects(self, name: str) -> list["Fields"]:
        """A list of objects; one object stands for a list of it, `""` for an empty one."""
        value = self._values.get(name)
        if isinstance(value, str) and not _is_nothing(value):
            value = load(value.encode(errors="surrogatepass"), self.path(name))
        if _is_nothing(value):
            return []
        found: list[Fields] = []
        for number, item in enumerate(_listed(value)):
            if not is_object(item):
                raise self.wrong(f"{name}[{number}]", "no object")
            found.append(Fields(item, self._received, f"{self.path(name)}[{number}]"))
        return found

    def ids(self, name: str) -> list[str]:
        """A list of identifiers; one stands for a list of it."""
        value = self._values.get(name)
        items = [] if _is_nothing(value) else _listed(value)
        inner = Fields({str(number): item for number, item in enumerate(items)}, self._received, self.path(name))
        return [inner.must(str(number), inner.id(str(number))) for number in range(len(items))]

    def choice(self, name: str, words: Mapping[str, T]) -> T | None:
        """What the feed's word (or number) means. One that nobody knows is refused, never guessed."""
        text = self.text(name)
        if text is None:
            return None
        if text not in words:
            raise self.wrong(name, "not one of the values that are known here")
        return words[text]

    def truth(self, name: str) -> bool | None:
        """Yes or no: JSON's own true and false, or a word for them."""
        value = self._values.get(name)
        return value if isinstance(value, bool) else self.choice(name, _TRUTHS)

    def _amount(self, name: str) -> str | None:
        value = self._values.get(name)
        if _is_nothing(value):
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | Written):
            raise self.wrong(name, "no amount")
        return str(value).strip()

    def _time(self, name: str, time: datetime, ahead: bool) -> datetime | None:
        if time.year <= 1970:  # the null of a platform
            return None
        if fault := time_fault(time, max(time, self._received) if ahead else self._received):
            raise self.wrong(name, fault)
        return time

    def _of(self, type: Any, name: str, value: Any) -> Any:
        if isinstance(value, str) and _UNSTORABLE.search(value):
            raise self.wrong(name, "a NUL character, or half of a surrogate pair")
        try:
            return msgspec.convert(value, type)
        except msgspec.ValidationError as error:
            raise self.wrong(name, str(error).partition(" - at")[0]) from None


class Written(str):
    """A number with a point or an exponent, as it was written: a float would change it."""


def load(payload: bytes, path: str = "") -> Any:
    """The JSON in these bytes (UTF-8, with or without a BOM). Raises Unreadable."""
    try:
        text = payload.removeprefix(codecs.BOM_UTF8).decode()
        found = json.loads(text, parse_float=Written, parse_constant=Written)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON in UTF-8", path) from None
    if _depth(found) > MAX_DEPTH:
        raise Unreadable(f"JSON more than {MAX_DEPTH} deep", path)
    return found


def message(raw: RawFact) -> Fields:
    """The one object of a message. Raises Unreadable."""
    found = load(raw.payload)
    if not is_object(found):
        raise Unreadable("no JSON object")
    return Fields(found, raw.recorded)


def messages(raw: RawFact) -> list[Fields]:
    """The objects of a message: a list of them, or one. Raises Unreadable."""
    found = load(raw.payload)
    if is_object(found):
        return [Fields(found, raw.recorded)]
    items = _listed(found)
    if not all(is_object(item) for item in items):
        raise Unreadable("neither a JSON object nor a list of objects")
    return [Fields(item, raw.recorded, f"[{number}]") for number, item in enumerate(items)]


def told(read: Callable[[], Iterable[Fact[Any]]]) -> Iterator[Fact[Any] | Refused]:
    """What `read` makes of a message, or of one of its parts; Refused where it raises Unreadable.

    All or nothing: of a part that cannot be read no fact is told.
    """
    try:
        yield from list(read())
    except Unreadable as error:
        yield Refused(str(error), error.field)


def is_masked(text: str) -> bool:
    """Whether a platform has hidden some of it (`张**`, `138****1234`): never an identity."""
    return "*" in text or "＊" in text


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _listed(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else [value]


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value in ([], {})


def _depth(value: Any) -> int:
    """How deep JSON is nested, without recursion."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        nested: list[Any] = []
        for item in level:
            nested += item.values() if is_object(item) else cast(list[Any], item) if isinstance(item, list) else ()
        level = nested
    return depth - 1
