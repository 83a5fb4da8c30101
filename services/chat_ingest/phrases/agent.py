"""Reading what an agent wrote: stages, need questions, promises, what is never said (domain.md 3; texts.md)."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from msgspec import Struct

from schemas.chat import Stage
from services.chat_ingest.phrases.clauses import clauses, within
from services.chat_ingest.phrases.found import AgentText, Reached
from services.chat_ingest.phrases.own_words import own_words, without_platform_quote
from services.chat_ingest.phrases.promises import PromiseReader
from services.kernel.phrases import Lexicon, Match, NeverSaid, Normal, normal


class AgentReader(Struct, frozen=True):
    """Reads by these phrases; stages: of stages.toml."""

    stages: Lexicon
    promises: PromiseReader
    never_said: NeverSaid

    def read(self, text: str, now: datetime) -> AgentText:
        """What this text says, said at `now` (in the time zone of the shop); of any text, without an error.

        What is quoted is not said by the agent. Only for what is never said it counts too, except for the message that
        the platform itself puts before an answer: to quote an offer to a buyer is to make it.
        """
        own = normal(own_words(text))
        matches = [match for match in self.stages.find(own) if match.label != "innocent"]
        first: Mapping[str, Match] = {match.label: match for match in reversed(matches)}
        reached = sorted(first.values(), key=lambda match: match.start)
        return AgentText(
            stages=tuple(
                Reached(cast(Stage, match.label), match.phrase, *own.span(match.start, match.end)) for match in reached
            ),
            questions=_questions(own, matches),
            promises=tuple(self.promises.promises(own, now)),
            claims_grant=self.promises.claim(own),
            forbidden=self.never_said.find(without_platform_quote(text)),
        )


def _questions(own: Normal, matches: list[Match]) -> int:
    """How many clauses ask for the buyer's need 提问: by a phrase of `ask`, or by a question mark with 您 or 你 where
    no other stage speaks (地址是您的吗? verifies, 有什么可以帮您? greets).
    """
    count = 0
    for start, end in clauses(own):
        clause = own.text[start:end]
        stages = {match.label for match in within(matches, start, end)}
        addressed = clause.endswith("?") and ("您" in clause or "你" in clause)
        count += "ask" in stages or (addressed and not stages)
    return count
