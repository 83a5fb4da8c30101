"""Every source that has no file here: refused, so that a mistyped subject is told and kept instead of lost."""

from collections.abc import Collection, Iterable
from typing import Any

from services.kernel.inputs import RawFact, Refused, Source
from services.kernel.process import Fact


def unknown(known: Collection[str]) -> Source:
    """The source that refuses what is not from one of `known`. The kind `chat` of any source is chat_ingest's."""
    names = ", ".join(sorted(known))

    def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
        if raw.kind != "chat":
            yield Refused(f"source: trade comes as in.<source>.<shop>.<kind> from the sources {names}", "source")

    return translate
