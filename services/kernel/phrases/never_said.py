"""Never said: rewards for reviews or for changing them, and off-platform diversion 引流 (domain.md 3, 4; texts.md).

One rule for an agent's chat, where it escalates, and for templates and review replies, where the text is refused.
It reads the text as it stands: who denies or quotes such an offer has still written it to a buyer.
"""

import re
from functools import cache
from pathlib import Path
from typing import Literal

from msgspec import Struct

from services.kernel.phrases.files import read_groups
from services.kernel.phrases.lexicon import Lexicon
from services.kernel.phrases.normal import Normal, normal

FILE = Path(__file__).parent / "never_said.toml"

Rule = Literal["review_reward", "off_platform"]
_GROUPS = ("review", "reward", "off_platform", "innocent")

_ACCOUNT = re.compile(r"加v(?!ip|ivo)[a-z]{1,20}-?[0-9]{2}")
"""加V with an account right behind it (加Vkefu88), which its letters would otherwise make another word."""


class Forbidden(Struct, frozen=True):
    """A broken rule and the words that broke it, in normal form: `好评 返现`, `加v`."""

    rule: Rule
    phrase: str


class NeverSaid:
    """The rule, with a shop's own words if it has any."""

    def __init__(self, overlay: Path | None = None) -> None:
        """overlay: a shop's never_said.toml, which need not exist. Raises PhraseError."""
        groups = read_groups(FILE, overlay, only_add=True)
        self._words = Lexicon({phrase: name for name in _GROUPS for phrase in groups[name].phrases})

    def find(self, text: str | Normal) -> tuple[Forbidden, ...]:
        """The rules that this text breaks, each once; of any text, without an error."""
        form = normal(text) if isinstance(text, str) else text
        words = self._first_of_each(form)
        found: list[Forbidden] = []
        if "review" in words and "reward" in words:
            found.append(Forbidden("review_reward", f"{words['review']} {words['reward']}"))
        if "off_platform" in words:
            found.append(Forbidden("off_platform", words["off_platform"]))
        return tuple(found)

    def _first_of_each(self, form: Normal) -> dict[str, str]:
        first: dict[str, str] = {}
        for match in self._words.find(form):
            first.setdefault(match.label, match.phrase)
        if _ACCOUNT.search(form.text):
            first.setdefault("off_platform", "加v")
        return first


@cache
def never_said() -> NeverSaid:
    """The rule as CareBus ships it."""
    return NeverSaid()
