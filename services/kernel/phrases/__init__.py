"""Phrases: reading Chinese chat text by lists of words. What more than one service needs: the normal form, a set of
phrases and its matching, phrase files, and the rule of what is never said (domain.md 3; texts.md).
"""

from services.kernel.phrases.files import Group, PhraseError, read_groups
from services.kernel.phrases.lexicon import Lexicon, Match
from services.kernel.phrases.never_said import Forbidden, NeverSaid, never_said
from services.kernel.phrases.normal import Normal, is_separator, normal

__all__ = [
    "Forbidden",
    "Group",
    "Lexicon",
    "Match",
    "NeverSaid",
    "Normal",
    "PhraseError",
    "is_separator",
    "never_said",
    "normal",
    "read_groups",
]
