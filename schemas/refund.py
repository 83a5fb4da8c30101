"""Refund events (退款), as the platform tells them. Source: domain.md 2, 5; feeds.md, Refund states."""

from typing import ClassVar, Literal

from msgspec import Struct

from schemas.types import Fen, Id, Ids, Short

RefundKind = Literal["refund_only", "return", "exchange"]
"""仅退款, 退货退款, 换货."""


class _Refund(Struct, frozen=True, kw_only=True):
    refund_id: Id
    order_id: Id
    line_ids: Ids = ()
    kind: RefundKind
    phase: Literal["onsale", "aftersale"]
    fee_fen: Fen
    freight_fen: Fen = 0
    reason: Short | None = None


class RefundRequested(_Refund, frozen=True, kw_only=True):
    """The buyer asks for `fee_fen`, of which `freight_fen` is freight; `onsale` 售中, `aftersale` 售后."""

    TYPE: ClassVar[str] = "refund.requested"
    VERSION: ClassVar[int] = 1


class RefundAgreed(_Refund, frozen=True, kw_only=True):
    """The shop agreed: to the refund, or to the return that comes before it."""

    TYPE: ClassVar[str] = "refund.agreed"
    VERSION: ClassVar[int] = 1


class RefundRefused(_Refund, frozen=True, kw_only=True):
    """The shop refused, with its `reason`."""

    TYPE: ClassVar[str] = "refund.refused"
    VERSION: ClassVar[int] = 1


class RefundGoodsReturned(_Refund, frozen=True, kw_only=True):
    """The buyer sent the goods back under this waybill."""

    TYPE: ClassVar[str] = "refund.goods_returned"
    VERSION: ClassVar[int] = 1

    carrier: Short | None = None
    waybill: Id | None = None


class RefundCompleted(_Refund, frozen=True, kw_only=True):
    """`fee_fen` went back to the buyer (退款成功)."""

    TYPE: ClassVar[str] = "refund.completed"
    VERSION: ClassVar[int] = 1


class RefundClosed(_Refund, frozen=True, kw_only=True):
    """The request was withdrawn or lapsed; nothing was paid back (退款关闭)."""

    TYPE: ClassVar[str] = "refund.closed"
    VERSION: ClassVar[int] = 1


EVENTS = (RefundRequested, RefundAgreed, RefundRefused, RefundGoodsReturned, RefundCompleted, RefundClosed)
