"""An order as the platform shows it: what its statements are read from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.types import MAX_ITEMS
from services.kernel.fields import Fields
from services.kernel.inputs import RawFact
from services.trade_ingest.sources.snapshots import Place
from services.trade_ingest.sources.taobao.parties import Whose, unwrapped, whose
from services.trade_ingest.sources.taobao.states import CASH_ON_DELIVERY, PRESALE, TRADE_STATES, TradeState

Step = Literal["none", "deposit", "all"]

_STEPS: Mapping[str, Step] = {
    "FRONT_NOPAID_FINAL_NOPAID": "none",
    "FRONT_PAID_FINAL_NOPAID": "deposit",
    "FRONT_PAID_FINAL_PAID": "all",
}
_VIRTUAL_TYPES = frozenset({"auto_delivery", "ec", "game_equipment"})
"""Delivered by the platform itself (自动发货), top-ups (直冲) and game goods (游戏装备): nothing is sent."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """step: of a presale (预售), what of it is paid; None: no presale, or one that does not say."""

    raw: RawFact
    trade: Fields
    whom: Whose
    state: TradeState
    step: Step | None

    @property
    def order_id(self) -> str:
        return self.whom.order_id

    @property
    def platform(self) -> Literal["taobao", "tmall"]:
        return "tmall" if self.raw.source == "tmall" else "taobao"

    @property
    def cash_on_delivery(self) -> bool:
        return self.trade.text("type") == CASH_ON_DELIVERY

    @property
    def presale(self) -> bool:
        return self.step is not None or self.trade.text("type") == PRESALE

    @property
    def virtual(self) -> bool:
        return self.trade.text("shipping_type") == "virtual" or self.trade.text("type") in _VIRTUAL_TYPES

    @property
    def created(self) -> datetime:
        return self.trade.must("created", self.trade.local("created"))

    @property
    def modified(self) -> datetime:
        return self.trade.must("modified", self.trade.local("modified"))

    def lines(self) -> Sequence[Fields]:
        orders = self.trade.object("orders")
        found = orders.objects("order") if orders else []
        if len(found) > MAX_ITEMS:
            raise self.trade.wrong("orders.order", f"more than {MAX_ITEMS} lines")
        return found

    def payment(self) -> int:
        """What is to be paid, or was: discounts taken off, postage included."""
        return self.trade.must("payment", self.trade.yuan("payment"))

    def paid(self, state: TradeState) -> bool:
        """Whether an order or line in this state was paid: a deposit is not enough; cash on delivery is at signing."""
        if not state.paid or self.step in ("none", "deposit"):
            return False
        return state.signed or state.completed or not self.cash_on_delivery or "pay_time" in self.trade

    def region(self) -> str:
        return "".join(self.trade.text(part, Place) or "" for part in ("receiver_state", "receiver_city"))


def snapshot(raw: RawFact, message: Fields) -> Snapshot:
    """Raises Unreadable where it does not say which order it is, or is in a state that is not known here."""
    trade = unwrapped(message, "trade_fullinfo_get_response", "trade")
    return Snapshot(
        raw=raw,
        trade=trade,
        whom=whose(raw, trade),
        state=trade.must("status", trade.choice("status", TRADE_STATES)),
        step=trade.choice("step_trade_status", _STEPS),
    )
