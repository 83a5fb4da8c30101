"""`in.canonical.<shop>.trade`: orders, refunds and reviews as CloudEvents of the contract.

The kind `chat` is chat_ingest's; a kind that nobody knows is refused here, so that it is told and kept.
"""

from collections.abc import Iterable
from typing import Any

from services.kernel.canonical import canonical, contract_types
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.identity import IDENTITIES

_trade = canonical(contract_types(*IDENTITIES))


def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    match raw.kind:
        case "trade":
            return _trade(raw)
        case "chat":
            return ()
        case _:
            return [Refused("kind: in.canonical.<shop>.<kind> has the kinds trade and chat", "kind")]
