"""Reading what a buyer wrote: intents, acknowledgements, bargaining, complaints about an agent (domain.md 3)."""

from collections.abc import Mapping
from typing import cast

from schemas.chat import Intent
from services.chat_ingest.phrases.found import BuyerText, Found, Situation
from services.chat_ingest.phrases.own_words import own_words
from services.chat_ingest.phrases.standing import Standing, is_question, readings
from services.kernel.phrases import Group, Lexicon, Match, Normal, normal

INNOCENT = "innocent"
"""The group of longer words in which a phrase stands by chance."""

STICKER = "表情"
"""Stands as the phrase of `ack` where the message is nothing but emoji."""

_PARTICLES = frozenset("哦哈啦呢的呀啊噢喔哟哒嘞亲")


class BuyerReader:
    """Reads by these phrases."""

    def __init__(
        self, intents: Mapping[str, Group], situations: Mapping[str, Group], complaints: Mapping[str, Group]
    ) -> None:
        """intents: of intents.toml; situations: of bargaining.toml; complaints: of complaints.toml."""
        settings = {name: group.settings for name, group in intents.items()}
        whole = {name for name, each in settings.items() if each.get("whole_message")}
        self._not_asked = {name for name, each in settings.items() if not each.get("when_asked", True)}
        self._not_supposed = {name for name, each in settings.items() if not each.get("when_supposed", True)}
        self._whole = lexicon({name: group for name, group in intents.items() if name in whole})
        self._intents = lexicon({name: group for name, group in intents.items() if name not in whole})
        self._situations = lexicon(situations)
        self._order = tuple(situations)
        self._complaints = lexicon(complaints)

    def read(self, text: str) -> BuyerText:
        """What this text says; of any text, without an error."""
        own = normal(own_words(text))
        if whole := self._whole_message(own, text):
            return BuyerText(intents=(whole,), is_ack=whole.intent == "ack")
        first: dict[str, Found] = {}
        for match, standing in readings(self._intents, own):
            if match.label not in first and self._is_meant(match, standing):
                first[match.label] = _found(match.label, match, own)
        complaint = next(
            (match for match, standing in readings(self._complaints, own) if _accuses(match, standing)), None
        )
        if complaint and "complaint" not in first:
            first["complaint"] = _found("complaint", complaint, own)
        return BuyerText(
            intents=tuple(sorted(first.values(), key=lambda found: found.start)),
            situation=self._situation(own) if "bargaining" in first else None,
            about_agent=complaint.phrase if complaint else None,
            is_question=is_question(own),
        )

    def _is_meant(self, match: Match, standing: Standing) -> bool:
        return not (
            match.label == INNOCENT
            or standing.denied
            or (standing.asked and match.label in self._not_asked)
            or (standing.supposed and match.label in self._not_supposed)
        )

    def _whole_message(self, own: Normal, text: str) -> Found | None:
        """The intent that the whole message is, punctuation, emoji and particles (哦 哈 啦 呢 的) apart.

        Several phrases one after another (好的,谢谢) are one too; what asks (好?) is none.
        """
        if own.emoji and not own.text.strip("\n"):
            return Found("ack", STICKER, 0, len(text))
        matches = self._whole.find(own)
        if not matches or "?" in own.text:
            return None
        covered = {index for match in matches for index in range(match.start, match.end)}
        rest = (char for index, char in enumerate(own.text) if index not in covered)
        if any(char.isalnum() and char not in _PARTICLES for char in rest):
            return None
        return _found(matches[0].label, matches[0], own)

    def _situation(self, own: Normal) -> Situation | None:
        """The first in the order of the file that is told."""
        told = {match.label for match in self._situations.find(own)}
        return cast(Situation | None, next((name for name in self._order if name in told), None))


def lexicon(groups: Mapping[str, Group]) -> Lexicon:
    """The phrases of all groups, labelled with their group."""
    return Lexicon({phrase: name for name, group in groups.items() for phrase in group.phrases})


def _accuses(match: Match, standing: Standing) -> bool:
    return match.label != INNOCENT and not standing.denied


def _found(intent: str, match: Match, own: Normal) -> Found:
    return Found(cast(Intent, intent), match.phrase, *own.span(match.start, match.end))
