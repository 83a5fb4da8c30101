"""Mappings: which columns of an export hold which fields, and how its cells are read (TOML).

shop = "s1"                        # unless `--shop` names it
platform = "taobao"                # schemas.types.Platform
shop_kind = "c_shop"               # or "mall"
time_zone = "Asia/Shanghai"        # of times without an offset
time_format = "%Y/%m/%d %H:%M"     # as of strptime; without it ISO 8601
money = "yuan"                     # or "fen"
encoding = "gb18030"               # utf-8-sig by default: UTF-8, with or without BOM
delimiter = ","
nulls = ["", "NULL"]               # cells that say nothing

[statuses]                         # every status there is; another one is refused
open = ["已发货"]
closed = { "交易关闭" = "交易关闭" }  # status -> the reason that the closing has

[orders]                           # and [buyers] [lines] [payments] [reviews], where there are files of them
file = "orders.csv"
columns = { order_id = "订单编号" }  # field (exports/record.py, TABLES) = column
constants = { carrier = "中通" }     # field = the same for each row
"""

import re
from collections.abc import Mapping as Table
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from schemas.types import Platform, Short
from services.trade_ingest.exports import record
from services.trade_ingest.exports.cells import reads_times
from services.trade_ingest.exports.record import FILE, TABLES, Rules

SHIPPED = Path(__file__).parents[1] / "mappings"

Name = Annotated[str, Meta(min_length=1, max_length=500)]

_CHOICES: Table[str, tuple[str, ...]] = {
    "signed_by": ("self", "station", "locker", "other"),
    "completed_cause": ("buyer", "automatic"),
}
_WITH: Table[str, str] = {"signed": "signed_by", "completed": "completed_cause", "shipped": "carrier"}
"""A field, and the one that must be said with it: no export is guessed at."""


class MappingError(ValueError):
    """A mapping that cannot be used; one line: which file, what is wrong, what to do."""


class Statuses(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    open: tuple[Short, ...] = ()
    closed: dict[Short, Short] = msgspec.field(default_factory=dict[Short, Short])


class File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table: its file, field -> column, field -> constant."""

    file: Name
    columns: dict[str, Name]
    constants: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class Mapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    shop: Short = ""
    platform: Platform
    shop_kind: Literal["c_shop", "mall"]
    time_zone: Short
    time_format: Short = ""
    money: Literal["yuan", "fen"]
    encoding: Short = "utf-8-sig"
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    nulls: tuple[Short, ...] = ("", "NULL", "null", "\\N")
    statuses: Statuses = Statuses()
    orders: File
    buyers: File | None = None
    lines: File | None = None
    payments: File | None = None
    reviews: File | None = None

    @property
    def tables(self) -> dict[record.Table, File]:
        named: dict[record.Table, File | None] = {table: getattr(self, table) for table in TABLES}
        return {table: file for table, file in named.items() if file is not None}

    @property
    def rules(self) -> Rules:
        return Rules(
            platform=self.platform,
            shop_kind=self.shop_kind,
            time_zone=self.time_zone,
            time_format=self.time_format,
            money=self.money,
            nulls=self.nulls,
            open_statuses=self.statuses.open,
            closed_statuses=self.statuses.closed,
        )


def shipped() -> list[str]:
    """The names of the mappings that come with CareBus."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load_mapping(name: str) -> Mapping:
    """The mapping that ships under this name, else the one in this file. Raises MappingError."""
    path = SHIPPED / f"{name}.toml" if name in shipped() else Path(name)
    try:
        mapping = msgspec.toml.decode(path.read_bytes(), type=Mapping)
    except OSError as error:
        names = ", ".join(shipped())
        raise MappingError(f"mapping {name}: {error.strerror}; give a TOML file, or one of: {names}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MappingError(f"mapping {name}: {error}") from None
    if fault := _fault(mapping):
        raise MappingError(f"mapping {name}: {fault}")
    return mapping


def _fault(mapping: Mapping) -> str:
    """What is wrong with it beyond its types; empty: nothing."""
    for check in (_zone, _time_format, _encoding, _buyers, _statuses):
        if fault := check(mapping):
            return fault
    return next((fault for table in mapping.tables if (fault := _fields(mapping, table))), "")


def _zone(mapping: Mapping) -> str:
    try:
        ZoneInfo(mapping.time_zone)
    except (LookupError, ValueError, OSError):
        return f"time_zone: {mapping.time_zone!r} is no IANA time zone such as Asia/Shanghai"
    return ""


def _time_format(mapping: Mapping) -> str:
    if reads_times(mapping.time_format):
        return ""
    return f"time_format: {mapping.time_format!r} does not say day, hour and minute, each once, as strptime reads them"


def _encoding(mapping: Mapping) -> str:
    try:
        "1".encode(mapping.encoding)  # refuses what is no encoding of text (hex, zlib) as well
    except (LookupError, ValueError):
        return f"encoding: {mapping.encoding!r} is not known as one of text; utf-8-sig and gb18030 are"
    return ""


def _buyers(mapping: Mapping) -> str:
    columns = mapping.orders.columns
    if "buyer_id" in columns or ("buyer_key" in columns and mapping.buyers):
        return ""
    return "[orders] columns: name the buyer_id, or a buyer_key that [buyers] is looked up by"


def _statuses(mapping: Mapping) -> str:
    named = bool(mapping.statuses.open or mapping.statuses.closed)
    if named == ("status" in mapping.orders.columns):
        return ""
    return "[statuses] and the status among the columns of [orders] need each other"


def _fields(mapping: Mapping, table: record.Table) -> str:
    file, known = mapping.tables[table], TABLES[table]
    if not re.search(FILE, file.file):
        return f"[{table}] file: {file.file!r} is no plain file name: letters, digits and ._- () only, 100 at most"
    given: dict[str, Any] = {**file.columns, **file.constants}
    for field in given:
        if field not in known.all:
            return f"[{table}] {field} is no field; there are {', '.join(known.all)}"
        if field in file.columns and field in file.constants:
            return f"[{table}] {field} is both a column and a constant"
    for field in (*known.needs, *(more for field, more in _WITH.items() if field in file.columns)):
        if field not in given:
            return f"[{table}] {field} is missing: name its column, or a constant"
    for field, words in _CHOICES.items():
        if field in file.constants and file.constants[field] not in words:
            return f"[{table}] constants.{field} is none of {', '.join(words)}"
    return ""
