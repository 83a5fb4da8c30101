"""What each statement teaches: one function a type, (memory, fact) -> memory, with what is news in `untold`."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from schemas.order import OrderAddressChanged, OrderMemoChanged, OrderPlaced, OrderPriceAdjusted, OrderShipped
from schemas.review import ReviewPosted
from services.kernel.process import Fact
from services.trade_ingest import hints, parcels, refunds, stated, values
from services.trade_ingest.identity import FLAGS, IDENTITIES
from services.trade_ingest.order_memory import OrderFacts, again, once

Learn = Callable[[OrderFacts, Fact[Any]], OrderFacts]


def learned(facts: OrderFacts, fact: Fact[Any]) -> OrderFacts:
    """The memory after this fact; hints that have waited for it are asked again."""
    facts = LEARN[type(fact.data)](facts, fact)
    if not facts.hints or isinstance(fact.data, stated.HINTS):
        return facts
    waiting, facts = facts.hints, replace(facts, hints=())
    for hint in waiting:
        facts = LEARN[type(hint.data)](facts, again(hint))
    return facts


def _fact(facts: OrderFacts, fact: Fact[Any]) -> OrderFacts:
    """A fact of the contract as it stands."""
    return once(facts, fact, fact.data)


def _placed(facts: OrderFacts, fact: Fact[OrderPlaced]) -> OrderFacts:
    """Once; where it was told for a hint, the statement with the details still teaches them."""
    data = fact.data
    if facts.is_placed and (facts.line_ids or not data.lines):
        return facts
    known = replace(
        facts,
        shop_kind=data.shop_kind,
        line_ids=tuple(line.line_id for line in data.lines),
        region=facts.region or data.region,
        price=values.placed_price(facts, data, fact.time),
    )
    return once(known, fact, data)


def _owner(facts: OrderFacts, fact: Fact[stated.Owner]) -> OrderFacts:
    """Whose order it is was learnt with its buyer (`order_facts.evolve`)."""
    return facts


LEARN: Mapping[type[Any], Learn] = {
    **dict.fromkeys((*IDENTITIES, *FLAGS), _fact),
    OrderPlaced: _placed,
    OrderPriceAdjusted: values.price_adjusted,
    OrderAddressChanged: values.address_changed,
    OrderMemoChanged: values.memo_changed,
    OrderShipped: parcels.shipped,
    **dict.fromkeys(parcels.SCANS, parcels.scanned),
    ReviewPosted: hints.review_posted,
    **dict.fromkeys(refunds.STEPS.values(), refunds.refund),
    stated.Price: values.price,
    stated.Address: values.address,
    stated.Memo: values.memo,
    stated.Flag: values.flag,
    stated.FlagPushed: values.flag_pushed,
    stated.Owner: _owner,
    stated.ParcelTraced: parcels.traced,
    stated.AllSigned: parcels.all_signed,
    stated.Placed: hints.placed,
    stated.Paid: hints.paid,
    stated.Shipped: hints.shipped,
    stated.AddressTouched: hints.address_touched,
    stated.Reviewed: hints.reviewed,
    stated.RefundStep: refunds.refund_step,
}
"""Every fact of an order: those of the contract (`identity`), and the statements of the feeds (`stated`)."""
