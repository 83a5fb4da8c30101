"""Words for the failure of a story: what was expected, what was decided, where they differ, what came in."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from schemas.envelope import Event, Rejected
from schemas.subjects import NO_BUYER
from services.kernel.process import Emit, Fact

DAY = date(2026, 3, 2)
"""The day on which a time without a date lies: a Monday in no season."""


def clock(instant: datetime) -> str:
    """`10:00:20`, with the date where it is not DAY; in UTC."""
    there = instant.astimezone(UTC)
    time = there.time().isoformat()
    return time if there.date() == DAY else f"{there.date()} {time}"


def shown(value: Any) -> str:
    """A value in one line; of a Struct only what differs from its defaults."""
    if isinstance(value, datetime):
        return clock(value)
    for kind, left, right in ((tuple, "(", ")"), (list, "[", "]"), (set, "{", "}"), (frozenset, "{", "}")):
        if isinstance(value, kind):
            return left + ", ".join(shown(one) for one in value) + right
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(key)}: {shown(one)}" for key, one in value.items()) + "}"
    if not isinstance(value, Struct):
        return repr(value)
    said = [
        f"{field.name}={shown(one)}"
        for field in fields(value)
        if (one := getattr(value, field.name)) != _default(field)
    ]
    return f"{type(value).__name__}({', '.join(said)})"


def _default(field: FieldInfo) -> Any:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def differences(expected: Sequence[Any], decided: Sequence[Event[Any]]) -> list[str]:
    """One line for each place in which the decided events differ from the expected data; empty: as expected."""
    lines: list[str] = []
    for number in range(max(len(expected), len(decided))):
        place = f"{number + 1}."
        if number >= len(expected):
            lines.append(f"{place} expected nothing more, decided {shown(decided[number].data)}")
        elif number >= len(decided):
            lines.append(f"{place} expected {shown(_data(expected[number]))}, decided nothing")
        else:
            lines += (f"{place} {line}" for line in _unlike(expected[number], decided[number]))
    return lines


def _data(expected: Any) -> Any:
    return expected.data if isinstance(expected, Emit) else expected


def _unlike(expected: Any, event: Event[Any]) -> Iterable[str]:
    yield from unequal("", _data(expected), event.data)
    if isinstance(expected, Emit):
        for name in ("time", "shop", "buyer", "actor"):
            if wanted := getattr(expected, name):
                yield from unequal(f"({name})", wanted, getattr(event, name))


def unequal(path: str, expected: Any, found: Any, verb: str = "decided") -> Iterable[str]:
    """The fields in which two values differ, by path. verb: what became of the found one."""
    if expected == found:
        return
    if isinstance(expected, Struct) and type(expected) is type(found):
        for field in fields(expected):
            inner = f"{path}.{field.name}" if path else field.name
            yield from unequal(inner, getattr(expected, field.name), getattr(found, field.name), verb)
        return
    yield f"{path + ': ' if path else ''}expected {shown(expected)}, {verb} {shown(found)}"


def decided_line(event: Event[Any]) -> str:
    """`10:00:20 by the tick: ReplyOverdue(...)`, and the lane where it is not the story's own."""
    cause = " by the tick" if event.causationid.startswith("tick:") else ""
    lane = " for no buyer" if event.buyer == NO_BUYER else f" for {event.buyer}"
    return f"{clock(event.time)}{cause}{lane}: {shown(event.data)}"


def input_line(item: Any) -> str:
    """An event or a fact as it came in: when it happened, and when that was learnt if later."""
    if isinstance(item, Event | Fact):
        learnt = item.recordedtime
        late = f" (recorded {clock(learnt)})" if learnt is not None and learnt != item.time else ""
        return f"{clock(item.time)}{late} {item.buyer}: {shown(item.data)}"
    return shown(item)


def rejected_line(rejected: Rejected) -> str:
    field = f" at {rejected.field}" if rejected.field else ""
    return f"rejected: {rejected.code}{field}: {rejected.message}"


def listed(title: str, lines: Sequence[str]) -> str:
    body = "\n".join(f"  {line}" for line in lines) or "  nothing"
    return f"{title}:\n{body}"
