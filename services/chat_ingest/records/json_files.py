"""Files of JSON: pages of Taobao's chat log, and CloudEvents one a line.

They are only cut apart here; what is in a page or an event is understood by its source.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from services.chat_ingest.records.files import FileError, lines_of
from services.chat_ingest.records.qianniu_text import MAX_TEXT, Part
from services.chat_ingest.records.record import Page, Statement, Stray

MAX_FILE = 64 * 1024 * 1024
"""Bytes of a file of pages, which is held in memory as a whole."""

_list = msgspec.json.Decoder(list[Raw])
_one = msgspec.json.Decoder(Raw)
_any = msgspec.json.Decoder()


def pages(path: Path) -> Iterator[Part]:
    """A file of one page, or of a JSON list of them. Raises FileError."""
    if (size := _size(path)) > MAX_FILE:
        raise FileError(f"{path.name}: {size} bytes, {MAX_FILE} at most; put the pages into several files")
    text = "\n".join(lines_of(path, ("utf-8-sig",))).strip().encode()
    try:
        bodies = _list.decode(text) if text.startswith(b"[") else [_one.decode(text)]
    except (ValueError, RecursionError):
        bodies = []
    if not bodies or not all(bytes(body).startswith(b"{") for body in bodies):
        raise FileError(f"{path.name}: neither a JSON page of the chat log nor a list of them")
    for number, body in enumerate(bodies, 1):
        yield Part(Page(number, body), 1)


def statements(path: Path) -> Iterator[Part]:
    """A file of one CloudEvent a line; a line that is no JSON object is reported. Raises FileError."""
    for number, line in enumerate(lines_of(path, ("utf-8-sig",)), 1):
        if not line.strip():
            yield Part(None, 1)
        elif isinstance(_json(line), Mapping):
            yield Part(Statement(number, Raw(line.strip().encode())), 1)
        else:
            yield Part(Stray(number, "no JSON object", line[:MAX_TEXT]), 1)


def said_in(body: Raw) -> tuple[int, str]:
    """How many messages a page holds, as far as that can be seen, and whose nick it names."""
    page = _any.decode(body)
    answer = next((inner for name, inner in page.items() if name.endswith("chatlog_get_response")), page)
    listed = answer.get("msgs") if isinstance(answer, Mapping) else None
    found = listed.get("msg") if isinstance(listed, Mapping) else None
    nick = page.get("to_id")
    return (
        len(found) if isinstance(found, list) else 1 if isinstance(found, Mapping) else 0,
        nick.removeprefix("cntaobao") if isinstance(nick, str) else "",
    )


def _json(line: str) -> Any:
    try:
        return _any.decode(line)
    except (ValueError, RecursionError):
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None
