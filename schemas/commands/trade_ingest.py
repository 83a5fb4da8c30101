"""Commands of trade_ingest: acting on orders through the platform's bridge. Source: domain.md 2."""

from typing import ClassVar

from msgspec import Struct

from schemas.types import BuyerId, Days, Id, Ids, Short, Whole


class AssignBuyer(Struct, frozen=True, kw_only=True):
    """Say whose order this is, where no feed did."""

    NAME: ClassVar[str] = "assign_buyer"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("has_buyer",)

    order_id: Id
    open_id: BuyerId


class AdjustPrice(Struct, frozen=True, kw_only=True):
    """改价: a line's price a piece (集市店 only) or the postage, in fen, before payment; below zero is
    refused.
    """

    NAME: ClassVar[str] = "adjust_price"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("not_placed", "mall_price_fixed", "negative", "no_grant")

    order_id: Id
    line_id: Id | None = None
    price_fen: Whole | None = None
    postage_fen: Whole | None = None
    grant_id: Id | None = None


class CloseOrder(Struct, frozen=True, kw_only=True):
    """Close an unpaid order, or some of its lines (`line_ids`; empty: all)."""

    NAME: ClassVar[str] = "close_order"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("no_reason", "already_paid")

    order_id: Id
    line_ids: Ids = ()
    reason: Short = ""


class ExtendReceipt(Struct, frozen=True, kw_only=True):
    """延长收货时间, by this many days."""

    NAME: ClassVar[str] = "extend_receipt"
    REJECTIONS: ClassVar[tuple[str, ...]] = ("not_shipped", "completed")

    order_id: Id
    days: Days


COMMANDS = (AssignBuyer, AdjustPrice, CloseOrder, ExtendReceipt)
