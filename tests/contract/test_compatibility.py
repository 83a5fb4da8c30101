"""What may change in a published version: optional fields come, types and limits widen."""

from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct, defstruct

from schemas.compatibility import breaks
from schemas.generate.jsonschema import data_schema


class Line(Struct):
    sku: str


class LongerLine(Struct):
    sku: str
    colour: str = ""


class OtherLine(Struct):
    article: str


def changed(old: object, new: object) -> list[str]:
    """What breaks when the field `x` of a Struct goes from the type `old` to `new`."""
    return breaks(data_schema(defstruct("Thing", [("x", old)])), data_schema(defstruct("Thing", [("x", new)])))


FINE = {
    "the same": (str, str),
    "a longer text": (Annotated[str, Meta(max_length=5)], Annotated[str, Meta(max_length=9)]),
    "no limit any more": (Annotated[str, Meta(min_length=5, pattern="a")], str),
    "a larger range": (Annotated[int, Meta(ge=1, le=5)], Annotated[int, Meta(ge=0, le=9)]),
    "one word more": (Literal["a", "b"], Literal["a", "b", "c"]),
    "any text instead of some words": (Literal["a", "b"], str),
    "may be null now": (str, str | None),
    "one more type": (int, int | str),
    "a number instead of an integer": (int, float),
    "an optional field inside a list": (tuple[Line, ...], tuple[LongerLine, ...]),
    "longer lists": (
        Annotated[tuple[int, ...], Meta(max_length=2)],
        Annotated[tuple[int, ...], Meta(max_length=3)],
    ),
    "an open object's values widened": (dict[str, int], dict[str, int | None]),
}

BROKEN = {
    "another type": ((str, int), "$.x: was string, is integer"),
    "an integer instead of a number": ((float, int), "$.x: was number, is integer"),
    "a shorter text": (
        (Annotated[str, Meta(max_length=9)], Annotated[str, Meta(max_length=5)]),
        "$.x: maxLength was 9, is 5",
    ),
    "a new limit": ((str, Annotated[str, Meta(min_length=1)]), "$.x: minLength was None, is 1"),
    "a new lower bound": ((int, Annotated[int, Meta(ge=-5)]), "$.x: minimum was None, is -5"),
    "another pattern": (
        (Annotated[str, Meta(pattern="a")], Annotated[str, Meta(pattern="b")]),
        "$.x: pattern was a, is b",
    ),
    "one word less": ((Literal["a", "b"], Literal["a"]), "$.x: no longer takes ['b']"),
    "some words instead of any text": ((str, Literal["a"]), "$.x: was not limited to ['a']"),
    "no null any more": ((str | None, str), "$.x: was null, is string"),
    "a field renamed in a list": ((tuple[Line, ...], tuple[OtherLine, ...]), "$.x[].sku: removed"),
    "an open object's values narrowed": (
        (dict[str, int | None], dict[str, int]),
        "$.x.*: was null, is integer",
    ),
}


@pytest.mark.parametrize(("old", "new"), FINE.values(), ids=FINE)
def test_this_change_is_compatible(old: object, new: object):
    assert changed(old, new) == []


@pytest.mark.parametrize(("types", "fault"), BROKEN.values(), ids=BROKEN)
def test_this_change_is_incompatible_and_named(types: tuple[object, object], fault: str):
    assert fault in changed(*types)


def test_a_new_optional_field_is_compatible():
    old, new = defstruct("Thing", [("x", int)]), defstruct("Thing", [("x", int), ("y", str, "")])
    assert breaks(data_schema(old), data_schema(new)) == []


def test_a_new_required_field_is_incompatible():
    old, new = defstruct("Thing", [("x", int)]), defstruct("Thing", [("x", int), ("y", str)])
    assert breaks(data_schema(old), data_schema(new)) == ["$.y: required now"]


def test_a_field_that_becomes_required_is_incompatible():
    old, new = defstruct("Thing", [("x", int, 0)]), defstruct("Thing", [("x", int)])
    assert breaks(data_schema(old), data_schema(new)) == ["$.x: required now"]


def test_a_field_that_becomes_optional_is_compatible():
    old, new = defstruct("Thing", [("x", int)]), defstruct("Thing", [("x", int, 0)])
    assert breaks(data_schema(old), data_schema(new)) == []


def test_a_renamed_field_is_a_removed_one_even_if_optional():
    old, new = defstruct("Thing", [("x", int, 0)]), defstruct("Thing", [("y", int, 0)])
    assert breaks(data_schema(old), data_schema(new)) == ["$.x: removed"]


def test_forbidding_further_fields_is_incompatible():
    old = defstruct("Thing", [("x", int)])
    new = defstruct("Thing", [("x", int)], forbid_unknown_fields=True)
    assert breaks(data_schema(old), data_schema(new)) == ["$: further fields are refused now"]
