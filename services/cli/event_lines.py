"""An event of the log as a line to read, or as the JSON it is stored as."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from services.kernel.reader import Message

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""The shops' own time, in which the desk reads."""
MAX_FIELDS = 5
MAX_VALUE = 40
"""Characters of one value; a chat's text is cut here."""

_PASSED_OVER = frozenset({"conversation_id", "care_id", "version"})
"""Long ids that say little to a reader and that `--json` shows."""


def as_object(message: Message) -> str:
    """The CloudEvent as stored, with seq and recordedtime; one that is no JSON object is told with its fault."""
    told: dict[str, Any] = {"seq": message.seq, "recordedtime": message.recorded}
    try:
        told |= _object(message.payload)
    except ValueError as error:
        told |= {"subject": message.subject, "fault": str(error)}
    return msgspec.json.encode(told).decode()


def as_line(message: Message) -> str:
    """`10:00:03  order.paid  demo_shop  buyer-lin  o1001  paid 29.80` on one line without control characters."""
    try:
        event = _object(message.payload)
        when = datetime.fromisoformat(event["time"]).astimezone(SHANGHAI)
        data: dict[str, Any] = event["data"]
        said = [event["type"], event["shop"], event["buyer"], event["subject"], *_fields(data, event["subject"])]
    except (ValueError, LookupError, TypeError, AttributeError):
        when = message.recorded.astimezone(SHANGHAI)
        said = [message.subject, f"(event {message.seq} cannot be read)"]
    return "  ".join([f"{when:%Y-%m-%d %H:%M:%S}", *map(printable, said)])


def printable(text: object) -> str:
    """On one line, without what could move a terminal's cursor or turn the direction of writing."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def cut(text: str, most: int = MAX_VALUE) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _object(payload: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from None


def _fields(data: dict[str, Any], about: str) -> list[str]:
    """A few of the fields that are one value, the text of a chat first."""
    told = [
        f"{name.removesuffix('_fen').removesuffix('_id')}={_value(name, value)}"
        for name, value in sorted(data.items(), key=lambda field: field[0] != "text")
        if name not in _PASSED_OVER and value != about and _says_something(value)
    ]
    return told[:MAX_FIELDS]


def _says_something(value: object) -> bool:
    return isinstance(value, str | int | float) and value is not False and value != ""


def _value(name: str, value: Any) -> str:
    if name.endswith("_fen") and isinstance(value, int):
        return f"{value / 100:.2f}"
    if isinstance(value, str) and name.endswith(("_at", "_by", "time", "until", "not_before")) and value[:2] == "20":
        return _local(value)
    return "yes" if value is True else cut(printable(value))


def _local(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text).astimezone(SHANGHAI):%m-%d %H:%M}"
    except ValueError:
        return cut(printable(text))
