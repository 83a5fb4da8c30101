"""An export's files, read and joined to one record an order, in the order of the orders' file.

All rows are held in memory, as the JSON they are published as: some 550 bytes a row; 1.25 million rows took 0.7 GB.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from services.trade_ingest.exports.mapping import File, Mapping
from services.trade_ingest.exports.record import FORMAT, JOIN, Row, Table, plain

MAX_BYTES = 512 * 1024
"""The largest message that INBOX takes."""

Rows = dict[Table, list[Raw]]


class ExportError(ValueError):
    """An export that cannot be read; one line: which file, what is wrong, what to do."""


class Export(Struct):
    """orders: by id. stray: rows that belong to no order, each to be published as a record of its own.

    rows: of each file. idle_buyers: rows of buyers that no order names; they state nothing and are not published.
    """

    mapping: Mapping
    orders: dict[str, Rows] = msgspec.field(default_factory=dict[str, Rows])
    stray: list[tuple[Table, Raw]] = msgspec.field(default_factory=list[tuple[Table, Raw]])
    rows: Counter[str] = msgspec.field(default_factory=Counter[str])
    idle_buyers: int = 0

    @property
    def messages(self) -> int:
        return len(self.orders) + len(self.stray)

    def records(self) -> Iterator[bytes]:
        """The payloads to publish (`record.OrderRecord`)."""
        frame = {"format": FORMAT, "rules": self.mapping.rules}
        for rows in self.orders.values():
            yield msgspec.json.encode({**frame, **rows})
        for table, row in self.stray:
            yield msgspec.json.encode({**frame, table: [row]})


def read_export(directory: Path, mapping: Mapping) -> Export:
    """Raises ExportError."""
    export = Export(mapping)
    of_key: dict[str, list[Rows]] = {}
    for row, raw in _rows(directory, mapping, "orders", export):
        if order := _id(row, "order_id", mapping):
            rows = export.orders.setdefault(order, {})
            rows.setdefault("orders", []).append(raw)
            if key := _id(row, "buyer_key", mapping):
                of_key.setdefault(key, []).append(rows)
        else:
            export.stray.append(("orders", raw))
    for table in mapping.tables:
        if table == "orders":
            continue
        for row, raw in _rows(directory, mapping, table, export):
            found = _id(row, JOIN[table], mapping)
            if table == "buyers":
                owners = of_key.get(found, [])
                export.idle_buyers += not owners
            else:
                owners = [export.orders[found]] if found in export.orders else []
                if not owners:
                    export.stray.append((table, raw))
            for owner in owners:
                owner.setdefault(table, []).append(raw)
    _fits(export)
    return export


def _fits(export: Export) -> None:
    """Every record in one message of INBOX. Raises ExportError."""
    frame = len(msgspec.json.encode(export.mapping.rules)) + 200
    for tables in export.orders.values():
        size = frame + sum(len(bytes(row)) + 1 for rows in tables.values() for row in rows)
        if size > MAX_BYTES:
            first = msgspec.json.decode(tables["orders"][0], type=Row)
            raise ExportError(f"{first.place}: the rows of this order take {size} bytes, a message {MAX_BYTES} at most")


def _id(row: Row, field: str, mapping: Mapping) -> str:
    found = plain(row.fields.get(field, ""))
    return "" if found in mapping.nulls else found


def _rows(directory: Path, mapping: Mapping, table: Table, export: Export) -> Iterator[tuple[Row, Raw]]:
    file = mapping.tables[table]
    number = 0
    try:
        with (directory / file.file).open(encoding=mapping.encoding, newline="") as lines:
            reader = csv.reader(lines, delimiter=mapping.delimiter, strict=True)
            header = next(reader, [])
            number = 1
            columns = _columns(header, file, mapping)
            for number, cells in enumerate(reader, 2):
                if cells:
                    export.rows[file.file] += 1
                    row = _row(file, number, cells, len(header), columns)
                    yield row, Raw(msgspec.json.encode(row))
    except OSError as error:
        raise ExportError(f"{directory / file.file}: {error.strerror}; [{table}] of the mapping names it") from None
    except UnicodeError:
        said = f"not {mapping.encoding} after row {number}; say its encoding in the mapping (gb18030?)"
        raise ExportError(f"{file.file}: {said}") from None
    except csv.Error as error:
        raise ExportError(f"{file.file}: no CSV after row {number} ({error}); is a quote left open?") from None


def _columns(header: list[str], file: File, mapping: Mapping) -> dict[str, int]:
    """Field -> the number of its column."""
    names = [name.strip() for name in header]
    for field, column in file.columns.items():
        if names.count(column) != 1:
            many = "several columns" if column in names else "no column"
            where = f"its first row, of {len(names)} cells between {mapping.delimiter!r}, is no such header"
            raise ExportError(f"{file.file}: {many} {column!r}, which the mapping names for {field}; {where}")
    return {field: names.index(column) for field, column in file.columns.items()}


def _row(file: File, number: int, cells: list[str], width: int, columns: dict[str, int]) -> Row:
    fields = {field: cells[at] for field, at in columns.items() if at < len(cells)}
    row = Row(file=file.file, row=number, fields=fields | file.constants)
    return row if len(cells) == width else replace(row, fault="width", cells=len(cells), header=width)
