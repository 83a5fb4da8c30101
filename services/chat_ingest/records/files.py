"""The files of an import: which there are, and their lines in the encoding that they have.

A file is read as UTF-8, with or without a BOM, where all of it is; else as GB18030, where all of it is; anything else
is an error, since no letter is guessed. Only one line is held in memory.
"""

import codecs
import re
from collections.abc import Collection, Iterator
from pathlib import Path

ENCODINGS = ("utf-8-sig", "gb18030")

MAX_LINE = 1_000_000
"""Characters of a line; what has longer ones is no record of chats."""

MASK = "*"
_CHUNK = 1 << 16
_UNPLAIN = re.compile(r"[^\w.\- ()（）*]")
_LONGEST = 80


class FileError(ValueError):
    """A file that cannot be read; one line: which, what is wrong, what to do."""


def files_of(path: Path) -> list[Path]:
    """The file, or the files of the directory (not of those within it) in order of their names. Raises FileError."""
    try:
        if not path.is_dir():
            with path.open("rb"):
                return [path]
        found = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}; give a file or a directory of them") from None
    if not found:
        raise FileError(f"{path}: there is no file in it")
    return found


def lines_of(path: Path, encodings: Collection[str] = ENCODINGS) -> Iterator[str]:
    """The lines without their ends. Raises FileError."""
    try:
        with path.open(encoding=_encoding(path, encodings), newline=None) as lines:
            number = 0
            while line := lines.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE or "\0" in line:
                    fault = f"more than {MAX_LINE} characters" if len(line) > MAX_LINE else "a NUL character"
                    raise FileError(f"{path.name} line {number}: {fault}: this is no record of chats")
                yield line.rstrip("\n")
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None


def label(path: Path, number: int, nicks: Collection[str]) -> str:
    """The name under which a file is told where something in it is refused. number: among the files of the import.

    A buyer's nick in it, as exports have it (`聊天记录-昵称.txt`), is left out: the number tells such files apart.
    """
    name = path.name
    for nick in sorted(nicks, key=len, reverse=True):
        name = name.replace(nick, MASK)
    plain = _UNPLAIN.sub("_", name)[:_LONGEST]
    return plain if name == path.name else f"{plain} ({number})"


def _encoding(path: Path, encodings: Collection[str]) -> str:
    for encoding in encodings:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with path.open("rb") as data:
                while chunk := data.read(_CHUNK):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
            return encoding
        except UnicodeDecodeError:
            continue
    known = " nor ".join("UTF-8" if name == "utf-8-sig" else name.upper() for name in encodings)
    raise FileError(f"{path.name}: neither {known} text" if len(encodings) > 1 else f"{path.name}: no {known} text")
