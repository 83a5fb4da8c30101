"""Qianniu's text (千牛聊天记录), copied or exported: lines -> messages. Pure. Source: domain.md 3, Chat records.

    昵称2025-9-19 17:24:05        who and when, with or without a blank between them
    昵称                          or the time on the next line
    2025-9-19 17:24:05
    A --> B 2025-9-19 17:24:05    who, to whom and when
    X 撤回了一条消息               a recall, without a time: it takes that of the message before

Under such a line stands the message, over any number of lines. Digits, colons, dashes and blanks may be full-width.
Lines that nobody said (lines.toml) and blank ones between messages are skipped; what stands where no message has begun
fits nothing and is reported. A message without text is one all the same: a picture or a sticker is not copied.

Limits: a name has no blank within it, and a line of a message that itself reads like one of the above is taken for it.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from services.chat_ingest.records.lines import half_width, is_platform, is_status
from services.chat_ingest.records.record import Entry, Recalled, Said, Stray

MAX_TEXT = 20_000
"""Characters of one message, as schemas.types.Text: a longer one is reported, and not held in memory."""

_TIME = r"(?P<time>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\s+[0-9]{1,2}:[0-9]{2}:[0-9]{2})"
_WHO = r"(?P<who>\S{1,64}?)(?:\s*-->\s*(?P<whom>\S{1,64}?))?"
_HEADER = re.compile(rf"\s*{_WHO}\s*{_TIME}\s*")
_NAMES = re.compile(rf"\s*{_WHO}\s*")
_ALONE = re.compile(rf"\s*{_TIME}\s*")
_RECALL = re.compile(r"\s*(?P<who>\S{1,64}?)\s*撤回了一条消息\s*")


class Part(Struct, frozen=True):
    """What some lines of a file are. entry: None for lines that are skipped. lines: how many."""

    entry: Entry | None
    lines: int


class _Open:
    """The message whose lines are being read."""

    def __init__(self, line: int, sender: str, to: str, time: str, lines: int) -> None:
        self.line, self.sender, self.to, self.time = line, sender, to, time
        self.lines = lines
        self._text: list[str] = []
        self._size = 0

    def add(self, line: str) -> None:
        self.lines += 1
        self._size += len(line) + 1
        if self._size <= 2 * MAX_TEXT:  # blank lines around the text do not count, so it may be a little over
            self._text.append(line)

    def part(self) -> Part:
        text = "\n".join(self._text).strip()
        if self._size > 2 * MAX_TEXT or len(text) > MAX_TEXT:
            reason = f"a message of more than {MAX_TEXT} characters"
            return Part(Stray(self.line, reason, text[:MAX_TEXT]), self.lines)
        return Part(Said(self.line, self.sender, self.to, self.time, text), self.lines)


def read(lines: Iterable[str]) -> Iterator[Part]:
    """The parts of a file whose lines these are, with or without their ends. Every line is in exactly one part."""
    message: _Open | None = None
    last = ""
    under_name = False
    for number, (line, following) in enumerate(_with_next(lines), 1):
        if under_name:  # the time of the header above, which counts both lines
            under_name = False
        elif is_status(line) or is_platform(line):
            yield Part(None, 1)
        elif header := _header(number, line, following):
            if message:
                yield message.part()
            message, last, under_name = header, header.time, header.lines == 2
        elif recall := _RECALL.fullmatch(half_width(line)):
            if message:
                yield message.part()
            message = None
            known = Recalled(number, _words(line, recall, "who"), last)
            yield Part(known if last else Stray(number, "a recall before any message", line[:MAX_TEXT]), 1)
        elif message:
            message.add(line)
        else:
            stray = Stray(number, "no message begins before this line", line[:MAX_TEXT])
            yield Part(stray if line.strip() else None, 1)
    if message:
        yield message.part()


def _header(number: int, line: str, following: str) -> _Open | None:
    """The message that begins with this line, or with it and the time on the next."""
    plain = half_width(line)
    names = time = _HEADER.fullmatch(plain)
    lines = 1
    if names is None and not _ALONE.fullmatch(plain) and not _RECALL.fullmatch(plain):
        names, time, lines = _NAMES.fullmatch(plain), _ALONE.fullmatch(half_width(following)), 2
    if names is None or time is None:
        return None
    when = " ".join(time["time"].split())
    return _Open(number, _words(line, names, "who"), _words(line, names, "whom"), when, lines)


def _words(line: str, match: re.Match[str], group: str) -> str:
    """The words of the file itself where its half-width likeness matched."""
    start, end = match.span(group)
    return line[start:end] if start >= 0 else ""


def _with_next(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each line with the one after it, both without their ends and the first without a BOM; after the last, nothing."""
    previous: str | None = None
    for line in lines:
        line = line.rstrip("\r\n")
        if previous is None:
            previous = line.removeprefix("\ufeff")
            continue
        yield previous, line
        previous = line
    if previous is not None:
        yield previous, ""
