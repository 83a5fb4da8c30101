"""The speaker's own words in a chat message: what is quoted is somebody else's (domain.md 3, "Intents").

| quotation | example |
| --- | --- |
| the platform's: 「...」 and a line of dashes before the answer | 「客服:可以退货」 / - - - - - / 好的 |
| in quotation marks 「」『』“”‘’"" | 你们写着“七天无理由” |
| a line that begins with 引用 or > | 引用:亲,可以退货的 |
| what the shop is said to have said, to the end of the clause; after a colon, of the sentence | 客服说能退货,我就拍了 |
"""

import re

_ANSWER = re.compile(r"」\s*\n[ \t]*(?:[-—–][ \t]*){4,}$", re.MULTILINE)
_PAIRS = {"「": "」", "『": "』", "“": "”", "‘": "’"}
_CLOSING = {closing: opening for opening, closing in _PAIRS.items()}
_STRAIGHT = re.compile(r'["＂][^"＂\n]*["＂]')
_QUOTED_LINE = re.compile(r"^[ \t]*(?:>|》|引用)[^\n]*", re.MULTILINE)
_SAYS = r"(?:说|回复|告诉我|答应|承诺|讲)(?!怎么|咋|该|多少|什么|话|明)(?:好)?[了过的]?"
_TOLD = re.compile(
    r"(?:(?<!投诉)(?<!举报)(?:客服|你们|你家|卖家|店家|商家|店主|掌柜|小二)(?:[^\s我,，。.!！?？;；:：说]{0,5}|[^\s我,，。.!！?？;；:：说]{0,3}[跟和给对]我)"
    r"|(?<!我)(?:上次|之前|当时|昨天|刚才|不是))"
    + _SAYS
    + r"(?:\s*[:：][^。!！?？\n]*"
    + r"|(?:(?!怎么|为什么|为啥|咋|结果|但|可是|现在|我要|我想|我就|我不)[^\s,，。!！?？;；、])*)"
)


def own_words(text: str) -> str:
    """The text with line breaks in place of all that is quoted: as long as before, each own character in its place."""
    return _blanked(text, [*_platform_quote(text), *_in_marks(text), *_spans(_STRAIGHT, text), *_reported(text)])


def without_platform_quote(text: str) -> str:
    """The text with line breaks in place of the message that it answers, which the platform has put there."""
    return _blanked(text, _platform_quote(text))


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if end > done:
            start = max(start, done)
            parts += text[done:start], "\n" * (end - start)
            done = end
    return "".join(parts) + text[done:]


def _platform_quote(text: str) -> list[tuple[int, int]]:
    """Up to the last line of dashes that follows a closing mark: a quoted message may quote another."""
    if not text.lstrip().startswith("「"):
        return []
    ends = [end for _, end in _spans(_ANSWER, text)]
    return [(0, ends[-1])] if ends else []


def _in_marks(text: str) -> list[tuple[int, int]]:
    """Pairs of marks, nested ones inside the outer; one without its partner quotes nothing."""
    open_at: dict[str, list[int]] = {mark: [] for mark in _PAIRS}
    spans: list[tuple[int, int]] = []
    for index, char in enumerate(text):
        if char in open_at:
            open_at[char].append(index)
        elif (opening := _CLOSING.get(char)) and open_at[opening]:
            spans.append((open_at[opening].pop(), index + 1))
    return spans


def _reported(text: str) -> list[tuple[int, int]]:
    return [*_spans(_QUOTED_LINE, text), *_spans(_TOLD, text)]


def _spans(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    return [found.span() for found in pattern.finditer(text)]
