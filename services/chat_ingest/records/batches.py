"""From files to what INBOX takes: every file surveyed first, then cut into records (record.py), in order.

A record ends only where the time changes, so that equal messages of one second are counted together; only where more
than a thousand messages or a third of a megabyte are of one second it ends among them. The same files make the same
records each time. A text file is read anew for every pass (survey, counting, publishing) and held a record at a
time; a JSON file is held whole, within its bound.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from schemas.types import MAX_ITEMS
from services.chat_ingest.records import json_files
from services.chat_ingest.records.files import FileError, files_of, label, lines_of
from services.chat_ingest.records.qianniu_text import Part, read
from services.chat_ingest.records.record import FORMAT, ChatRecord, Entry, Page, Recalled, Said, Statement, Stray
from services.chat_ingest.sources.message import agent_of
from services.chat_ingest.sources.records import SELF

MAX_BYTES = 512 * 1024
"""The largest message that INBOX takes."""

ENTRIES = 200
"""After so many a record ends where it may."""

BYTES = 128 * 1024
"""After so many likewise."""

MUST_BYTES = 340 * 1024
"""After so many it ends wherever it is."""

TOLD = 20
"""The most reported lines that a survey keeps to show."""

_NAMES = 1000
"""The most nicks of a file that are looked for in its name."""


def _qianniu(path: Path) -> Iterator[Part]:
    return read(lines_of(path))


FORMATS: Mapping[str, Callable[[Path], Iterator[Part]]] = {
    "qianniu-text": _qianniu,
    "chatlog-json": json_files.pages,
    "jsonl": json_files.statements,
}


class ReportedLine(Struct, frozen=True):
    """A line of a file that fits nothing; it is published to be refused and kept."""

    file: str
    line: int
    reason: str


class Surveyed(Struct, kw_only=True):
    """A file that has been read once. peer: its one buyer; empty: several, or the format names each."""

    path: Path
    label: str = ""
    messages: int = 0
    records: int = 0
    skipped: int = 0
    peer: str = ""


class Batch:
    """An import that can be published: every file is readable. Raises FileError when made.

    messages: how many records; chats: how many messages they hold, as far as that can be seen. lines: how many are
    reported; reported: the first of them.
    """

    def __init__(self, path: Path, form: str, main_account: str = "") -> None:
        self._parts = FORMATS[form]
        self._main_account = main_account
        self.reported: list[ReportedLine] = []
        self.lines = 0
        self.files = [self._survey(file, number) for number, file in enumerate(files_of(path), 1)]

    @property
    def messages(self) -> int:
        return sum(file.records for file in self.files)

    @property
    def chats(self) -> int:
        return sum(file.messages for file in self.files)

    @property
    def skipped(self) -> int:
        return sum(file.skipped for file in self.files)

    def records(self) -> Iterator[bytes]:
        """The payloads to publish, file by file."""
        for file in self.files:
            yield from self._records(file)

    def _records(self, file: Surveyed) -> Iterator[bytes]:
        for entries in _cut(part.entry for part in self._parts(file.path) if part.entry is not None):
            record = ChatRecord(
                format=FORMAT,
                file=file.label,
                main_account=self._main_account,
                peer=file.peer,
                entries=tuple(entries),
            )
            payload = msgspec.json.encode(record)
            if len(payload) > MAX_BYTES:
                where = f"{file.path.name} line {entries[0].line}"
                raise FileError(f"{where}: it takes {len(payload)} bytes, a message {MAX_BYTES} at most")
            yield payload

    def _survey(self, path: Path, number: int) -> Surveyed:
        file, who = Surveyed(path=path), _Speakers(self._main_account)
        for part in self._parts(path):
            match part.entry:
                case None:
                    file.skipped += part.lines
                case Stray(line=line, reason=reason):
                    self.lines += 1
                    if len(self.reported) < TOLD:
                        self.reported.append(ReportedLine(path.name, line, reason))
                case Page(body=body):
                    count, nick = json_files.said_in(body)
                    file.messages += count
                    who.named(nick)
                case Said() as said:
                    file.messages += 1
                    who.said(said)
                case Recalled(sender=sender) if sender not in SELF:
                    who.spoke(sender)
                case Statement():
                    file.messages += 1
                case Recalled():
                    pass  # by the shop: it names nobody
        if self._main_account:
            _fits(path, file, who)
        file.peer = who.only_buyer
        file.label = label(path, number, who.names)
        file.records = sum(1 for _ in self._records(file))
        return file


class _Speakers:
    """Who talks in a file."""

    def __init__(self, main_account: str) -> None:
        self._main_account = main_account
        self._buyers: set[str] = set()
        self.names: set[str] = set()
        self.shop = False

    @property
    def only_buyer(self) -> str:
        return next(iter(self._buyers)) if len(self._buyers) == 1 else ""

    @property
    def several(self) -> bool:
        return len(self._buyers) > 1

    def named(self, nick: str) -> None:
        if nick and len(self.names) < _NAMES:
            self.names.add(nick)

    def said(self, said: Said) -> None:
        self.spoke(said.sender)
        if said.to:
            self.spoke(said.to)

    def spoke(self, account: str) -> None:
        if agent_of(account, self._main_account) is not None:
            self.shop = True
            return
        self.named(account)
        if len(self._buyers) < _NAMES:
            self._buyers.add(account)


def _fits(path: Path, file: Surveyed, who: _Speakers) -> None:
    """Raises FileError where a file is not of this format or main account: nothing of it would be understood."""
    if not file.messages:
        raise FileError(f"{path.name}: no message in it begins with a name and a time; is --format right?")
    if who.several and not who.shop:
        raise FileError(f"{path.name}: several speak in it, none for the main account; is --main-account right?")


def _cut(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Records' worth of entries."""
    batch: list[Entry] = []
    size, last = 0, ""
    for entry in entries:
        length = len(msgspec.json.encode(entry)) + 1
        may = not isinstance(entry, Recalled) and not (isinstance(entry, Said) and entry.time == last)
        enough = len(batch) >= ENTRIES or size + length > BYTES
        must = len(batch) >= MAX_ITEMS or size + length > MUST_BYTES
        if batch and (must or (may and enough)):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += length
        if isinstance(entry, Said):
            last = entry.time
    if batch:
        yield batch
