"""Promises 承诺 in an agent's words, and claims of a grant (domain.md 3, "Promises and authority").

| said | what |
| --- | --- |
| 送您一份小礼物; 给您备注赠品 | gift |
| 给您优惠5元; 便宜5; 帮您改价 | discount, 500 fen |
| 补偿您10元; 24小时内赔付 | compensation |
| 今天发出; 明天下午3点前回复您 | time |
| 不能送您, 没有赠品, 赠品送不了, 需要赠品吗 | none: denied, or asked without an offer (可以吗) |
| 预计明天到, 今天已经发出 | none: an estimate, and what is done |
| 主管同意了 | a claim of a grant; 等主管同意, 申请一下 are none |

A clause has at most one promise of each kind; a time said in it belongs to its other promise, if there is one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from services.chat_ingest.phrases.clauses import clauses, within
from services.chat_ingest.phrases.found import Promise, What
from services.chat_ingest.phrases.numbers import amount_fen, close_fen
from services.chat_ingest.phrases.times import SaidTime, said_times
from services.kernel.phrases import Lexicon, Match, Normal

_KINDS: Mapping[str, What] = {
    "gift": "gift",
    "gift_things": "gift",
    "discount": "discount",
    "discount_sums": "discount",
    "compensation": "compensation",
    "compensation_sums": "compensation",
}
_DENIED = re.compile(
    r"(?:不能|不可以|不会|不支持|不给|不让|不允许|没有|没法|没办法|无法|无权|无|没|不)"
    r"(?:再|给您|给你|给亲|为您|帮您|申请|额外|另外|单独|私自|随便|直接|任何|什么|权限|有|多|的|了|在|接受){0,4}$"
)
_DENIED_BEHIND = re.compile(r"(?:是|都|也|已经)?(?:没有|送完|送不了|改不了|给不了|不了|不能|不可以|不支持|没了|已送完)")
_ASKED = re.compile(r"(?:吗|么|\?)[^\w]*$")
_OFFERED = re.compile(r"(?:可以|行|好|能接受|同意)[吗么]|好不好|可以不|行不行|怎么样")
_TOTAL = re.compile(r"满[0-9]+")
"""满300减30: a rule of the shop for everybody."""
_NO_CLAIM = re.compile(
    r"(?:等|需要|需|要|得|如果|要是|没有|没|不|未|看|问|问问|除非)(?:我|您|一下|让|先|经过|经|到|看){0,2}$"
)
_REACH = 16
"""How far before a phrase what denies it is looked for, in characters."""
_CLOSE = 16
"""How much behind a phrase is looked at for an amount right behind it, in characters."""
_ACT_REACH = 10
"""How far behind a time its act may begin, in characters."""


class PromiseReader(Struct, frozen=True):
    """Reads by these phrases: words, of promises.toml; acts, of promise_times.toml; claims, of grants.toml."""

    words: Lexicon
    acts: Lexicon
    claims: Lexicon

    def promises(self, own: Normal, now: datetime) -> Iterator[Promise]:
        """now: when it was said, in the time zone of the shop."""
        words, acts = self.words.find(own), self.acts.find(own)
        for start, end in clauses(own):
            clause = own.text[start:end]
            if _ASKED.search(clause) and not _OFFERED.search(clause):
                continue
            times = [SaidTime(start + time.start, start + time.end, time.due_at) for time in said_times(clause, now)]
            found = list(_of_words(own.text, within(words, start, end), (start, end), times))
            yield from found or _of_times(within(acts, start, end), times)

    def claim(self, own: Normal) -> str | None:
        """The phrase that says a grant is there."""
        for match in self.claims.find(own):
            before = own.text[max(0, match.start - _REACH) : match.start]
            if match.label == "claims" and not _NO_CLAIM.search(before):
                return match.phrase
        return None


def _of_words(
    text: str, matches: Sequence[Match], clause: tuple[int, int], times: Sequence[SaidTime]
) -> Iterator[Promise]:
    """The gift, the discount and the compensation of a clause."""
    start, end = clause
    acts = any(match.label == "acts" for match in matches)
    kinds: set[What] = set()
    for match in matches:
        what = _KINDS.get(match.label)
        if what is None or what in kinds or _is_denied(text, match, start):
            continue
        close = close_fen(text[match.end : min(end, match.end + _CLOSE)])
        if match.label.endswith("_things") and not acts:
            continue
        if match.label.endswith("_sums") and (close is None or _TOTAL.search(text, start, end)):
            continue
        kinds.add(what)
        amount = close if close is not None else amount_fen(text[match.end : end])
        amount = amount if amount is not None else amount_fen(text[start : match.start])
        yield Promise(what, match.phrase, amount, times[0].due_at if times else None)


def _of_times(matches: Sequence[Match], times: Sequence[SaidTime]) -> Iterator[Promise]:
    """The promise of time of a clause: its first time with an act soon behind it."""
    if any(match.label == "hedges" for match in matches):
        return
    acts = [match for match in matches if match.label == "acts"]
    for time in times:
        if close := within(acts, time.end, time.end + _ACT_REACH):
            yield Promise("time", close[0].phrase, None, time.due_at)
            return


def _is_denied(text: str, match: Match, start: int) -> bool:
    return bool(
        _DENIED.search(text, max(start, match.start - _REACH), match.start) or _DENIED_BEHIND.match(text, match.end)
    )
