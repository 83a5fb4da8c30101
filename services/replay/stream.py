"""Stream files: what reaches the bus from outside, in order, as JSON Lines (`tests/streams/*.jsonl`).

    # a comment; blank lines are allowed too
    {"at": "2026-09-16T10:00:00+08:00", "subject": "in.canonical.s1.trade", "data": {...}}
    {"subject": "cmd.care_notifier.switch_live", "data": {"command_id": "c1", "shop": "s1", "actor": {...}}}

`at`: when it is received (RFC 3339 with its offset). `carebus publish` sends without regard to it, the demo and the
replays go by it. `subject`: `in.<source>.<shop>.<kind>` or `cmd.<service>.<name>`, spelt as `schemas/subjects.py`
says. `data`: the payload, any JSON, published byte for byte as it stands in the file.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from schemas.strict import wrong
from schemas.subjects import SubjectError, untoken

MAX_DATA_BYTES = 512 * 1024
"""The largest payload: the limit of INBOX and of commands (design.md, "The log")."""

_TOKENS = {"in": ("source", "shop", "kind"), "cmd": ("service", "name")}


class StreamError(ValueError):
    """A stream file that cannot be used; the text is `<name>:<line>: <field>: <what is wrong>`, quoting no data."""

    def __init__(self, name: str, line: int, field: str, fault: str) -> None:
        self.line = line
        self.field = field
        place = f"{name}:{line}" if line else name
        super().__init__(f"{place}: {field}: {fault}" if field else f"{place}: {fault}")


class Entry(Struct, frozen=True):
    """One line. at: with its offset; None where the line has none. data: the payload's bytes. line: from 1."""

    at: datetime | None
    subject: str
    data: bytes
    line: int

    @property
    def kind(self) -> Literal["fact", "command"]:
        return "fact" if self.subject.startswith("in.") else "command"


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    subject: str
    data: Raw
    at: datetime | UnsetType = UNSET


_decode = msgspec.json.Decoder(_Line).decode


def read_stream(path: Path) -> Iterator[Entry]:
    """The entries of a file. Raises StreamError at the first wrong line, and where the file cannot be read."""
    try:
        with path.open("rb") as lines:
            yield from parse_stream(lines, str(path))
    except OSError as error:
        raise StreamError(str(path), 0, "", f"cannot be read: {error.strerror}") from None


def parse_stream(lines: Iterable[bytes], name: str) -> Iterator[Entry]:
    """The entries of these lines; `name` begins the text of an error. Raises StreamError."""
    for number, line in enumerate(lines, 1):
        text = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
        if text and not text.startswith(b"#"):
            yield _entry(text, name, number)


def _entry(text: bytes, name: str, number: int) -> Entry:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise StreamError(name, number, "", "is not UTF-8") from None
    try:
        line = _decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        fault = wrong(error, "")
        raise StreamError(name, number, fault.field, str(fault).removeprefix(": ").partition(" - at `$")[0]) from None
    at = None if line.at is UNSET else line.at
    if at is not None and at.tzinfo is None:
        raise StreamError(name, number, "at", "has no offset; write +08:00 or Z behind it")
    if fault := _subject_fault(line.subject):
        raise StreamError(name, number, "subject", fault)
    data = bytes(line.data)
    if len(data) > MAX_DATA_BYTES:
        raise StreamError(name, number, "data", f"{len(data):,} bytes; at most {MAX_DATA_BYTES:,} are taken")
    return Entry(at, line.subject, data, number)


def _subject_fault(subject: str) -> str:
    root, *tokens = subject.split(".")
    names = _TOKENS.get(root)
    if names is None or len(tokens) != len(names):
        return "is neither in.<source>.<shop>.<kind> nor cmd.<service>.<name>"
    for name, token in zip(names, tokens, strict=True):
        try:
            untoken(token)
        except SubjectError as error:
            return f"<{name}>: {error}"
    return ""
