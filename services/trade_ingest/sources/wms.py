"""`in.wms.<shop>.trade`: what a warehouse (仓储部) says of orders, as CloudEvents of the contract. Pure.

| type | says |
| --- | --- |
| order.printed | a label was printed, and which memo version and address it saw |
| order.shipped | a parcel left; `together_with` names the other orders in it (合并发货) |
| order.restocked | what was out of stock is there again |
| order.flagged | yellow: out of stock; blue: a replacement's waybill; green: a returned parcel came in |
| order.flag_cleared | red, purple: the care desk's wish was seen to |

Only the department that a flag comes from raises it and only the one it speaks to clears it (domain.md 2, Flags): the
warehouse need not name the departments, and any others are refused. A warehouse rarely knows the buyer: the order's is
taken.
"""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from schemas.flag import FLAG_ROUTES, OrderFlagCleared, OrderFlagged
from schemas.order import OrderPrinted, OrderRestocked, OrderShipped
from services.kernel.canonical import canonical, contract_types
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.sources.kinds import only

TYPES = (OrderPrinted, OrderShipped, OrderRestocked, OrderFlagged, OrderFlagCleared)

_stated = canonical(contract_types(*TYPES), buyer_optional=True)

_RAISES = [colour for colour, (sender, _) in FLAG_ROUTES.items() if sender == "warehouse"]
_CLEARS = [colour for colour, (_, receiver) in FLAG_ROUTES.items() if receiver == "warehouse"]


def _read(raw: RawFact) -> Iterator[Fact[Any] | Refused]:
    for said in _stated(raw):
        yield _routed(said) if isinstance(said, Fact) else said


def _routed(fact: Fact[Any]) -> Fact[Any] | Refused:
    """The fact, a flag with the departments it goes between; or why a warehouse cannot have said it."""
    match fact.data:
        case OrderFlagged() as flag:
            if flag.colour not in _RAISES:
                return Refused(f"colour: a warehouse raises {', '.join(_RAISES)}", "data.colour")
            if not flag.memo.strip():
                return Refused("memo: a flag needs one", "data.memo")
            if flag.colour == "blue" and flag.waybill is None:
                return Refused("waybill: a blue flag says the replacement's", "data.waybill")
        case OrderFlagCleared() as flag:
            if flag.colour not in _CLEARS:
                return Refused(f"colour: a warehouse clears {', '.join(_CLEARS)}", "data.colour")
        case _:
            return fact
    sender, receiver = FLAG_ROUTES[flag.colour]
    if flag.from_department not in (None, sender):
        return Refused("from_department: not the one that raises this flag", "data.from_department")
    if flag.to_department not in (None, receiver):
        return Refused("to_department: not the one that this flag speaks to", "data.to_department")
    return replace(fact, data=replace(flag, from_department=sender, to_department=receiver))


translate = only("trade", _read)
