"""An event of the log as a line to read, or as the JSON it is stored as."""

from datetime import datetime
from typing import Any

import msgspec

from services.cli.text import TO_THE_MINUTE, cut, local, printable
from services.kernel.reader import Message

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
        when = datetime.fromisoformat(event["time"])
        data: dict[str, Any] = event["data"]
        said = [event["type"], event["shop"], event["buyer"], event["subject"], *_fields(data, event["subject"])]
    except (ValueError, LookupError, TypeError, AttributeError):
        when = message.recorded
        said = [message.subject, f"(event {message.seq} cannot be read)"]
    return "  ".join([local(when), *map(printable, said)])


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
        return _time(value)
    return "yes" if value is True else cut(printable(value), MAX_VALUE)


def _time(text: str) -> str:
    try:
        return local(datetime.fromisoformat(text), TO_THE_MINUTE)
    except ValueError:
        return cut(printable(text), MAX_VALUE)
