"""The record of `in.records.<shop>.chat`: some messages of a file, cut apart but not understood.

It stands for itself, so any system may publish it (a bridge that watches an agent's clipboard, say):

    {"format": "chats/1", "file": "9月.txt", "main_account": "某某旗舰店", "peer": "买家昵称",
     "entries": [
       {"is": "said", "line": 3, "sender": "买家昵称", "to": "", "time": "2025-9-19 17:24:05", "text": "在吗"},
       {"is": "recalled", "line": 6, "sender": "买家昵称", "time": "2025-9-19 17:24:05"},
       {"is": "stray", "line": 9, "reason": "no message begins before it", "text": "..."},
       {"is": "page", "line": 1, "body": {...}},
       {"is": "event", "line": 1, "body": {...}}]}

A record ends only between two seconds, so the equal messages of one second are together (sources/message.py, Ids).
"""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from schemas.types import MAX_ITEMS, Short, Whole

FORMAT = "chats/1"

FILE = r"^[\w.\- ()（）*]{1,100}\Z"
"""A plain file name: it is told where an entry is refused, so it has no room for more."""


class Said(Struct, frozen=True, tag_field="is", tag="said"):
    """A message as the file has it. to: whom the file names as its receiver (`A --> B`); empty: it names none."""

    line: Whole
    sender: str
    to: str
    time: str
    text: str


class Recalled(Struct, frozen=True, tag_field="is", tag="recalled"):
    """`X 撤回了一条消息`. time: of the message before, since the line has none."""

    line: Whole
    sender: str
    time: str


class Stray(Struct, frozen=True, tag_field="is", tag="stray"):
    """A line that fits nothing: published to be refused and kept, with its text."""

    line: Whole
    reason: Short
    text: str


class Page(Struct, frozen=True, tag_field="is", tag="page"):
    """A page of Taobao's chat log (sources/taobao.py)."""

    line: Whole
    body: Raw


class Statement(Struct, frozen=True, tag_field="is", tag="event"):
    """A CloudEvent of the canonical feed."""

    line: Whole
    body: Raw


Entry = Said | Recalled | Stray | Page | Statement


class ChatRecord(Struct, frozen=True, kw_only=True):
    """main_account: whose sub-accounts are the shop. peer: the only other speaker of the file; empty: several.

    line (of the entries): as an editor counts, from 1; of a file of pages the page's number.
    """

    format: Literal["chats/1"]
    file: Annotated[str, Meta(pattern=FILE)]
    main_account: str = ""
    peer: str = ""
    entries: Annotated[tuple[Entry, ...], Meta(max_length=MAX_ITEMS)]
