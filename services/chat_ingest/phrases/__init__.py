"""Understanding chat text by phrase files: what buyers want, what agents say (domain.md 3; texts.md)."""

from services.chat_ingest.phrases.book import Phrasebook, phrasebook
from services.chat_ingest.phrases.found import AgentText, BuyerText, Found, Promise, Reached, Situation
from services.kernel.phrases import Forbidden, PhraseError

__all__ = [
    "AgentText",
    "BuyerText",
    "Forbidden",
    "Found",
    "PhraseError",
    "Phrasebook",
    "Promise",
    "Reached",
    "Situation",
    "phrasebook",
]
