"""What the tests of the platforms' feeds have in common: asking a source, and messages that are nearly right."""

import json
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.fernet import Fernet
from hypothesis import strategies as st

from schemas.order import OrderLine
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.kernel.vault import Keys

KEYS = Keys(b"i" * 32, [Fernet.generate_key()])
NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
"""When INBOX took the message: 12:00 in GMT+8."""

Source = Callable[[RawFact], Iterable[Fact[Any] | Refused]]


class Feed:
    """A source under test; `source` and `kind` are those of its subject."""

    def __init__(self, translate: Source, source: str, kind: str) -> None:
        self._translate, self._source, self._kind = translate, source, kind

    def all(self, payload: Any, kind: str = "", now: datetime = NOW) -> list[Fact[Any] | Refused]:
        """Everything that the source makes of this payload: bytes as they are, else JSON."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return list(self._translate(RawFact(self._source, "s1", kind or self._kind, body, 1, now, KEYS)))

    def facts(self, payload: Any, kind: str = "", now: datetime = NOW) -> list[Fact[Any]]:
        found = self.all(payload, kind, now)
        refused = [one for one in found if isinstance(one, Refused)]
        assert not refused, refused
        return [one for one in found if isinstance(one, Fact)]

    def of(self, type: type[Any], payload: Any, kind: str = "", now: datetime = NOW) -> list[Fact[Any]]:
        return [fact for fact in self.facts(payload, kind, now) if isinstance(fact.data, type)]

    def one(self, type: type[Any], payload: Any, kind: str = "", now: datetime = NOW) -> Fact[Any]:
        (found,) = self.of(type, payload, kind, now)
        return found

    def refused(self, payload: Any, kind: str = "") -> Refused:
        """The one reason for which this payload is refused, whole."""
        (found,) = self.all(payload, kind)
        assert isinstance(found, Refused)
        return found


def local(text: str) -> datetime:
    """`11-11 10:00:00` of 2026 in GMT+8."""
    return datetime.fromisoformat(f"2026-{text}+08:00").astimezone(UTC)


def epoch(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def types(facts: Sequence[Fact[Any]]) -> list[str]:
    return [fact.data.TYPE for fact in facts]


def without(message: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in names}


def line(line_id: str, **more: Any) -> OrderLine:
    return OrderLine(line_id=line_id, **{"sku": line_id, "title": "", "quantity": 1, "price_fen": 0} | more)


def fits_the_contract(fact: Fact[Any]) -> bool:
    """What a fact says survives the way over the wire unchanged."""
    data = fact.data
    wire = msgspec.json.decode(msgspec.json.encode(data), type=type(data))
    return wire == msgspec.convert(msgspec.to_builtins(data), type(data)) == data and fact.time.tzinfo is not None


_ODD: list[Any] = [
    None, "", " ", 0, -1, True, [], {}, [[]], "0", "-1", "29.8", "1e3", "NaN", "29.801", 4705288465508532862, 10**30,
    1.5, "**", "张**", "2026-11-11 10:00:00", "0001-01-01 00:00:00", "1970-01-01 00:00:00", "2036-01-01 00:00:00",
    1618990587, 1618990587000, "{", '{"name":"x"}', "[1]", "\0", "\ud800", "9" * 300, [{}], [None], {"name": None},
    float("inf"), float("nan"),
]  # fmt: skip
"""Values that have made adapters stumble."""

_JSON = st.sampled_from(_ODD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for name, item in inner for place in ((*path, name), *_places(item, (*path, name)))]


@st.composite
def nearly(draw: st.DrawFn, messages: Sequence[Any]) -> Any:
    """One of these messages, in which some fields are missing or hold anything that JSON can."""
    message = json.loads(json.dumps(draw(st.sampled_from(messages))))
    for _ in range(draw(st.integers(1, 4))):
        places = _places(message)
        if not places:
            break
        *path, name = draw(st.sampled_from(places))
        holder = message
        for step in path:
            holder = holder[step]
        if draw(st.booleans()) and isinstance(holder, dict):
            del holder[name]
        else:
            holder[name] = deepcopy(draw(_JSON))
    return message
