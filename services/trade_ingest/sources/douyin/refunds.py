"""After-sales (售后) of Douyin: the steps that pushes tell, and the detail that the bridge pushes. Amounts in fen.

`refund_amount` is what the buyer asks for, freight (`refund_post_amount`) included. The phase is the platform's own
wording of the type: 发货前退款 is onsale, all others are 售后.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, Literal

from msgspec import Struct

from schemas.refund import (
    RefundAgreed,
    RefundClosed,
    RefundCompleted,
    RefundGoodsReturned,
    RefundKind,
    RefundRefused,
    RefundRequested,
)
from services.kernel.fields import Fields
from services.kernel.inputs import RawFact
from services.kernel.process import Fact
from services.trade_ingest.stated import RefundStep

Step = Literal["requested", "agreed", "refused", "goods_returned", "completed", "closed"]
Told = tuple[datetime, Any]

_TYPES: dict[str, tuple[RefundKind, Literal["onsale", "aftersale"]]] = {
    "0": ("return", "aftersale"),  # 退货退款
    "1": ("refund_only", "aftersale"),  # 已发货仅退款
    "2": ("refund_only", "onsale"),  # 发货前退款
    "3": ("exchange", "aftersale"),  # 换货
}
"""4 系统取消, 5 用户取消, 6 价保, 7 补寄, 8 维修 are none of the contract's kinds: refused, for a person to see."""

_EVENTS: dict[Step, type[Any]] = {
    "requested": RefundRequested,
    "agreed": RefundAgreed,
    "refused": RefundRefused,
    "goods_returned": RefundGoodsReturned,
    "completed": RefundCompleted,
    "closed": RefundClosed,
}

_STATES: dict[str, tuple[Step, ...]] = {
    "6": (),  # 售后申请: asked for, no more
    "7": ("agreed",),  # 售后退货中: the goods may come back
    "8": ("agreed",),  # 售后待商家发货
    "11": ("agreed", "goods_returned"),  # 售后已发货: the buyer has sent them
    "12": ("completed",),  # 售后成功; only if the money went back, see `facts`
    "13": ("agreed",),  # 商家已发货, of an exchange
    "14": ("agreed",),  # 用户已收货, of an exchange
    "27": ("refused",),  # 拒绝售后申请
    "28": ("closed",),  # 售后失败: withdrawn or lapsed
    "29": ("refused",),  # 售后退货拒绝
    "51": (),  # 订单取消成功: says nothing of money
    "53": (),  # 逆向交易已完成: likewise
}

_REFUNDED = "3"
"""`refund_status` 退款成功."""


class AfterSale(Struct, frozen=True, kw_only=True):
    """What every step of one after-sale says alike."""

    order_id: str
    refund_id: str
    line_ids: tuple[str, ...]
    type: tuple[RefundKind, Literal["onsale", "aftersale"]] | None
    fee_fen: int | None
    freight_fen: int
    reason: str | None

    def step(self, step: Step, **more: Any) -> Any:
        """The contract's event, or where kind or sum is not said the hint that waits for them."""
        said = {"order_id": self.order_id, "refund_id": self.refund_id, "line_ids": self.line_ids,
                "fee_fen": self.fee_fen, "freight_fen": self.freight_fen, "reason": self.reason}  # fmt: skip
        if self.type is None or self.fee_fen is None:
            return RefundStep(step=step, **said)
        kind, phase = self.type
        return _EVENTS[step](kind=kind, phase=phase, **said, **more)


def pushed(step: Step, time: str) -> Callable[[RawFact, Fields, str], Iterable[Told]]:
    """The reader of a push whose tag means this step; `time`: the field that says when.

    The reason is the platform's code: its words come with the detail.
    """

    def read(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
        line = data.id("s_id")
        sale = AfterSale(
            order_id=order_id,
            refund_id=data.must("aftersale_id", data.id("aftersale_id")),
            line_ids=(line,) if line else (),
            type=data.choice("aftersale_type", _TYPES),
            fee_fen=data.fen("refund_amount"),
            freight_fen=data.fen("refund_post_amount") or 0,
            reason=data.text("reason_code"),
        )
        yield data.must(time, data.epoch(time) or data.local("update_time")), sale.step(step)

    return read


def facts(raw: RawFact, detail: Fields) -> Iterable[Fact[Any]]:
    """`afterSale/Detail`: the request, and the step that it has come to at its last update.

    Success (12) is `refund.completed` only with `refund_status` 退款成功: an exchange succeeds without money.
    """
    process = detail.must("process_info", detail.object("process_info"))
    sale = process.must("after_sale_info", process.object("after_sale_info"))
    order = detail.must("order_info", detail.object("order_info"))
    said = AfterSale(
        order_id=order.must("shop_order_id", order.id("shop_order_id")),
        refund_id=sale.must("after_sale_id", sale.id("after_sale_id")),
        line_ids=tuple(filter(None, (line.id("sku_order_id") for line in order.objects("sku_order_infos")))),
        type=sale.choice("after_sale_type", _TYPES),
        fee_fen=sale.fen("refund_total_amount"),
        freight_fen=sale.fen("refund_post_amount") or 0,
        reason=sale.text("reason"),
    )
    fact = partial(Fact, shop=raw.shop)
    if asked := sale.epoch("apply_time"):
        yield fact(data=said.step("requested"), time=asked)
    seen = sale.epoch("update_time") or raw.recorded
    logistics = process.object("logistics_info")
    back = logistics.object("return") if logistics else None
    for step in sale.must("after_sale_status", sale.choice("after_sale_status", _STATES)):
        if step == "goods_returned" and back and said.type:
            parcel = {"carrier": back.text("company_name"), "waybill": back.id("tracking_no")}
            yield fact(data=said.step(step, **parcel), time=back.epoch("logistics_time") or seen)
        elif step == "completed":
            if sale.text("refund_status") == _REFUNDED:
                yield fact(data=said.step(step), time=sale.epoch("refund_time") or seen)
        else:
            yield fact(data=said.step(step), time=seen)
