"""Pages of an answer: how much one holds, and where the next one starts."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from schemas.strict import DecodeError, in_utc

PAGE_BYTES = 1024 * 1024
"""Of the rows as JSON: an answer larger than the server's `max_payload` (2 MiB) would never arrive."""

_MAX_SEQ = 2**63 - 1
_encode = msgspec.json.Encoder().encode

T = TypeVar("T")


def page_of(rows: Sequence[T], limit: int) -> list[T]:
    """The first rows, as many as are asked for and as one answer holds; one at least. No row is larger than that."""
    size = 0
    for number, row in enumerate(rows[:limit]):
        size += len(_encode(row))
        if size > PAGE_BYTES and number:
            return list(rows[:number])
    return list(rows[:limit])


def cursor(time: datetime, seq: int) -> str:
    """Behind which the next page begins, where rows go by time and sequence: those of this page's last row."""
    return f"{time.isoformat()},{seq}"


def position(text: str) -> tuple[datetime, int] | None:
    """What `cursor` wrote; None for the first page. Raises DecodeError for anything else."""
    if not text:
        return None
    time, _, seq = text.partition(",")
    try:
        place, number = in_utc(datetime.fromisoformat(time)), int(seq)
    except (ValueError, OverflowError):
        raise _wrong() from None
    if not 0 <= number <= _MAX_SEQ:
        raise _wrong()
    return place, number


def _wrong() -> DecodeError:
    return DecodeError("cursor: not the next_cursor of an answer", "cursor")
