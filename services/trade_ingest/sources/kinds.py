"""A source of one kind: what else comes under its name is refused, but for chats, which are chat_ingest's."""

from collections.abc import Iterable
from typing import Any

from services.kernel.inputs import RawFact, Refused, Source
from services.kernel.process import Fact


def only(kind: str, read: Source) -> Source:
    """The source that reads this kind with `read`."""

    def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
        if raw.kind == kind:
            return read(raw)
        if raw.kind == "chat":
            return ()
        return [Refused(f"kind: in.{raw.source}.<shop>.<kind> has the kind {kind}", "kind")]

    return translate
