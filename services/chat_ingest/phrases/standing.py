"""Whether a phrase that was found is meant: not denied, and not merely asked or supposed where that matters.

| said | example | the phrase |
| --- | --- | --- |
| denied, a negator right before it | 不是要退货, 不用换货, 没有质量问题, 先不取消 | is not meant |
| denied behind it | 换货就不用了 | is not meant |
| denied twice | 不得不退货, 不是没有质量问题 | is meant |
| its own negation, being part of the phrase | 不能用, 没收到货, 不要了 | is meant |
| that one denied in its turn | 不是不想要了 | is not meant |
| refused by the shop: no negator | 不给退货, 不能换货 | is meant |
| a question that denies | 不能退吗, 没有发票吗, 这不是质量问题吗 | is meant |
| A不A | 是不是发错了, 要不要退货 | is meant; asked with 会不会 |
| carried on by 和, 或, 、 | 不用退货或者换货 | is not meant, as the one before it |
| asked: 吗 or ? behind it, 会不会 before it | 掉色吗, 会不会坏了 | is not meant if `when_asked = false` |
| supposed: 如果, 万一, 怕, 的话 | 万一坏了能退吗 | is not meant if `when_supposed = false` |

All within one clause: what punctuation separates does not reach over. A space separates too where words of two or more
characters stand on both its sides (没有 退货地址发我), not between single ones (不 想 退 货).
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from services.kernel.phrases import Lexicon, Match, Normal, is_separator

_DECLINED = (  # and what may follow
    "不是|不用|不要|不想|不需要|不需|不必|不打算|不准备|不考虑|不急着|并非|没想|没说|没打算|无需|别|甭",
    "要|想|说|我|你|您|们|给|帮|再|去|来|申请|办理|做|什么|任何|是|有|因为|由于|为了|现在|马上|着急|真|让|必须|一定|很|太|特别|那么|非常|十分",
)
_LACKING = (
    "没有|没|无|未|不会给|不会|不算|不属于|不",
    "什么|任何|啥|太|很|特别|那么|这么|怎么|发现|出现|存在|再|去|申请|要求|想|要|有|是|说|过|敢|得",
)
_NEGATOR = re.compile("|".join(f"(?:{words})(?:{more})*$" for words, more in (_DECLINED, _LACKING)))
"""A negator with what may stand between it and the phrase, at the end of the text before the phrase."""
_REACH = 14
"""How far before a phrase a negator is looked for, in characters."""

_FORCED = re.compile(r"(?:不得不|不能不|只好|只能)$")
_NO_NEGATOR_AFTER = "要可除莫"
"""要不(是), 可不(是), 除非, 莫非: other words."""
_DENIED_BEHIND = re.compile(r"(?:就|也|都|倒)?(?:不用|不需要|不必|免了|就算了|没必要)")
_ASKED_BEHIND = re.compile(r"(?:了|的|过|啊|呀|吧)?(?:吗|么|嘛|\?|不(?=$|[?,。!\n]))")
_ASKED_BEFORE = re.compile(r"会不会|容不容易|会否|是否会")
_OPEN_QUESTION = re.compile(r"怎么|为什么|为啥|咋|什么时候")
_IS_QUESTION = re.compile(r"吗|怎么|多少|什么|几|哪|能不能|可不可以|有没有|是不是")
_SUPPOSED_BEFORE = re.compile(r"如果|(?<![主只重需])要是|万一|假如|倘若|假设|怕|担心|防止|避免|以免|容易")
_SUPPOSED_BEHIND = re.compile(r"^[^,。!?\n]{0,6}的话")
_SUPPOSED_REACH = 20
_CARRIED = frozenset({"和", "或", "或者", "跟", "以及", "、", "/", "也不", "也没有", "也没"})


class Standing(Struct, frozen=True):
    """How a phrase stands in its clause."""

    denied: bool
    asked: bool
    supposed: bool


def readings(lexicon: Lexicon, words: Normal) -> Iterator[tuple[Match, Standing]]:
    """Each phrase of the lexicon in these words, in order, and how it stands."""
    borders = _borders(words)
    before: Match | None = None
    denied_before = False
    for match in lexicon.find(words):
        earliest = borders[bisect_right(borders, match.start) - 1]
        latest = borders[bisect_left(borders, match.end)]
        standing = _standing(words.text, match, max(earliest, before.end if before else 0), earliest, latest)
        if before and denied_before and words.text[before.end : match.start] in _CARRIED and not standing.asked:
            standing = replace(standing, denied=True)
        yield match, standing
        before, denied_before = match, standing.denied


def _standing(text: str, match: Match, free: int, earliest: int, latest: int) -> Standing:
    """free: where the text that belongs to no phrase begins; earliest, latest: the borders of the clause."""
    clause = text[max(earliest, match.start - _SUPPOSED_REACH) : match.start]
    behind = text[match.end : min(latest, match.end + 10)]
    is_question = bool(_IS_QUESTION.search(match.phrase))
    asked = (
        is_question
        or _a_not_a(text, match.start)
        or bool(_ASKED_BEFORE.search(clause))
        or (bool(_ASKED_BEHIND.match(behind)) and not _OPEN_QUESTION.search(clause))
    )
    negators = 0 if is_question else _negators(text, max(free, match.start - _REACH), match.start)
    rhetorical = negators == 1 and asked and clause.endswith("不是")
    denied = (negators % 2 == 1 and not asked) or bool(_DENIED_BEHIND.match(behind))
    supposed = bool(_SUPPOSED_BEFORE.search(clause) or _SUPPOSED_BEHIND.match(behind))
    return Standing(denied, asked and not rhetorical, supposed)


def _negators(text: str, free: int, start: int) -> int:
    """How many negators, one upon the other, deny what begins at `start`."""
    if _FORCED.search(text, free, start):
        return 0
    count = 0
    while found := _NEGATOR.search(text, free, start):
        at = found.start()
        if _a_not_a(text, at) or (at > free and text[at - 1] in _NO_NEGATOR_AFTER):
            break
        count += 1
        start = at
    return count


def _a_not_a(text: str, at: int) -> bool:
    """Whether 不 or 没 here is that of a question: 是不是, 能不能用, 有没有."""
    return 0 < at < len(text) - 1 and text[at] in "不没" and text[at - 1] == text[at + 1]


def _borders(words: Normal) -> list[int]:
    """Where clauses begin, 0 first and the end of the text last."""
    text = words.text
    marks = [index for index in range(len(text)) if is_separator(text, index)]
    found = {0, len(text), *(index + 1 for index in marks)}
    runs = sorted(found | words.gaps)
    for before, gap, after in zip(runs, runs[1:], runs[2:], strict=False):
        if gap in words.gaps and gap - before >= 2 and after - gap >= 2:
            found.add(gap)
    return sorted(found)


def is_question(words: Normal) -> bool:
    """Whether these words ask something: a question mark, 吗, a question word, A不A."""
    return bool(_QUESTION.search(words.text))


_QUESTION = re.compile(
    r"\?|吗|呢(?=$|[,。!?\n])|么(?=$|[,。!?\n])|怎么(?!办理)|咋|什么|啥|多少|多久|几[天个件点号]|哪|谁|为何|如何|([\u4e00-\u9fff])[不没]\1|能否|是否"
)
