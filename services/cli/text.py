"""What is shown to a person: times of the shop's zone, text that cannot harm a terminal, tables."""

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""The shops' own time, in which the desk reads."""
FULL, TO_THE_SECOND, TO_THE_MINUTE = "%Y-%m-%d %H:%M:%S", "%m-%d %H:%M:%S", "%m-%d %H:%M"


def local(time: datetime, form: str = FULL, zone: tzinfo = SHANGHAI) -> str:
    """`2026-11-24 16:00:00`."""
    try:
        return f"{time.astimezone(zone):{form}}"
    except (OverflowError, ValueError):  # the ends of the calendar; asyncpg reads its first instant without a zone
        return time.isoformat()


def printable(text: object) -> str:
    """On one line, without what could move a terminal's cursor or turn the direction of writing."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def table(title: str, *columns: str) -> Table:
    """Whatever is too long for its cell goes on below. A column whose name begins with > holds numbers."""
    made = Table(title=Text(title), title_justify="left", show_header=columns[-1] != "")
    for column in columns:
        right = column.startswith(">")
        made.add_column(column.removeprefix(">"), justify="right" if right else "left", overflow="fold")
    return made


def row(table: Table, *cells: object) -> None:
    """Plain text: what people wrote is no markup and moves no cursor. The number 0 is left out."""
    table.add_row(*(Text("" if cell == 0 else printable(cell)) for cell in cells))
