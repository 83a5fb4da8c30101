"""`in.canonical.<shop>.chat`: CloudEvents whose data are the Structs of facts.py."""

from collections.abc import Iterable
from typing import Any

from services.chat_ingest.facts import FACTS
from services.chat_ingest.sources.message import KIND
from services.kernel.canonical import canonical, contract_types
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact

_read = canonical(contract_types(*FACTS))


def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    return _read(raw) if raw.kind == KIND else ()
