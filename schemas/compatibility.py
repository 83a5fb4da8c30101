"""Whether a changed JSON Schema still takes every message that the old one took, and keeps every field of it.

Fine: an optional field added, a type or limit widened, a field no longer required. Anything else needs a new
version of the event and an upcast. The comparison is structural and errs on the side of refusing.
"""

from collections.abc import Iterator
from math import inf
from typing import Any, cast

Schema = dict[str, Any]

_NOTES = {
    "title",
    "description",
    "default",
    "examples",
    "$schema",
    "$defs",
    "$ref",
    "$comment",
    "x-rejections",
}
_CEILINGS = {"maximum", "maxLength", "maxItems", "maxProperties"}
_FLOORS = {"minimum", "minLength", "minItems", "minProperties"}
_SHAPES = {"type", "enum", "const", "anyOf", "properties", "required", "items", "additionalProperties"}


def breaks(old: Schema, new: Schema) -> list[str]:
    """What `new` no longer takes or keeps, each as `path: what`; empty when it is compatible."""
    return list(_Comparison(old, new).faults(old, new, "$"))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new

    def faults(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        old, new = _resolve(old, self._old), _resolve(new, self._new)
        for choice in _choices(old):
            yield from self._choice(choice, _choices(new), path)

    def _choice(self, old: Schema, choices: list[Schema], path: str) -> Iterator[str]:
        """One alternative of the old schema must be taken by one of the new."""
        old = _resolve(old, self._old)
        found = [list(self._plain(old, _resolve(new, self._new), path)) for new in choices]
        yield from min(found, key=len)

    def _plain(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        yield from _values(old, new, path)
        yield from _limits(old, new, path)
        yield from self._object(old, new, path)
        if "items" in new:
            yield from self.faults(old.get("items", {}), new["items"], f"{path}[]")

    def _object(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before: Schema = old.get("properties", {})
        after: Schema = new.get("properties", {})
        for name in sorted(before.keys() - after.keys()):
            yield f"{path}.{name}: removed"
        for name in sorted(before.keys() & after.keys()):
            yield from self.faults(before[name], after[name], f"{path}.{name}")
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{path}.{name}: required now"
        rest = new.get("additionalProperties", True)
        if rest is False and old.get("additionalProperties", True) is not False:
            yield f"{path}: further fields are refused now"
        elif isinstance(rest, dict):
            others = old.get("additionalProperties", True)
            if others is not False:
                before = cast(Schema, others) if isinstance(others, dict) else {}
                yield from self.faults(before, cast(Schema, rest), f"{path}.*")


def _values(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, after = _enum(old), _enum(new)
    if after is not None:
        lost = [value for value in before or () if value not in after]
        if before is None:
            yield f"{path}: was not limited to {after}"
        elif lost:
            yield f"{path}: no longer takes {lost}"
    elif "type" in new:
        types = {old.get("type")} if before is None else {_type_of(value) for value in before}
        wider = {new["type"], "integer"} if new["type"] == "number" else {new["type"]}
        if not types <= wider:
            yield f"{path}: was {' or '.join(sorted(map(str, types)))}, is {new['type']}"


def _limits(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if _enum(old) is not None and "type" not in old:
        return
    for word in sorted(new.keys() - _NOTES - _SHAPES):
        before, after = old.get(word), new[word]
        if word in _CEILINGS:
            narrower = after < old.get(word, inf)
        elif word in _FLOORS:
            narrower = after > old.get(word, -inf if word == "minimum" else 0)
        else:
            narrower = before != after
        if narrower:
            yield f"{path}: {word} was {before}, is {after}"


def _choices(schema: Schema) -> list[Schema]:
    return schema.get("anyOf") or [schema]


def _enum(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _type_of(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names.get(cast("type[Any]", type(value)), "object")


def _resolve(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema
