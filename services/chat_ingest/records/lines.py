"""Which lines of a record nobody said: the lists of lines.toml. And how a line is read whatever its width."""

import tomllib
from pathlib import Path

_HALF = {full: full - 0xFEE0 for full in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_LISTS = tomllib.loads((Path(__file__).parent / "lines.toml").read_text(encoding="utf-8"))
_STATUS = frozenset(_LISTS["status"])
_PLATFORM = tuple(_LISTS["platform"])


def half_width(line: str) -> str:
    """Full-width ASCII (`２０２５－９－１９　１７：２４`) as ASCII, letter for letter: places in it stay the same."""
    return line.translate(_HALF)


def is_status(line: str) -> bool:
    """已读, 未读, 发送中."""
    return _compared(line) in _STATUS


def is_platform(line: str) -> bool:
    """A line that the platform put in (系统消息): no speaker, no answer."""
    return _compared(line).startswith(_PLATFORM)


def _compared(line: str) -> str:
    return "".join(half_width(line).split())
