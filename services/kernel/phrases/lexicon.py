"""A set of phrases, each with its label, and where they occur in a text: one automaton (Aho-Corasick), one pass."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import ahocorasick
from msgspec import Struct

from services.kernel.phrases.normal import Normal

_AUTOMATON = cast("Callable[[], Any]", vars(ahocorasick)["Automaton"])  # the extension module has no types


class Match(Struct, frozen=True):
    """A phrase found: text[start:end] of the normal form."""

    label: str
    phrase: str
    start: int
    end: int


class Lexicon:
    """Phrases in normal form -> label."""

    def __init__(self, phrases: Mapping[str, str]) -> None:
        self._labels = dict(phrases)
        automaton: Any = _AUTOMATON()
        for phrase in self._labels:
            automaton.add_word(phrase, phrase)
        automaton.make_automaton()
        self._automaton = automaton

    def find(self, normal: Normal) -> list[Match]:
        """The phrases in this text, in its order. Where they overlap the longest wins, then the first.

        A phrase that begins or ends with a Latin letter or a digit is not found inside a longer word or number:
        `加v` is not in `加vip`.
        """
        if not self._labels or not normal.text:
            return []
        taken = bytearray(len(normal.text))
        found: list[Match] = []
        for start, end, phrase in sorted(self._occurrences(normal), key=lambda each: (each[0] - each[1], each[0])):
            if not (taken[start] or taken[end - 1]):
                taken[start:end] = b"\1" * (end - start)
                found.append(Match(self._labels[phrase], phrase, start, end))
        return sorted(found, key=lambda match: match.start)

    def _occurrences(self, normal: Normal) -> Iterable[tuple[int, int, str]]:
        for last, phrase in self._automaton.iter(normal.text):
            start, end = last + 1 - len(phrase), last + 1
            if not (_goes_on(normal, start) or _goes_on(normal, end)):
                yield start, end, phrase


def _goes_on(normal: Normal, index: int) -> bool:
    """Whether one Latin word or one number goes on across this boundary, without a gap in the original."""
    if not 0 < index < len(normal.text):
        return False
    before, after = normal.text[index - 1], normal.text[index]
    if before == "." and after.isdigit() and index > 1:  # 4.5: one number
        before = normal.text[index - 2]
    alike = (before.isdigit() and after.isdigit()) or all(each.isascii() and each.isalpha() for each in (before, after))
    return alike and normal.origin[index] - normal.origin[index - 1] <= 1
