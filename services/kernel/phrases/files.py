"""Phrase files: one TOML file a kind, a table a group, checked when loaded; a shop's own file lies over ours.

    [cancel]                          # the group
    phrases = ["取消订单", "不要了"]    # in a shop's file: instead of ours
    add = ["退钱"]                     # besides
    remove = ["拍多了"]                # without

Whatever is wrong raises PhraseError, naming file, group and phrase: a phrase file that loads means what it says.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from services.kernel.phrases.normal import normal


class PhraseError(ValueError):
    """A phrase file that cannot be used. The text names file, group and phrase, and says what to do."""


class Group(Struct, frozen=True):
    """The phrases of a group, in the order of the files, and its settings beside them."""

    phrases: tuple[str, ...]
    settings: Mapping[str, Any]


_LISTS = ("phrases", "add", "remove")


def read_groups(
    base: Path,
    overlay: Path | None = None,
    *,
    settings: Mapping[str, type] | None = None,
    only_add: bool = False,
) -> dict[str, Group]:
    """Group -> its phrases and settings, of our file and a shop's over it (None, or no such file: ours alone).

    settings: the keys that a group may have beside its phrases, and their types. only_add: a shop may not take any
    away. A shop cannot make groups. A phrase stands in one group only: it means one thing.
    Raises PhraseError.
    """
    known = settings or {}
    ours = _read(base, known, only_add=False)
    groups = {name: _laid(base.name, name, Group((), {}), table) for name, table in ours.items()}
    if overlay is not None and overlay.exists():
        for name, table in _read(overlay, known, only_add).items():
            if name not in groups:
                raise PhraseError(f"{overlay}: [{name}]: no such group; there are {', '.join(groups)}")
            groups[name] = _laid(str(overlay), name, groups[name], table)
        _refuse_doubles(str(overlay), groups)
    else:
        _refuse_doubles(base.name, groups)
    return groups


def _read(file: Path, settings: Mapping[str, type], only_add: bool) -> dict[str, dict[str, Any]]:
    name = file.name
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise PhraseError(f"{name}: cannot be read as TOML in UTF-8: {error}") from None
    for group, table in tables.items():
        if not isinstance(table, dict):
            raise PhraseError(f"{name}: {group}: a table is wanted, as in [{group}]")
        for key, value in cast("dict[str, Any]", table).items():
            _check_key(f"{name}: [{group}] {key}", key, value, settings, only_add)
    return cast("dict[str, dict[str, Any]]", tables)


def _check_key(place: str, key: str, value: Any, settings: Mapping[str, type], only_add: bool) -> None:
    if key in settings:
        if type(value) is not settings[key]:
            raise PhraseError(f"{place}: expected a value of type {settings[key].__name__}")
    elif key not in _LISTS:
        raise PhraseError(f"{place}: no such key; there are {', '.join([*_LISTS, *settings])}")
    elif only_add and key != "add":
        raise PhraseError(f"{place}: this rule can be widened with `add`, not changed")
    elif not isinstance(value, list):
        raise PhraseError(f'{place}: a list is wanted, as in {key} = ["..."]')
    else:
        for phrase in cast("list[Any]", value):
            _check_phrase(place, phrase)


def _check_phrase(place: str, phrase: Any) -> None:
    if not isinstance(phrase, str):
        raise PhraseError(f"{place}: {phrase!r}: a phrase is a text in quotes")
    if not phrase.strip():
        raise PhraseError(f"{place}: an empty phrase")
    if (form := normal(phrase).text) != phrase:
        raise PhraseError(f"{place}: {phrase!r} is in no normal form and would never be found; write {form!r}")


def _laid(file: str, name: str, below: Group, table: Mapping[str, Any]) -> Group:
    """A table over a group."""
    place = f"{file}: [{name}]"
    removed = cast("list[str]", table.get("remove", []))
    for phrase in removed:
        if phrase not in below.phrases:
            raise PhraseError(f"{place} remove: {phrase!r} is not there")
    start = cast("list[str]", table.get("phrases", below.phrases))
    phrases = [phrase for phrase in start if phrase not in removed]
    seen: set[str] = set()
    for phrase in [*phrases, *cast("list[str]", table.get("add", []))]:
        if phrase in seen:
            raise PhraseError(f"{place}: {phrase!r} stands there twice")
        seen.add(phrase)
    settings = {key: value for key, value in table.items() if key not in _LISTS}
    return Group((*phrases, *table.get("add", [])), {**below.settings, **settings})


def _refuse_doubles(file: str, groups: Mapping[str, Group]) -> None:
    where: dict[str, str] = {}
    for name, phrase in _pairs(groups):
        if phrase in where:
            raise PhraseError(
                f"{file}: [{name}]: {phrase!r} stands in [{where[phrase]}] too: a phrase means one thing; "
                "remove it from one of them"
            )
        where[phrase] = name


def _pairs(groups: Mapping[str, Group]) -> Iterable[tuple[str, str]]:
    return ((name, phrase) for name, group in groups.items() for phrase in group.phrases)
