"""JSON to Structs, strictly: what msgspec's types cannot say about text, times and free-form JSON is checked
here.

A string holds no NUL (no database text can), a time is in UTC, free-form JSON (`JsonObject`) is bounded in
depth and its integers are exact in every language.
"""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Raw, Struct

from schemas.types import MAX_SAFE_INTEGER

MAX_DEPTH = 32
"""How deep free-form JSON may be nested."""

T = TypeVar("T")

_ESCAPED_NUL = b"\\u0000"
_AT = re.compile(r" - at `\$\.?(.*)`$")
_MISSING = re.compile(r"missing required field `(.*?)`")


class DecodeError(ValueError):
    """The bytes are no message of this contract.

    The text says what is wrong and where; `field` is the path alone (`lines[0].sku`), empty if there is none.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def decode_struct(struct: type[T], raw: Raw | bytes, what: str) -> T:
    """A Struct from its JSON. `what` begins the text of the DecodeError. Raises DecodeError."""
    data = decode_typed(_decoder(struct), raw, what)
    if _ESCAPED_NUL in bytes(raw):
        refuse_nul(data, what)
    return settle(data, what)


def decode_typed(decoder: "msgspec.json.Decoder[T]", raw: Raw | bytes, what: str) -> T:
    """What the types alone can check. Raises DecodeError."""
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise wrong(error, what) from error


def settle(data: T, what: str) -> T:
    """The data with its times in UTC, once its free-form JSON is found bounded. Raises DecodeError."""
    if not isinstance(data, Struct):
        _check_free(data, "", MAX_DEPTH, what)
        return data
    shape = _shape(type(data))
    for name in shape.free:
        _check_free(getattr(data, name), name, MAX_DEPTH, what)
    if not shape.timed:
        return data
    try:
        return in_utc(data)
    except OverflowError as error:
        raise DecodeError(f"{what}: a time is out of range in UTC") from error


def needs_settling(struct: type[Any]) -> bool:
    """Whether `settle` may find anything in data of this type: a time, or free-form JSON."""
    shape = _shape(struct)
    return bool(shape.timed or shape.free)


def wrong(error: Exception, what: str) -> DecodeError:
    """The DecodeError for an error of msgspec."""
    if isinstance(error, RecursionError):
        return DecodeError(f"{what}: nested too deeply")
    text = str(error)
    parts = [match[1] for match in (_AT.search(text), _MISSING.search(text)) if match and match[1]]
    return DecodeError(f"{what}: {text}", ".".join(parts))


def has_escaped_nul(payload: bytes) -> bool:
    """Whether a string in this JSON may hold a NUL: cheap, and true at worst too often (a text `\\u0000`)."""
    return _ESCAPED_NUL in payload


def refuse_nul(data: Any, what: str) -> None:
    """Raises DecodeError at the first string with a NUL."""
    path = _nul(data, "")
    if path is not None:
        raise DecodeError(f"{what}: NUL character - at `{path}`", path)


def in_utc(value: T) -> T:
    """The same data with every time in UTC; the very same object where nothing changes.

    Raises ValueError for a time without an offset, OverflowError at the ends of the calendar.
    """
    if isinstance(value, datetime):
        if value.tzinfo is UTC:
            return value
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no offset")
        return cast(T, value.astimezone(UTC))
    if isinstance(value, tuple):
        items = cast("tuple[Any, ...]", value)
        changed = tuple(in_utc(item) for item in items)
        same = all(old is new for old, new in zip(items, changed, strict=True))
        return cast(T, items if same else changed)
    if isinstance(value, Struct):
        changes: dict[str, Any] = {}
        for name in _shape(type(value)).timed:
            old = getattr(value, name)
            if old is not None and (new := in_utc(old)) is not old:
                changes[name] = new
        return msgspec.structs.replace(value, **changes) if changes else value
    return value


class _Shape(Struct, frozen=True):
    """Which fields of a Struct hold times (also deeper down), and which hold free-form JSON."""

    timed: tuple[str, ...]
    free: tuple[str, ...]


@cache
def _shape(struct: type[Any]) -> _Shape:
    fields = [(field.name, msgspec.inspect.type_info(field.type)) for field in msgspec.structs.fields(struct)]
    return _Shape(
        timed=tuple(name for name, info in fields if _holds(info, msgspec.inspect.DateTimeType)),
        free=tuple(name for name, info in fields if _holds(info, msgspec.inspect.AnyType)),
    )


def _holds(info: msgspec.inspect.Type, wanted: type[msgspec.inspect.Type]) -> bool:
    inner: Iterable[msgspec.inspect.Type]
    match info:
        case msgspec.inspect.Metadata(type=item):
            inner = (item,)
        case msgspec.inspect.UnionType(types=types):
            inner = types
        case msgspec.inspect.VarTupleType(item_type=item):
            inner = (item,)
        case msgspec.inspect.DictType(value_type=item):
            inner = (item,)
        case msgspec.inspect.StructType(fields=fields):
            inner = (field.type for field in fields)
        case _:
            return isinstance(info, wanted)
    return any(_holds(item, wanted) for item in inner)


@cache
def _decoder(struct: type[Any]) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(struct)


def _children(value: Any, path: str) -> Iterable[tuple[Any, str]]:
    prefix = f"{path}." if path else ""
    if isinstance(value, Struct):
        return ((getattr(value, name), f"{prefix}{name}") for name in value.__struct_fields__)
    if isinstance(value, dict):
        return ((item, f"{prefix}{key}") for key, item in cast("dict[str, Any]", value).items())
    if isinstance(value, list | tuple):
        return ((item, f"{path}[{i}]") for i, item in enumerate(cast("list[Any]", value)))
    return ()


def _nul(value: Any, path: str) -> str | None:
    if isinstance(value, str):
        return path if "\0" in value else None
    if isinstance(value, dict) and any("\0" in key for key in cast("dict[str, Any]", value)):
        return path
    return next((found for v, p in _children(value, path) if (found := _nul(v, p)) is not None), None)


def _check_free(value: Any, path: str, depth: int, what: str) -> None:
    if depth == 0:
        raise DecodeError(f"{what}: nested deeper than {MAX_DEPTH} - at `{path}`", path)
    if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        raise DecodeError(f"{what}: integer beyond 2^53 - at `{path}`", path)
    if isinstance(value, float) and not math.isfinite(value):
        raise DecodeError(f"{what}: no finite number - at `{path}`", path)
    for item, name in _children(value, path):
        _check_free(item, name, depth - 1, what)
