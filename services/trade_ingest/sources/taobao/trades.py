"""Topics of the trade (淘宝交易): the order as a whole, or one line of it. Source: feeds.md, Taobao / Tmall."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal

from schemas.order import OrderClosed, OrderCompleted, OrderPaid, OrderReceiptExtended
from services.kernel.fields import Fields
from services.kernel.inputs import RawFact
from services.kernel.process import Fact
from services.trade_ingest.sources.taobao.flags import flag
from services.trade_ingest.sources.taobao.parties import Whose, facts, line_of, whose
from services.trade_ingest.sources.taobao.states import PRESALE, TRADE_STATES, TradeState, closing, pay_mode
from services.trade_ingest.stated import AddressTouched, Memo, Paid, Placed, Price, Reviewed, Shipped

EXTENSION_DAYS = 3
"""TradeDelayConfirmPay does not say for how long. 3 days is what the desk asks the platform for (domain.md 2); no
policy changes what the platform did. A shop that grants another number by hand is told 3.
"""

Statements = Iterator[Any]
By = Literal["seller", "other"]

_ACTIONS: Mapping[str, By] = {"buyer": "seller", "seller": "seller", "other": "other"}
_RATERS = {"buyer": True, "seller": False, "unknown": False}


UNSAID_PAID = "nothing else in it says whether the order was paid"
UNSAID_CHANGE = "nothing else in it says whether a line was closed or changed"


def _placed(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    kind = message.text("type")
    yield Placed(
        order_id=whom.order_id,
        platform=_platform(raw),
        total_fen=message.yuan("payment"),
        cash_on_delivery=pay_mode(kind) == "cash_on_delivery",
        presale=kind == PRESALE,
    )


def _paid(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    """Of a presale (type `step`) as well: the topic comes when the balance is paid, not at the deposit."""
    paid = message.yuan("payment")
    yield Paid(order_id=whom.order_id) if paid is None else OrderPaid(order_id=whom.order_id, paid_fen=paid)


def _shipped(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    yield Shipped(order_id=whom.order_id)


def _partly_shipped(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    line = line_of(message, whom)
    yield Shipped(order_id=whom.order_id, partial=True, line_ids=(line,) if line else None)


def _completed(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    """Confirmed or automatic, the message does not say: no act of the buyer is claimed, as in every feed."""
    yield OrderCompleted(order_id=whom.order_id, cause="automatic")


def _closed(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    """The status says whether it was paid: TRADE_CLOSED and TRADE_CLOSED_BY_TAOBAO, or of a line that was closed alone
    the state of its order. `payment` is what was to be paid as well as what was paid: no word of it.
    """
    state = _state(message, UNSAID_PAID)
    line = line_of(message, whom)
    yield OrderClosed(
        order_id=whom.order_id, reason=closing(state.paid), paid=state.paid, line_ids=(line,) if line else None
    )


def _line_changed(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    """关闭或修改子订单: a line was closed, or it was changed and with it the order's price; the status tells which."""
    state = _state(message, UNSAID_CHANGE)
    return _closed(raw, message, whom) if state.closed else _price(raw, message, whom)


def _state(message: Fields, unsaid: str) -> TradeState:
    state = message.choice("status", TRADE_STATES)
    if state is None:
        raise message.wrong("status", f"missing, and {unsaid}: the order's snapshot does")
    return state


def _price(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    yield Price(order_id=whom.order_id, total_fen=message.must("payment", message.yuan("payment")))


def _memo(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    """`seller_memo` is the shop's memo, whoever was at work: what the buyer wrote is not in the message."""
    by: By = message.must("action_type", message.choice("action_type", _ACTIONS))
    memo = message.long_text("seller_memo") or "" if message.said("seller_memo") else None
    if memo is not None:
        yield Memo(order_id=whom.order_id, memo=memo, by=by)
    if shown := flag(message, whom.order_id, _platform(raw), memo):
        yield shown


def _rated(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    if message.choice("rater", _RATERS):
        yield Reviewed(order_id=whom.order_id, line_id=line_of(message, whom))


def _bad_impression(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    """负面印象: words the platform found in the buyer's review. A bad word is no bad rating: a review, no more."""
    yield Reviewed(order_id=whom.order_id, line_id=line_of(message, whom))


def _address(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    yield AddressTouched(order_id=whom.order_id)


def _extended(raw: RawFact, message: Fields, whom: Whose) -> Statements:
    yield OrderReceiptExtended(order_id=whom.order_id, days=EXTENSION_DAYS)


def _platform(raw: RawFact) -> Literal["taobao", "tmall"]:
    return "tmall" if raw.source == "tmall" else "taobao"


def _told(
    read: Callable[[RawFact, Fields, Whose], Statements], raw: RawFact, message: Fields, time: datetime
) -> Iterator[Fact[Any]]:
    whom = whose(raw, message)
    return facts(raw, whom, time, read(raw, message, whom))


MEANINGS: Mapping[str, Callable[[RawFact, Fields, datetime], Iterator[Fact[Any]]]] = {
    topic: partial(_told, read)
    for topic, read in {
        "taobao_trade_TradeCreate": _placed,
        "taobao_trade_TradeModifyFee": _price,
        "taobao_trade_TradeBuyerPay": _paid,
        "taobao_trade_TradeMemoModified": _memo,
        "taobao_trade_TradeLogisticsAddressChanged": _address,
        "taobao_trade_TradeSellerShip": _shipped,
        "taobao_trade_TradePartlySellerShip": _partly_shipped,
        "taobao_trade_TradeDelayConfirmPay": _extended,
        "taobao_trade_TradeSuccess": _completed,
        "taobao_trade_TradeClose": _closed,
        "taobao_trade_TradeCloseAndModifyDetailOrder": _line_changed,
        "taobao_trade_TradeRated": _rated,
        "taobao_traderate_ImprBadTag": _bad_impression,
    }.items()
}
