"""FAQ (常见问答) and quick phrase (快捷短语) events: one versioned book per owner.

Lane `-`. Source: domain.md 3.
"""

from typing import ClassVar, Literal

from msgspec import Struct

from schemas.types import Count, Day, Id, Short, Text, Texts

FaqCategory = Literal["quality", "price", "payment_shipping", "aftersales_repair"]


class FaqEntryPut(Struct, frozen=True, kw_only=True):
    """An entry was written or replaced; `version` counts the entry's changes from 1."""

    TYPE: ClassVar[str] = "faq.entry_put"
    VERSION: ClassVar[int] = 1

    entry_id: Id
    category: FaqCategory
    questions: Texts
    answer: Text
    version: Count


class FaqEntryRetired(Struct, frozen=True, kw_only=True):
    """An entry no longer holds."""

    TYPE: ClassVar[str] = "faq.entry_retired"
    VERSION: ClassVar[int] = 1

    entry_id: Id
    version: Count


class FaqCandidateFound(Struct, frozen=True, kw_only=True):
    """A question without an entry: a candidate for the book."""

    TYPE: ClassVar[str] = "faq.candidate_found"
    VERSION: ClassVar[int] = 1

    candidate_id: Id
    question: Text
    conversation_id: Id | None = None
    message_id: Id | None = None


class FaqCandidateSettled(Struct, frozen=True, kw_only=True):
    """A candidate was accepted (then `entry_id`) or rejected."""

    TYPE: ClassVar[str] = "faq.candidate_settled"
    VERSION: ClassVar[int] = 1

    candidate_id: Id
    accepted: bool
    entry_id: Id | None = None


class FaqContradicted(Struct, frozen=True, kw_only=True):
    """An agent's answer contradicts the entry."""

    TYPE: ClassVar[str] = "faq.contradicted"
    VERSION: ClassVar[int] = 1

    entry_id: Id
    version: Count
    agent_id: Id
    conversation_id: Id
    message_id: Id


class FaqNeglected(Struct, frozen=True, kw_only=True):
    """A day ended without a new entry."""

    TYPE: ClassVar[str] = "faq.neglected"
    VERSION: ClassVar[int] = 1

    day: Day


class FaqOutOfStep(Struct, frozen=True, kw_only=True):
    """A shop's copy of an entry is behind the owner's book."""

    TYPE: ClassVar[str] = "faq.out_of_step"
    VERSION: ClassVar[int] = 1

    entry_id: Id
    version: Count
    newest_version: Count


class PhrasePut(Struct, frozen=True, kw_only=True):
    """A quick phrase was written or replaced. `situation`: when to use it, e.g. `cheaper_elsewhere`."""

    TYPE: ClassVar[str] = "phrase.put"
    VERSION: ClassVar[int] = 1

    phrase_id: Id
    category: Short
    situation: Short = ""
    text: Text
    version: Count


EVENTS = (
    FaqEntryPut, FaqEntryRetired, FaqCandidateFound, FaqCandidateSettled, FaqContradicted, FaqNeglected,
    FaqOutOfStep, PhrasePut,
)  # fmt: skip
