"""An order's snapshot as statements, each with its own time (trade_ingest/stated.py).

What happened comes with the time the snapshot gives for it, what the order shows now (values.py) with its `modified`.
A statement whose field cannot be read is refused, and its neighbours are told. Source: feeds.md, Taobao / Tmall.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from schemas.order import (
    OrderClosed,
    OrderCompleted,
    OrderDepositPaid,
    OrderLine,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    Presale,
)
from services.kernel.fields import Fields, Unreadable
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.sources.snapshots import Told, part
from services.trade_ingest.sources.taobao import values
from services.trade_ingest.sources.taobao.shipments import last_shipped, sent, still_to_send
from services.trade_ingest.sources.taobao.snapshot import Snapshot, snapshot
from services.trade_ingest.sources.taobao.states import TRADE_STATES, closing, pay_mode
from services.trade_ingest.stated import AllSigned, Placed, Shipped

AUTOMATIC_AFTER = timedelta(days=10)
"""From shipping to the platform's own completion (domain.md 2): the platform's number, which no policy changes. After
an extended receipt it is longer still, so a buyer who confirms then passes for the platform.
"""

MOST_PIECES = 1_000_000


def order(raw: RawFact, message: Fields) -> Iterator[Fact[Any] | Refused]:
    """Whose order and what state must be read; from there on each statement stands for itself."""
    try:
        shown = snapshot(raw, message)
    except Unreadable as error:
        yield Refused(str(error), error.field)
        return
    refused: dict[Refused, None] = {}  # a field that two statements need is told once
    for read in _STATEMENTS:
        for one in part(partial(_facts, shown, read)):
            if isinstance(one, Refused):
                refused[one] = None
            else:
                yield one
    yield from refused


def _facts(shown: Snapshot, read: Callable[[Snapshot], Iterator[Told]]) -> Iterator[Fact[Any]]:
    for time, data in read(shown):
        yield Fact(data=data, shop=shown.raw.shop, buyer=shown.whom.buyer, time=time)


def _placed(shown: Snapshot) -> Iterator[Told]:
    """A hint where lines are missing, and of a presale that has no limit for its balance yet: what it shows before its
    deposit is the deposit's.
    """
    trade, state = shown.trade, shown.state
    lines = tuple(_line(line) for line in shown.lines())
    limit = trade.local("timeout_action_time", ahead=True) if state.waiting else None
    presale, mode = _presale(shown, limit), pay_mode(trade.text("type"))
    open_presale = shown.presale and not shown.paid(state) and not state.closed
    if not lines or (open_presale and presale is None):
        hint = Placed(
            order_id=shown.order_id,
            platform=shown.platform,
            total_fen=shown.payment(),
            cash_on_delivery=mode == "cash_on_delivery",
            presale=open_presale,
        )
        yield shown.created, hint
        return
    data = OrderPlaced(
        order_id=shown.order_id,
        platform=shown.platform,
        shop_kind="mall" if shown.platform == "tmall" else "c_shop",
        lines=lines,
        total_fen=shown.payment(),
        postage_fen=trade.yuan("post_fee") or 0,
        pay_mode=mode,
        pay_by=limit,
        closes_at=limit,
        region=shown.region(),
        virtual=shown.virtual,
        presale=presale,
    )
    yield shown.created, data


def _line(line: Fields) -> OrderLine:
    """A line for which nothing is asked is a gift, or counts like one (domain.md 2); what was closed is not asked for.

    Goods without variants have no `sku_id`: their number (`num_iid`) names them.
    """
    pieces = line.must("num", line.whole("num"))
    if not 1 <= pieces <= MOST_PIECES:
        raise line.wrong("num", f"not between 1 and {MOST_PIECES}")
    price, paid = line.must("price", line.yuan("price")), line.yuan("payment")
    return OrderLine(
        line_id=line.must("oid", line.id("oid")),
        sku=line.must("sku_id", line.id("sku_id") or line.id("num_iid")),
        title=line.text("title") or "",
        quantity=pieces,
        price_fen=price,
        paid_fen=paid,
        gift=price == 0 or (paid == 0 and not _is_closed(line)),
    )


def _is_closed(line: Fields) -> bool:
    state = TRADE_STATES.get(line.text("status") or "")
    return state is not None and state.closed


def _presale(shown: Snapshot, limit: datetime | None) -> Presale | None:
    """Of a presale whose balance (尾款) is awaited until `limit`. The feed does not say when the balance opens, so no
    time before its end is claimed.
    """
    if shown.step != "deposit" or limit is None:
        return None
    deposit = _deposit(shown)
    balance = shown.payment() - deposit
    if balance < 0:
        raise shown.trade.wrong("step_paid_fee", "more than the order's payment")
    return Presale(deposit_fen=deposit, balance_fen=balance, opens_at=limit, until=limit)


def _deposit(shown: Snapshot) -> int:
    return shown.trade.must("step_paid_fee", shown.trade.yuan("step_paid_fee"))


def _deposit_paid(shown: Snapshot) -> Iterator[Told]:
    """While the balance is open `step_paid_fee` is the deposit; once all is paid it is the whole sum."""
    if shown.step == "deposit":
        time = shown.trade.local("pay_time") or shown.modified
        yield time, OrderDepositPaid(order_id=shown.order_id, paid_fen=_deposit(shown))


def _paid(shown: Snapshot) -> Iterator[Told]:
    trade = shown.trade
    if not shown.paid(shown.state):
        return
    time = trade.local("pay_time")
    if time is None and shown.cash_on_delivery:
        time = trade.local("end_time") or shown.modified  # the courier took it at signing
    if time is None and shown.state.closed:
        return  # that it was paid, the closing says
    yield trade.must("pay_time", time), OrderPaid(order_id=shown.order_id, paid_fen=shown.payment())


def _shipped(shown: Snapshot) -> Iterator[Told]:
    """One event a waybill; a shipping without one is a hint, and of virtual goods nothing at all."""
    lines = shown.lines()
    more = still_to_send(lines, shown.state)
    for parcel in sent(lines, shown.state, shown.trade):
        if parcel.waybill is None and shown.virtual:
            continue
        time = shown.trade.must("consign_time", parcel.time)
        line_ids = None if len(parcel.line_ids) == len(lines) else parcel.line_ids
        if parcel.waybill is None:
            yield time, Shipped(order_id=shown.order_id, partial=more, line_ids=line_ids)
            continue
        data = OrderShipped(
            order_id=shown.order_id,
            parcel_id=parcel.waybill,
            carrier=parcel.carrier,
            waybill=parcel.waybill,
            line_ids=line_ids,
            partial=more,
        )
        yield time, data


def _signed(shown: Snapshot) -> Iterator[Told]:
    if shown.state.signed:
        yield shown.modified, AllSigned(order_id=shown.order_id)


def _completed(shown: Snapshot) -> Iterator[Told]:
    """Within 10 days of shipping it can only be the buyer's doing; else no act of the buyer is claimed."""
    if not shown.state.completed:
        return
    end = shown.trade.must("end_time", shown.trade.local("end_time"))
    shipped = last_shipped(shown.lines(), shown.trade)
    by_buyer = shipped is not None and end - shipped < AUTOMATIC_AFTER
    yield end, OrderCompleted(order_id=shown.order_id, cause="buyer" if by_buyer else "automatic")


def _closed(shown: Snapshot) -> Iterator[Told]:
    """The whole order, or the lines of an open one that were closed singly."""
    if shown.state.closed:
        paid = shown.paid(shown.state)
        time = shown.trade.local("end_time") or shown.modified
        yield time, OrderClosed(order_id=shown.order_id, reason=closing(paid), paid=paid)
        return
    for line in shown.lines():
        state = line.choice("status", TRADE_STATES)
        if state is not None and state.closed:
            paid = shown.paid(state)
            time = line.local("end_time") or shown.modified
            line_ids = (line.must("oid", line.id("oid")),)
            yield time, OrderClosed(order_id=shown.order_id, reason=closing(paid), paid=paid, line_ids=line_ids)


_STATEMENTS: Iterable[Callable[[Snapshot], Iterator[Told]]] = (
    values.owner, _placed, _deposit_paid, _paid, _shipped, _signed, _completed, _closed, values.price, values.address,
    values.memo, values.buyer_message, values.shown_flag,
)  # fmt: skip
"""In the order of an order's life."""
