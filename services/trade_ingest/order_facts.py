"""Order facts: what the feeds say about an order becomes events, each business fact once (domain.md 2; feeds.md).

| a feed states | compared by | told as |
| --- | --- | --- |
| a fact of the contract: `order.paid`... | type, values, perhaps time: `identity` | itself, once |
| a value: Price, Address, Memo, Flag | the last one stated: `values` | what changed since; an older one is late |
| a scan: ParcelTraced | the event that it is, of one parcel: `parcels` | `order.arrived`, `order.signed`... |
| a step of a refund, with details or without | the steps beside it in time: `refunds` | itself, once |
| a hint: Placed, Shipped, AllSigned... | what has its details: `hints` | nothing, or from what is known |
| Owner | - | nothing: it says whose lane the order is in |

Facts come in any order, late and repeated; none is refused for coming early, and a memory never goes back.

**How it works.** `evolve` learns a fact at once (`learning`) and writes down what is news: `untold`. `decide` tells it
as soon as the order's lane is known, and each event told is crossed off. Learning does not depend on the lane: what
waits for a buyer is what is told anyway, and in the order of its times.

**One order, one lane.** The first real buyer named (an open id: not "-", and not the lane of a nick) decides for ever;
a later fact that names another (a nick, a mistake of the feed) goes to the same lane: an order is never torn in two and
no fact is lost. Until then events wait, and come into the lane of a nick when only that is known (`waiting`).

**Memory.** Some dozen bytes a fact and bounded, no text of a person but in what waits, forgotten when nothing was heard
for long (`waiting`).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from schemas.buyer import BuyerContactStored
from schemas.commands.trade_ingest import AssignBuyer
from schemas.envelope import Command, Event, Rejected
from schemas.flag import OrderFlagCleared, OrderFlagged
from schemas.order import OrderAssigned
from schemas.subjects import NO_BUYER
from services.kernel.policy import Policy
from services.kernel.process import Cause, Emit, Ended, Fact, SetAside, Tick
from services.trade_ingest import actions, stated, waiting
from services.trade_ingest.learning import LEARN, learned
from services.trade_ingest.order_memory import MOST_KNOWN, MOST_WAITING, OrderFacts, recorded

VERSION = 3
INBOX = True

NICK_LANE = "nick-"
"""How the lane of somebody known by a nick only begins (`Keys.nick_lane`)."""

HAS_BUYER = Rejected(
    code="has_buyer",
    message="The order is another buyer's already; it stays in that lane.",
    message_zh="该订单已归属其他买家,不能重新指定。",
    field="data.open_id",
)

State = OrderFacts

_KEYED = frozenset({*LEARN, OrderAssigned, OrderFlagged, OrderFlagCleared, BuyerContactStored})


def key(item: Event[Any] | Fact[Any]) -> str | None:
    return item.data.order_id if type(item.data) in _KEYED else None


def evolve(facts: OrderFacts, item: Event[Any] | Fact[Any] | SetAside) -> OrderFacts:
    match item:
        case Fact():
            return _heard(facts, item)
        case Event():
            return _crossed_off(facts, item)
        case SetAside():
            return waiting.put_aside(facts, item.fact)


def decide(
    facts: OrderFacts, cause: Cause, now: datetime, policy: Policy
) -> Iterable[Emit | Rejected | SetAside | Ended]:
    match cause:
        case Fact():
            return waiting.told(facts, policy) if facts.buyer else ()
        case Tick():
            return waiting.ticked(facts, now, policy)
        case Command(data=AssignBuyer() as wish):
            return _assigned(facts, wish, policy)
        case Command():
            return actions.decide(facts, cause, now, policy)
        case _:
            return ()


def due(facts: OrderFacts, policy: Policy) -> datetime | None:
    return waiting.due(facts, policy)


def _heard(facts: OrderFacts, fact: Fact[Any]) -> OrderFacts:
    """The lane, if the fact names it, and what the fact teaches; unless too much waits or is known already."""
    instant = recorded(fact)
    facts = _laned(facts, fact, instant)
    if any(kept.aside and kept.fact == fact.id for kept in facts.untold):
        return waiting.taken_up(facts, fact.id, instant)
    after = learned(facts, fact)
    if _waits(after) > _waits(facts) >= MOST_WAITING or after.size > facts.size >= MOST_KNOWN:
        return replace(facts, crowded={**facts.crowded, fact.id: instant})
    return after


def _waits(facts: OrderFacts) -> int:
    return len(facts.hints) + (0 if facts.buyer else len(facts.untold))


def _laned(facts: OrderFacts, fact: Fact[Any], instant: datetime) -> OrderFacts:
    buyer = fact.data.open_id if isinstance(fact.data, stated.Owner) else fact.buyer
    if facts.buyer or buyer == NO_BUYER or (facts.nick and buyer.startswith(NICK_LANE)):
        return replace(facts, learnt=instant)
    if buyer.startswith(NICK_LANE):
        return replace(facts, learnt=instant, nick=buyer, nick_at=instant)
    return replace(facts, learnt=instant, buyer=buyer)


def _crossed_off(facts: OrderFacts, event: Event[Any]) -> OrderFacts:
    """An event was told: the lane is that of the first one. What was told in place of a hint is learnt by that."""
    if not facts.buyer:
        facts = replace(facts, buyer=event.buyer)
    place = _place(facts, event)
    if place is None and type(event.data) in LEARN:
        facts = learned(facts, Fact(data=event.data, shop=event.shop, time=event.time, id=event.id))
        place = _place(facts, event)
    if place is None:
        return facts
    return replace(facts, untold=facts.untold[:place] + facts.untold[place + 1 :])


def _place(facts: OrderFacts, event: Event[Any]) -> int | None:
    """Where the event is kept; several of one type and time are told in the order in which they are kept."""
    for place, kept in enumerate(facts.untold):
        if kept.time == event.time and type(kept.data) is type(event.data):
            return place
    return None


def _assigned(facts: OrderFacts, wish: AssignBuyer, policy: Policy) -> Iterable[Emit | Rejected]:
    """`order.assigned`, and what has waited; nothing where the order is that buyer's already."""
    if facts.buyer:
        return () if facts.buyer == wish.open_id else (HAS_BUYER,)
    assigned = Emit(data=OrderAssigned(order_id=wish.order_id), buyer=wish.open_id)
    return (assigned, *waiting.told(replace(facts, buyer=wish.open_id), policy))
