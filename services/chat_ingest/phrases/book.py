"""The phrase book: all phrase files, ours and a shop's over them, and what is read by them (domain.md 3; texts.md).

book = phrasebook()                             # ours; Phrasebook.load(directory) has a shop's files over it
book.read_buyer("客服说能退,我不想要了")          # BuyerText: intents, is_ack, situation, ...
book.read_agent("明天给您发出", now)              # AgentText: stages, questions, promises, forbidden, ...
book.answer("cheaper_elsewhere", policy.reception.bargaining)
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import get_args

from msgspec import Struct

from schemas.chat import Intent, Stage
from services.chat_ingest.phrases.agent import AgentReader
from services.chat_ingest.phrases.buyer import INNOCENT, BuyerReader, lexicon
from services.chat_ingest.phrases.found import AgentText, BuyerText, Situation
from services.chat_ingest.phrases.promises import PromiseReader
from services.kernel.phrases import Group, NeverSaid, PhraseError, read_groups
from services.kernel.policy.desk import Bargaining

DIRECTORY = Path(__file__).parent.parent / "data"

_FLAGS: Mapping[str, type] = {"when_asked": bool, "when_supposed": bool, "whole_message": bool}
_FILES: Mapping[str, tuple[frozenset[str], Mapping[str, type]]] = {
    "intents.toml": (frozenset(get_args(Intent)) | {INNOCENT}, _FLAGS),
    "stages.toml": (frozenset(get_args(Stage)) | {INNOCENT}, {}),
    "bargaining.toml": (frozenset(get_args(Situation)), {"answer": str}),
    "complaints.toml": (frozenset({"about_agent", INNOCENT}), {}),
    "promises.toml": (
        frozenset(
            {"gift", "gift_things", "discount", "discount_sums", "compensation", "compensation_sums", "acts", INNOCENT}
        ),
        {},
    ),
    "promise_times.toml": (frozenset({"acts", "hedges", INNOCENT}), {}),
    "grants.toml": (frozenset({"claims", INNOCENT}), {}),
}
"""Each phrase file: the groups that it has, and the settings that a group may have."""
_NEVER_SAID = "never_said.toml"
_UNITS, _LIMIT = "#几件送一#", "#赠品上限#"


class Phrasebook(Struct, frozen=True):
    """Reads chat text. Pure: no clock, no files once loaded; the same text always reads the same."""

    buyer: BuyerReader
    agent: AgentReader
    answers: Mapping[str, str]

    @classmethod
    def load(cls, overlay: Path | None = None, directory: Path = DIRECTORY) -> "Phrasebook":
        """Our files, and those of the same names in a shop's directory over them. Raises PhraseError."""
        if overlay is not None:
            _refuse_strangers(overlay)
        files = {name: _groups(name, overlay, directory) for name in _FILES}
        never_said = NeverSaid(overlay / _NEVER_SAID if overlay else None)
        return cls(
            buyer=BuyerReader(files["intents.toml"], files["bargaining.toml"], files["complaints.toml"]),
            agent=AgentReader(
                lexicon(files["stages.toml"]),
                PromiseReader(
                    lexicon(files["promises.toml"]),
                    lexicon(files["promise_times.toml"]),
                    lexicon(files["grants.toml"]),
                ),
                never_said,
            ),
            answers=_answers(files["bargaining.toml"], never_said),
        )

    def read_buyer(self, text: str) -> BuyerText:
        """What a buyer's message says; of any text, without an error, in time linear in its length."""
        return self.buyer.read(text)

    def read_agent(self, text: str, now: datetime) -> AgentText:
        """What an agent's message says. now: when it was said, aware, in the time zone of the shop."""
        return self.agent.read(text, now)

    def answer(self, situation: Situation, bargaining: Bargaining) -> str:
        """What is answered in this situation of bargaining, with the policy's numbers of gifts."""
        text = self.answers[situation]
        return text.replace(_UNITS, str(bargaining.gift_per_units)).replace(_LIMIT, str(bargaining.gifts_an_order))


@cache
def phrasebook() -> Phrasebook:
    """The phrase book as CareBus ships it."""
    return Phrasebook.load()


def _groups(name: str, overlay: Path | None, directory: Path) -> dict[str, Group]:
    wanted, settings = _FILES[name]
    groups = read_groups(directory / name, overlay / name if overlay else None, settings=settings)
    if strange := sorted(groups.keys() - wanted):
        raise PhraseError(f"{name}: [{strange[0]}]: no such group; there are {', '.join(sorted(wanted))}")
    if missing := sorted(wanted - groups.keys() - {INNOCENT}):
        raise PhraseError(f"{name}: [{missing[0]}] is missing")
    return groups


def _refuse_strangers(overlay: Path) -> None:
    """A misspelt file would silently change nothing."""
    known = {*_FILES, _NEVER_SAID}
    for file in sorted(overlay.glob("*.toml")):
        if file.name not in known:
            raise PhraseError(f"{file}: no phrase file; there are {', '.join(sorted(known))}")


def _answers(situations: Mapping[str, Group], never_said: NeverSaid) -> dict[str, str]:
    answers: dict[str, str] = {}
    for name, group in situations.items():
        place = f"bargaining.toml: [{name}] answer"
        text = str(group.settings.get("answer", "")).strip()
        if not text:
            raise PhraseError(f"{place}: is missing")
        if "#" in text.replace(_UNITS, "").replace(_LIMIT, ""):
            raise PhraseError(f"{place}: a placeholder that there is none of; there are {_UNITS} and {_LIMIT}")
        if broken := never_said.find(text):
            raise PhraseError(f"{place}: {broken[0].phrase!r} is never said ({broken[0].rule})")
        answers[name] = text
    return answers
