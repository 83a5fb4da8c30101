"""The normal form of chat text, in which phrases are written and looked for (texts.md, "Never said").

Full width becomes half width, capitals small; what may stand between the characters of a word without changing it is
taken out: spaces, emoji (of Unicode, and the codes `[微笑]` and `/:087` of platforms), marks such as `*_~|·^`.
Punctuation stays: it separates clauses. Between two digits a space or `~` stays too, or `3~5天` would be 35 days.

Traditional characters are not made simplified: no library that CareBus keeps does it. A shop with such buyers adds
the phrases in its own files.
"""

import re
import unicodedata
from functools import lru_cache

from msgspec import Struct

_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_MARKS = frozenset("*_~|^`·•・")
_SEPARATORS = frozenset("\n,。.!?;:、…—-()[]{}<>《》【】「」『』“”‘’\"'/")
_CODES = re.compile(
    r"\[(?!图片|语音|视频|文件|链接|商品|订单|位置|卡片)[\u4e00-\u9fff]{1,4}\]"
    r"|/:(?:[0-9]{3}|girl|man|lip|clock|plane|qp|\([A-Za-z&.]{1,5}\)|[^\s0-9/\u3400-\u9fff]{1,3})"
)
"""Emoji as platforms write them out. `[图片]` and the like stand for something sent, and stay."""


class Normal(Struct, frozen=True):
    """text: the normal form. origin: for each of its characters, the index of the character of the original that it
    comes from. gaps: the indexes in `text` before which white space was taken out. emoji: how many were taken out.
    """

    text: str
    origin: list[int]
    gaps: frozenset[int]
    emoji: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end] stands in the original: from its first character to the one after its last."""
        return self.origin[start], self.origin[end - 1] + 1


def normal(text: str) -> Normal:
    """The normal form of any text, lone surrogates included; in time linear in its length."""
    kept: list[str] = []
    origin: list[int] = []
    gaps: set[int] = set()
    spelt = [range(*found.span()) for found in _CODES.finditer(text)]
    codes = {index for each in spelt for index in each}
    emoji = len(spelt)
    between = ""
    for index, char in enumerate(text):
        folded = "" if index in codes else _folded(char)
        if not folded:
            if char.isspace():
                gaps.add(len(kept))
                between = between or " "
            elif unicodedata.normalize("NFKC", char) == "~":
                between = "~"
            elif index not in codes:
                emoji += unicodedata.category(char) == "So"
            continue
        if between and kept and kept[-1].isdigit() and folded[0].isdigit():
            kept.append(between)
            origin.append(index - 1)
        between = ""
        kept.extend(folded)
        origin.extend([index] * len(folded))
    return Normal("".join(kept), origin, frozenset(gaps), emoji)


def is_separator(text: str, index: int) -> bool:
    """Whether this character of a normal form ends a clause; a point or dash between digits does not."""
    if text[index] not in _SEPARATORS:
        return False
    inside = 0 < index < len(text) - 1 and text[index - 1].isdigit() and text[index + 1].isdigit()
    return not (inside and text[index] in ".-:/")


@lru_cache(maxsize=32_768)
def _folded(char: str) -> str:
    """What is left of one character; empty: it is taken out."""
    if char in _BREAKS:
        return "\n"
    if "🅐" <= char <= "🅩" or "🅰" <= char <= "🆉":  # white letters on black, which NFKC leaves
        return chr(ord("a") + (ord(char) - ord("🅐")) % 32)
    return "".join(each for each in unicodedata.normalize("NFKC", char).lower() if _is_kept(each))


def _is_kept(char: str) -> bool:
    if char in _MARKS:
        return False
    category = unicodedata.category(char)
    return category[0] in "LNP" or category in ("Sc", "Sm")
