"""Which raw facts are chats, and how they read: kind `chat` belongs here, every other kind to trade_ingest."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.chat_ingest.facts import FACTS
from services.kernel.canonical import canonical, contract_types
from services.kernel.inputs import ANY, RawFact, Refused, Source
from services.kernel.process import Fact

KIND = "chat"

_read = canonical(contract_types(*FACTS))


def canonical_chat(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    """`in.canonical.<shop>.chat`: CloudEvents whose data are the Structs of facts.py; other kinds yield nothing."""
    return _read(raw) if raw.kind == KIND else ()


def unknown(raw: RawFact) -> Iterable[Refused]:
    """A chat from a source that nobody knows is refused, so that its sender hears of it."""
    if raw.kind == KIND:
        yield Refused("source: no chat feed of this name; `in.canonical.<shop>.chat` takes CloudEvents", "source")


SOURCES: Mapping[str, Source] = {"canonical": canonical_chat, ANY: unknown}
