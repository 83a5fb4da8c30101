"""The record of `in.csv.<shop>.orders`: one order with the rows of an export that tell of it, cells untouched.

It stands for itself: the rules by which its cells are read travel in it, so any system may publish it.

    {"format": "orders/1",
     "rules": {"platform": "other", "shop_kind": "mall", "time_zone": "Asia/Shanghai", "money": "yuan"},
     "orders": [{"file": "orders.csv", "row": 17,
                 "fields": {"order_id": "4010...", "buyer_id": "b1", "placed": "2026-03-02 10:00:00"}}],
     "lines": [...], "payments": [...], "reviews": [...], "buyers": [...]}

Every cell is a string as the file has it; TABLES says the fields. A row that belongs to no order travels in a record
without `orders`, to be refused and kept.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.types import Count, Platform, Short, Whole

FORMAT = "orders/1"

FILE = r"^[\w.\- ()（）]{1,100}\Z"
"""A plain file name: it is told where a row is refused, so it has no room for more."""

Table = Literal["orders", "buyers", "lines", "payments", "reviews"]


class Rules(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the cells are read.

    time_zone: IANA name, of times without an offset. time_format: as of strptime; empty: ISO 8601. money: of all
    amounts. nulls: cells that say nothing. open_statuses, closed_statuses: every `status` there is, the latter each
    with the reason that the closing has; another status is refused.
    """

    platform: Platform
    shop_kind: Literal["c_shop", "mall"]
    time_zone: Short
    time_format: Short = ""
    money: Literal["yuan", "fen"]
    nulls: tuple[Short, ...] = ("",)
    open_statuses: tuple[Short, ...] = ()
    closed_statuses: dict[Short, Short] = msgspec.field(default_factory=dict[Short, Short])


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row of a file, field -> cell. row: as a spreadsheet counts, the header is row 1.

    fault: it is damaged; `width`: it has this many `cells` under a `header` of that many.
    """

    file: Annotated[str, Meta(pattern=FILE)]
    row: Whole
    fields: dict[Short, str]
    fault: Literal["", "width"] = ""
    cells: Count = 0
    header: Count = 0

    @property
    def place(self) -> str:
        return f"{self.file} row {self.row}"

    @property
    def damage(self) -> str:
        """What is wrong with the row as a whole; empty: nothing."""
        return f"a row of {self.cells} cells under a header of {self.header}" if self.fault else ""


class OrderRecord(Struct, frozen=True, kw_only=True):
    """The rows of one order, in the order of their files."""

    format: Literal["orders/1"]
    rules: Rules
    orders: tuple[Row, ...] = ()
    buyers: tuple[Row, ...] = ()
    lines: tuple[Row, ...] = ()
    payments: tuple[Row, ...] = ()
    reviews: tuple[Row, ...] = ()


class Fields(Struct, frozen=True):
    """The fields of a table: those that it needs, and those it may have."""

    needs: tuple[str, ...]
    may: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return self.needs + self.may


TABLES: Mapping[Table, Fields] = {
    # placed, paid, shipped, signed, completed, closed: when it happened. total includes postage; payment: what was
    # paid. parcel_id, waybill: the order's id where there is none. buyer_key: looked up among the buyers.
    "orders": Fields(
        ("order_id", "placed"),
        (
            *("buyer_id", "buyer_key", "status", "paid", "shipped", "signed", "completed", "closed"),
            *("total", "postage", "payment", "parcel_id", "carrier", "waybill", "signed_by", "completed_cause"),
            *("region",),
        ),
    ),
    "buyers": Fields(("buyer_key", "buyer_id"), ()),
    # price: a piece. postage: this line's part of it.
    "lines": Fields(("order_id", "line_id", "sku", "price", "quantity"), ("title", "postage")),
    "payments": Fields(("order_id", "amount"), ()),
    # posted: when. score: 1 to 5 stars.
    "reviews": Fields(("order_id", "review_id", "score", "posted"), ("line_id", "title", "text")),
}

JOIN: Mapping[Table, str] = {
    "buyers": "buyer_key",
    "lines": "order_id",
    "payments": "order_id",
    "reviews": "order_id",
}
"""The field by which a table's rows find their order."""


def plain(cell: str) -> str:
    """The cell without what spreadsheets put around it to keep its digits: blanks, `="..."`, a leading `'`."""
    cell = cell.strip()
    if cell.startswith('="') and cell.endswith('"') and len(cell) > 2:
        cell = cell[2:-1].strip()
    return cell.removeprefix("'")
