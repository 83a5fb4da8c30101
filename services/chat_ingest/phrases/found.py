"""What reading a chat message finds. Positions are those of the message's own text, not of its normal form."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.chat import Intent, Stage
from schemas.types import Fen
from services.kernel.phrases import Forbidden

Situation = Literal["many_rounds", "after_discount", "cheaper_elsewhere", "buying_many", "next_time", "campaign"]
"""The six situations of bargaining 议价 that have an answer (domain.md 3), the first one that is told counts."""

What = Literal["gift", "discount", "compensation", "time"]
"""What an agent can promise, as in `chat.promise_made`."""


class Found(Struct, frozen=True):
    """An intent and the phrase that said so, in normal form: text[start:end] of the message."""

    intent: Intent
    phrase: str
    start: int
    end: int


class Reached(Struct, frozen=True):
    """A stage and the phrase that reached it, in normal form: text[start:end] of the message."""

    stage: Stage
    phrase: str
    start: int
    end: int


class Promise(Struct, frozen=True):
    """A promise. amount_fen: if an amount was said. due_at: if a time was said, in UTC."""

    what: What
    phrase: str
    amount_fen: Fen | None = None
    due_at: datetime | None = None


class BuyerText(Struct, frozen=True):
    """What a buyer's message says.

    intents: each once, by its first phrase, in the order of the text. is_ack: nothing but an acknowledgement (好的, a
    sticker), then `ack` is the only intent. situation: of a bargaining message. about_agent: the phrase that complains
    of an agent; `complaint` is among the intents then. is_question: it asks something.
    """

    intents: tuple[Found, ...] = ()
    is_ack: bool = False
    situation: Situation | None = None
    about_agent: str | None = None
    is_question: bool = False

    def has(self, intent: Intent) -> bool:
        return any(found.intent == intent for found in self.intents)

    @property
    def wants_human(self) -> bool:
        """转人工."""
        return self.has("human")

    @property
    def bargains(self) -> bool:
        """议价."""
        return self.has("bargaining")


class AgentText(Struct, frozen=True):
    """What an agent's message says.

    stages: each once, by its first phrase, in the order of the text. questions: need questions 提问 in it.
    promises: at most one of each kind a clause. claims_grant: the phrase by which it says that a grant is there.
    forbidden: what is never said.
    """

    stages: tuple[Reached, ...] = ()
    questions: int = 0
    promises: tuple[Promise, ...] = ()
    claims_grant: str | None = None
    forbidden: tuple[Forbidden, ...] = ()

    def reaches(self, stage: Stage) -> bool:
        return any(reached.stage == stage for reached in self.stages)

    @property
    def recommends(self) -> bool:
        """关联推荐."""
        return self.reaches("recommend")

    @property
    def farewell(self) -> bool:
        """告别."""
        return self.reaches("farewell")
