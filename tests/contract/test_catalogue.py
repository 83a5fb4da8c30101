"""Habits that every event and command keeps."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from schemas.catalogue import COMMANDS, EVENTS
from schemas.envelope import COMMON_REJECTIONS
from schemas.types import MAX_SAFE_INTEGER

STRUCTS: list[Any] = [*EVENTS.values(), *(struct for names in COMMANDS.values() for struct in names.values())]
OF_THE_BUYER = {"buyer", "member"}
every_struct = pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)


def types(info: inspect.Type) -> Iterator[inspect.Type]:
    """The type and all that it is made of."""
    yield info
    match info:
        case inspect.Metadata(type=inner):
            yield from types(inner)
        case inspect.UnionType(types=inners):
            for inner in inners:
                yield from types(inner)
        case inspect.CollectionType(item_type=inner):
            yield from types(inner)
        case inspect.DictType(key_type=key, value_type=value):
            yield from types(key)
            yield from types(value)
        case inspect.StructType(fields=fields):
            for field in fields:
                yield from types(field.type)


@every_struct
def test_it_says_what_it_means_and_cannot_be_changed(struct: Any):
    assert struct.__doc__
    assert all(
        info.cls.__struct_config__.frozen
        for info in types(inspect.type_info(struct))
        if isinstance(info, inspect.StructType)
    )


@every_struct
def test_every_integer_text_and_list_is_bounded_and_no_list_can_be_changed(struct: Any):
    for info in types(inspect.type_info(struct)):
        match info:
            case inspect.IntType(ge=low, le=high):
                assert low is not None
                assert high is not None
                assert -MAX_SAFE_INTEGER <= low <= high <= MAX_SAFE_INTEGER
            case inspect.StrType(max_length=longest, pattern=pattern):
                assert longest or (pattern or "").endswith("$")
            case inspect.VarTupleType() | inspect.DictType():
                assert info.max_length is not None
            case _:
                assert not isinstance(info, inspect.FloatType | inspect.ListType | inspect.SetType)


@pytest.mark.parametrize("struct", EVENTS.values(), ids=EVENTS)
def test_an_event_is_about_the_id_in_its_first_field(struct: Any):
    assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", struct.TYPE)
    assert struct.VERSION >= 1
    if struct.TYPE.partition(".")[0] in OF_THE_BUYER or struct.TYPE == "care.consent_changed":
        return
    first = msgspec.structs.fields(struct)[0]
    assert first.required
    *_, kind = types(inspect.type_info(first.type))
    assert isinstance(kind, inspect.StrType)


def test_a_command_has_its_name_and_adds_only_rejections_of_its_own():
    for commands in COMMANDS.values():
        for name, struct in commands.items():
            assert name == struct.NAME
            assert not set(struct.REJECTIONS) & set(COMMON_REJECTIONS), name


def test_no_two_structs_of_the_contract_share_a_name_within_their_kind():
    assert len({struct.__name__ for struct in EVENTS.values()}) == len(EVENTS)
