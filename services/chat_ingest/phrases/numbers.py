"""Numbers and amounts of money as they are said: 3, 十二, 半, 10元, 五块五, ¥9.9."""

import re
from decimal import Decimal

from schemas.types import Fen

NUMBER = r"(?:(?<![0-9.])[0-9]{1,5}(?![0-9])|[一二两三四五六七八九十百千]{1,7})"
"""A whole number in figures or Chinese, as a part of other patterns."""

_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}


def number(text: str) -> int | None:
    """The whole number that a match of NUMBER says, 0 to 99999; None: it says none (百一千)."""
    if text.isascii():
        return int(text)
    total, digit = 0, None
    for char in text:
        if char in _UNITS:
            total += (1 if digit is None else digit) * _UNITS[char]
            digit = None
        elif digit is None:
            digit = _DIGITS[char]
        else:
            return None
    return total + (digit or 0)


_FIGURES = r"(?<![0-9.])[0-9]{1,6}(?:\.[0-9]{1,2})?(?![0-9.])"
_AMOUNT = re.compile(
    rf"¥(?P<signed>{_FIGURES})"
    rf"|(?P<figures>{_FIGURES})(?:元|块钱?|圆|rmb)(?P<tenths>[0-9](?![0-9件个天折%]))?"
    rf"|(?P<words>[一二两三四五六七八九十百千]{{1,7}})(?:元|块钱?)(?P<more>[一二三四五六七八九])?"
    rf"|(?P<jiao>{_FIGURES}|[一二两三四五六七八九])[毛角]"
)
_CLOSE = re.compile(rf"[^0-9¥]{{0,3}}?(?:{_AMOUNT.pattern})")
_BARE = re.compile(rf"(?:了|您|你|掉|到|个){{0,2}}(?P<figures>{_FIGURES})(?![0-9折件个天%小分:点款份码号种])")
"""便宜5: a number right behind the word, of nothing else."""


def amount_fen(text: str) -> Fen | None:
    """The first amount of money in this normal form; None: none, or one that cannot be told."""
    found = _AMOUNT.search(text)
    return _fen(found) if found else None


def close_fen(text: str) -> Fen | None:
    """The amount with which this normal form begins, three characters apart; its unit may be left unsaid (便宜|5)."""
    if found := _CLOSE.match(text):
        return _fen(found)
    found = _BARE.match(text)
    return int(Decimal(found["figures"]) * 100) if found else None


def _fen(found: re.Match[str]) -> Fen | None:
    if plain := found["signed"] or found["figures"]:
        return int(Decimal(plain) * 100) + 10 * int(found["tenths"] or 0)
    if words := found["words"]:
        whole = number(words)
        return None if whole is None else whole * 100 + 10 * _DIGITS[found["more"] or "零"]
    jiao = found["jiao"]
    return 10 * _DIGITS[jiao] if jiao in _DIGITS else int(Decimal(jiao) * 10)
