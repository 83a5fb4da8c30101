"""Every source that has no file here: a chat from it is refused, so that a mistyped subject is told and kept."""

from collections.abc import Collection, Iterable

from services.chat_ingest.sources.message import KIND
from services.kernel.inputs import RawFact, Refused, Source


def unknown(known: Collection[str]) -> Source:
    """The source that refuses chats that are not from one of `known`. Other kinds are trade_ingest's."""
    names = ", ".join(sorted(known))

    def translate(raw: RawFact) -> Iterable[Refused]:
        if raw.kind == KIND:
            yield Refused(
                f"source: no chat feed of this name; chats come from {names}, "
                f"and `in.canonical.<shop>.chat` takes CloudEvents",
                "source",
            )

    return translate
