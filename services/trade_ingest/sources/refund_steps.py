"""A refund (退款) as a feed describes it, and its steps: the contract's events, or hints that wait for the rest."""

from typing import Any, Literal

from msgspec import Struct

from schemas.refund import RefundKind
from services.trade_ingest.refunds import STEPS
from services.trade_ingest.stated import RefundStage, RefundStep

Phase = Literal["onsale", "aftersale"]


class Refund(Struct, frozen=True, kw_only=True):
    """What every step of one refund says alike. kind, phase, fee_fen: None where the message does not say them.

    line_ids: empty: the whole order. fee_fen: what the buyer asks for, freight_fen included.
    """

    order_id: str
    refund_id: str
    line_ids: tuple[str, ...] = ()
    kind: RefundKind | None = None
    phase: Phase | None = None
    fee_fen: int | None = None
    freight_fen: int = 0

    def step(self, stage: RefundStage, reason: str | None = None, **parcel: Any) -> Any:
        """The event of this step, or what is known of it. parcel: the way back, of goods_returned alone."""
        said: dict[str, Any] = {
            "order_id": self.order_id, "refund_id": self.refund_id, "line_ids": self.line_ids,
            "freight_fen": self.freight_fen, "reason": reason,
        }  # fmt: skip
        if self.kind is None or self.phase is None or self.fee_fen is None:
            return RefundStep(step=stage, fee_fen=self.fee_fen, **said)
        return STEPS[stage](kind=self.kind, phase=self.phase, fee_fen=self.fee_fen, **said, **parcel)
