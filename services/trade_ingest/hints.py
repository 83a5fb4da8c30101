"""Hints: statements that lack what their event needs. They wait for the one that has it (stated.py, HINTS).

Learning a hint is asking whether it is satisfied already; it is asked again whenever something is learnt. Then nothing
is told for it: the statement with the details was. Two are told from what is known if nothing better comes soon,
because the desk acts on them at once (an unpaid reminder, payment thanks): an order placed, without its lines, and an
order paid, of the order's price. All others are set aside when nothing has come for long.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from schemas.order import OrderPaid, OrderPlaced
from schemas.review import ReviewPosted
from services.kernel.policy import Policy
from services.kernel.process import Fact
from services.trade_ingest import stated
from services.trade_ingest.order_memory import Kept, OrderFacts, once, put_by
from services.trade_ingest.parcels import has_shipped

CLOCKS = timedelta(minutes=1)
"""A message is stamped when it is sent, a snapshot when the order changed: the address of a snapshot may be the new
one though its time lies a little before the message's. Own.
"""

UNSATISFIED: Mapping[str, str] = {
    stated.Placed.TYPE: "no message has told the sum of the order placed, or a presale's balance and window",
    stated.Paid.TYPE: "no message has told the sum that was paid",
    stated.Shipped.TYPE: "no message has named the waybill of what was shipped",
    stated.AddressTouched.TYPE: "no message has told the new address",
    stated.Reviewed.TYPE: "no message has brought the review",
    stated.RefundStep.TYPE: "no message has told kind and sum of the refund",
    stated.ParcelTraced.TYPE: "no message has told which parcel of the order it is",
    stated.AllSigned.TYPE: "no message has named a parcel of the order that was received",
}
"""Why a fact that waited in vain is set aside, by its type."""


def placed(facts: OrderFacts, hint: Fact[stated.Placed]) -> OrderFacts:
    return facts if facts.is_placed else put_by(facts, hint, timed=False)


def paid(facts: OrderFacts, hint: Fact[stated.Paid]) -> OrderFacts:
    return facts if facts.is_paid else put_by(facts, hint, timed=False)


def shipped(facts: OrderFacts, hint: Fact[stated.Shipped]) -> OrderFacts:
    return facts if has_shipped(facts, hint.data) else put_by(facts, hint, timed=False)


def address_touched(facts: OrderFacts, hint: Fact[stated.AddressTouched]) -> OrderFacts:
    told = facts.address is not None and facts.address.at >= hint.time - CLOCKS
    return facts if told else put_by(facts, hint)


def reviewed(facts: OrderFacts, hint: Fact[stated.Reviewed]) -> OrderFacts:
    """A review of the order satisfies a hint about its line, and the other way round."""
    line = hint.data.line_id
    told = bool(facts.reviewed) if line is None else line in facts.reviewed or "" in facts.reviewed
    return facts if told else put_by(facts, hint, timed=False)


def review_posted(facts: OrderFacts, fact: Fact[ReviewPosted]) -> OrderFacts:
    line = fact.data.line_id or ""
    if line not in facts.reviewed:
        facts = replace(facts, reviewed=(*facts.reviewed, line))
    return once(facts, fact, fact.data)


def in_its_place(facts: OrderFacts, hint: Kept, policy: Policy) -> tuple[Any, ...]:
    """The events that are told for a hint to which no details have come; none where they must not be guessed."""
    match hint.data:
        case stated.Placed():
            return _placed(facts, hint.data, policy)
        case stated.Paid() if facts.price:
            return (OrderPaid(order_id=hint.data.order_id, paid_fen=facts.price.total_fen),)
        case _:
            return ()


def _placed(facts: OrderFacts, data: stated.Placed, policy: Policy) -> tuple[OrderPlaced, ...]:
    """Of an order placed nothing is known but its sum: no lines, and a postage of 0 stands for an unknown one.

    The sum is the one in force now: a change of it that was heard of in the meantime was no news, as the order was not
    told yet. A presale (预售) is not told: without its window and balance the desk would ask for the whole sum now.
    """
    said = [kept.data for kept in facts.hints if isinstance(kept.data, stated.Placed)]
    total_fen = facts.price.total_fen if facts.price else data.total_fen
    if total_fen is None or any(one.presale for one in (data, *said)):
        return ()
    placed = OrderPlaced(
        order_id=data.order_id,
        platform=data.platform,
        shop_kind=facts.shop_kind or policy.shop.kind,
        lines=(),
        total_fen=total_fen,
        postage_fen=0,
        pay_mode="cash_on_delivery" if data.cash_on_delivery else "online",
        region=facts.region,
    )
    return (placed,)
