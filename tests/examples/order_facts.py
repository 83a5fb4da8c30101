"""Order facts: what a shop's feed says about an order, once, whatever is repeated."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from schemas.envelope import Event, EventData
from schemas.order import OrderClosed, OrderPaid, OrderPlaced, OrderShipped, OrderSigned
from schemas.review import ReviewPosted
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Emit, Fact

VERSION = 1
INBOX = True


class Statement(Struct, frozen=True, kw_only=True):
    """One line of the feed. `id` tells one parcel or review of an order from another."""

    fact: Literal["placed", "paid", "shipped", "signed", "closed", "reviewed"]
    order_id: str
    buyer: str
    time: datetime
    id: str = ""
    amount_fen: int = 0
    score: int = 0


class OrderFacts(Struct, frozen=True):
    known: tuple[str, ...] = ()


State = OrderFacts

_ORDER = (OrderPlaced, OrderPaid, OrderShipped, OrderSigned, OrderClosed, ReviewPosted)


def translate(raw: RawFact) -> Iterable[Fact[Statement] | Refused]:
    """A push is one statement, or a list of them; a wrong one does not hold up its neighbours."""
    parts = msgspec.json.decode(raw.payload)
    for number, part in enumerate(parts if isinstance(parts, list) else [parts]):
        try:
            statement = msgspec.convert(part, Statement)
        except msgspec.ValidationError as error:
            yield Refused(f"fact {number}: {error}", field=str(error).partition(" - at `")[2].rstrip("`"))
            continue
        yield Fact(data=statement, shop=raw.shop, time=statement.time)


def key(item: Event | Fact) -> str | None:
    if isinstance(item.data, Statement | OrderPlaced | OrderPaid | OrderShipped | OrderSigned):
        return item.data.order_id
    return item.data.order_id if isinstance(item.data, OrderClosed | ReviewPosted) else None


def evolve(facts: OrderFacts, item: Event | Fact) -> OrderFacts:
    match item:
        case Event():
            return OrderFacts((*facts.known, _name(item.data)))
        case _:
            return facts


def decide(facts: OrderFacts, cause: object, now: datetime, policy: object) -> Iterable[Emit]:
    match cause:
        case Fact(data=Statement() as said):
            data = _event(said)
            if _name(data) not in facts.known:
                yield Emit(data=data, buyer=said.buyer, time=said.time)
        case _:
            return


def due(facts: OrderFacts, policy: object) -> datetime | None:
    return None


def _name(data: object) -> str:
    match data:
        case ReviewPosted(review_id=review):
            return f"reviewed:{review}"
        case OrderShipped(parcel_id=parcel):
            return f"shipped:{parcel}"
        case OrderSigned(parcel_id=parcel):
            return f"signed:{parcel}"
        case _:
            return type(data).__name__


def _rating(score: int) -> Literal["good", "neutral", "bad"]:
    return "good" if score >= 4 else "neutral" if score == 3 else "bad"


def _event(said: Statement) -> EventData:
    match said.fact:
        case "placed":
            return OrderPlaced(
                order_id=said.order_id,
                platform="taobao",
                shop_kind="c_shop",
                lines=(),
                total_fen=said.amount_fen,
                postage_fen=0,
            )
        case "paid":
            return OrderPaid(order_id=said.order_id, paid_fen=said.amount_fen)
        case "shipped":
            parcel = said.id or said.order_id
            return OrderShipped(order_id=said.order_id, parcel_id=parcel, carrier="sf", waybill=parcel)
        case "signed":
            return OrderSigned(order_id=said.order_id, parcel_id=said.id or said.order_id, by="self")
        case "closed":
            return OrderClosed(order_id=said.order_id, reason="cancelled", paid=False)
        case "reviewed":
            return ReviewPosted(review_id=said.id, order_id=said.order_id, rating=_rating(said.score), score=said.score)
