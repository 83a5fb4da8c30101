"""From TOML to a policy: defaults <- owner <- shop. An error names file, setting and what is allowed."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, cast

import msgspec
from msgspec import inspect

from services.kernel.policy.model import Policy
from services.kernel.policy.units import CLOCK_PATTERN

Table = Mapping[str, Any]
"""A TOML table as plain Python values."""

_WHERE = re.compile(r"(?P<what>.*) - at `\$\.?(?P<path>.*)`", re.DOTALL)


class PolicyError(ValueError):
    """A policy that cannot be used. The text names the file, the setting and what is allowed there."""


def load(layers: Sequence[tuple[str, bytes]]) -> Policy:
    """The defaults under these layers, (name, TOML) each, the later over the earlier.

    Tables are merged, lists replaced. Raises PolicyError for the first thing wrong, naming its layer.
    """
    return load_tables([(name, parse(name, text)) for name, text in layers])


def load_tables(layers: Sequence[tuple[str, Table]]) -> Policy:
    """`load` of layers that have been read already."""
    values, policy = default_table(), default_policy()
    for name, table in layers:
        _refuse_unknown(name, table)
        values = merge(values, table)
        policy = _convert(name, values)
    return policy


def parse(name: str, text: bytes) -> dict[str, Any]:
    """The TOML of one file. Raises PolicyError with its line."""
    try:
        return tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{name}: line {line} is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{name}: no TOML: {error}") from error


def merge(base: Table, over: Table) -> dict[str, Any]:
    """`over` laid on `base`, table by table; neither is changed."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(cast(Table, below), cast(Table, value)) if both else value
    return merged


@cache
def default_table() -> Table:
    return parse("defaults.toml", files("services.kernel.policy").joinpath("defaults.toml").read_bytes())


@cache
def default_policy() -> Policy:
    """The policy of a shop about which nothing is written."""
    _refuse_unknown("defaults.toml", default_table())
    return _convert("defaults.toml", default_table())


def _convert(name: str, values: Table) -> Policy:
    try:
        return msgspec.convert(values, Policy)
    except msgspec.ValidationError as error:
        raise PolicyError(f"{name}: {_explain(str(error), values)}") from error


def _explain(message: str, values: Table) -> str:
    """msgspec's words with the setting first, the value that is there, and what may be there."""
    found = _WHERE.fullmatch(message)
    if found is None:
        return message
    value: Any = values
    kind = _policy_type()
    for step in re.findall(r"[^.\[\]]+", found["path"]):
        kind = _below(kind, step)
        value = cast("list[Any]", value)[int(step)] if isinstance(value, list) else cast(Table, value)[step]
    match kind:
        case inspect.LiteralType(values=allowed):
            what = f"expected one of {', '.join(map(str, allowed))}"
        case inspect.StrType(pattern=pattern) if pattern == CLOCK_PATTERN and isinstance(value, str):
            what = 'expected a local time of day "HH:MM", 00:00 to 24:00'
        case _:
            what = found["what"].replace("`object`", "a table").replace("`array`", "a list")
            what = what[0].lower() + what[1:]
    shown = "" if isinstance(value, Mapping) else f" = {value!r}"
    return f"{found['path']}{shown}: {what}"


def _below(kind: inspect.Type, step: str) -> inspect.Type:
    """The type of the field, or of the items, under a type; the type itself where there is none."""
    match kind:
        case inspect.UnionType(types=types):
            return next((below for each in types if (below := _below(each, step)) is not each), kind)
        case inspect.VarTupleType(item_type=item):
            return item
        case inspect.StructType(fields=fields):
            return next((field.type for field in fields if field.encode_name == step), kind)
        case _:
            return kind


def _refuse_unknown(name: str, table: Table) -> None:
    """Raises PolicyError for the first key that the policy does not have, with the nearest that it has."""
    if (found := _unknown(table, _policy_type(), "")) is None:
        return
    path, key, known = found
    nearest = get_close_matches(key, known, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known here: {', '.join(sorted(known))}"
    raise PolicyError(f"{name}: {path}{key}: no such setting; {hint}")


@cache
def _policy_type() -> inspect.Type:
    return inspect.type_info(Policy)


def _unknown(value: Any, kind: inspect.Type, path: str) -> tuple[str, str, list[str]] | None:
    """Where a key is unknown: (path before it, the key, the keys known there)."""
    match kind:
        case inspect.UnionType(types=types):
            alternatives = (_unknown(value, each, path) for each in types)
            return next((found for found in alternatives if found), None)
        case inspect.VarTupleType(item_type=item) if isinstance(value, list):
            inside = (_unknown(v, item, f"{path[:-1]}[{i}].") for i, v in enumerate(cast("list[Any]", value)))
            return next((found for found in inside if found), None)
        case inspect.StructType(fields=fields) if isinstance(value, Mapping):
            known = {field.encode_name: field.type for field in fields}
            for key, below in cast(Table, value).items():
                if key not in known:
                    return path, key, list(known)
                if found := _unknown(below, known[key], f"{path}{key}."):
                    return found
        case _:
            pass
    return None
