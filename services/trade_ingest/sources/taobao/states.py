"""States of a trade and of a refund (交易状态, 退款状态), and what each proves. Source: feeds.md, Taobao / Tmall."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from services.trade_ingest.stated import RefundStage


class TradeState(Struct, frozen=True, kw_only=True):
    """What a trade in this state, or a line of it, has behind it.

    waiting: for the buyer's payment. paid: the payment came; of cash on delivery (货到付款) and of presales (预售) the
    state alone does not prove it. shipped: all of it.
    """

    waiting: bool = False
    paid: bool = False
    shipped: bool = False
    signed: bool = False
    completed: bool = False
    closed: bool = False


TRADE_STATES: Mapping[str, TradeState] = {
    "TRADE_NO_CREATE_PAY": TradeState(waiting=True),
    "WAIT_BUYER_PAY": TradeState(waiting=True),
    # A card's payment is being confirmed: the buyer has nothing left to do, and nothing is paid.
    "PAY_PENDING": TradeState(),
    "WAIT_SELLER_SEND_GOODS": TradeState(paid=True),
    # Some lines are shipped: which, their own states say.
    "SELLER_CONSIGNED_PART": TradeState(paid=True),
    "WAIT_BUYER_CONFIRM_GOODS": TradeState(paid=True, shipped=True),
    # Of cash on delivery alone.
    "TRADE_BUYER_SIGNED": TradeState(paid=True, shipped=True, signed=True),
    "TRADE_FINISHED": TradeState(paid=True, shipped=True, completed=True),
    # The platform's own definition: refunded after payment.
    "TRADE_CLOSED": TradeState(paid=True, closed=True),
    # And this one: closed before payment, by buyer, seller or timeout. Never to be shipped.
    "TRADE_CLOSED_BY_TAOBAO": TradeState(closed=True),
}

REFUND_STATES: Mapping[str, RefundStage] = {
    "WAIT_SELLER_AGREE": "requested",
    "WAIT_BUYER_RETURN_GOODS": "agreed",
    "WAIT_SELLER_CONFIRM_GOODS": "goods_returned",
    "SELLER_REFUSE_BUYER": "refused",
    "CLOSED": "closed",
    "SUCCESS": "completed",
}


CASH_ON_DELIVERY = "cod"
PRESALE = "step"
"""Two of an order's types (`type`): 货到付款, and 预售, paid in steps."""


def pay_mode(type: str | None) -> Literal["online", "cash_on_delivery"]:
    """How an order of this type is paid."""
    return "cash_on_delivery" if type == CASH_ON_DELIVERY else "online"


def closing(paid: bool) -> str:
    """The reason of a closing as people read it: the platform says no more than whether it was paid."""
    return "付款后退款关闭" if paid else "未付款关闭"
