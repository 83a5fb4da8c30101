"""The clauses of a text in normal form: what punctuation separates."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from services.kernel.phrases import Match, Normal, is_separator


def clauses(words: Normal) -> Iterator[tuple[int, int]]:
    """(start, end) of each clause that is not empty, the separator that ends it included."""
    start = 0
    for index in range(len(words.text)):
        if is_separator(words.text, index):
            if index > start:
                yield start, index + 1
            start = index + 1
    if start < len(words.text):
        yield start, len(words.text)


def within(matches: Sequence[Match], start: int, end: int) -> Sequence[Match]:
    """Those of these matches, sorted by their start, that begin between `start` and `end`."""
    first = bisect_left(matches, start, key=lambda match: match.start)
    return matches[first : bisect_left(matches, end, key=lambda match: match.start)]
