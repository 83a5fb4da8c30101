"""After-sales (售后) of Douyin: the steps that pushes tell, and the detail that the bridge pushes. Amounts in fen.

`refund_amount` is what the buyer asks for, freight (`refund_post_amount`) included. The phase is the platform's own
wording of the type: 发货前退款 is onsale, all others are 售后.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from schemas.refund import RefundKind
from services.kernel.fields import Fields
from services.kernel.inputs import RawFact
from services.kernel.process import Fact
from services.trade_ingest.sources.refund_steps import Phase, Refund
from services.trade_ingest.sources.snapshots import Told
from services.trade_ingest.stated import RefundStage

_TYPES: dict[str, tuple[RefundKind, Phase]] = {
    "0": ("return", "aftersale"),  # 退货退款
    "1": ("refund_only", "aftersale"),  # 已发货仅退款
    "2": ("refund_only", "onsale"),  # 发货前退款
    "3": ("exchange", "aftersale"),  # 换货
}
"""4 系统取消, 5 用户取消, 6 价保, 7 补寄, 8 维修 are none of the contract's kinds: refused, for a person to see."""

_STATES: dict[str, tuple[RefundStage, ...]] = {
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


def pushed(stage: RefundStage, time: str) -> Callable[[RawFact, Fields, str], Iterable[Told]]:
    """The reader of a push whose tag means this step; `time`: the field that says when.

    The reason is the platform's code: its words come with the detail.
    """

    def read(raw: RawFact, data: Fields, order_id: str) -> Iterable[Told]:
        line = data.id("s_id")
        kind, phase = data.choice("aftersale_type", _TYPES) or (None, None)
        sale = Refund(
            order_id=order_id,
            refund_id=data.must("aftersale_id", data.id("aftersale_id")),
            line_ids=(line,) if line else (),
            kind=kind,
            phase=phase,
            fee_fen=data.fen("refund_amount"),
            freight_fen=data.fen("refund_post_amount") or 0,
        )
        yield data.must(time, data.epoch(time) or data.local("update_time")), sale.step(stage, data.text("reason_code"))

    return read


def facts(raw: RawFact, detail: Fields) -> Iterable[Fact[Any]]:
    """`afterSale/Detail`: the request, and the step that it has come to at its last update.

    Success (12) is `refund.completed` only with `refund_status` 退款成功: an exchange succeeds without money.
    """
    process = detail.must("process_info", detail.object("process_info"))
    sale = process.must("after_sale_info", process.object("after_sale_info"))
    order = detail.must("order_info", detail.object("order_info"))
    kind, phase = sale.choice("after_sale_type", _TYPES) or (None, None)
    reason = sale.text("reason")
    said = Refund(
        order_id=order.must("shop_order_id", order.id("shop_order_id")),
        refund_id=sale.must("after_sale_id", sale.id("after_sale_id")),
        line_ids=tuple(filter(None, (line.id("sku_order_id") for line in order.objects("sku_order_infos")))),
        kind=kind,
        phase=phase,
        fee_fen=sale.fen("refund_total_amount"),
        freight_fen=sale.fen("refund_post_amount") or 0,
    )
    fact = partial(Fact, shop=raw.shop)
    if asked := sale.epoch("apply_time"):
        yield fact(data=said.step("requested", reason), time=asked)
    seen = sale.epoch("update_time") or raw.recorded
    logistics = process.object("logistics_info")
    back = logistics.object("return") if logistics else None
    for stage in sale.must("after_sale_status", sale.choice("after_sale_status", _STATES)):
        if stage == "goods_returned" and back:
            parcel = {"carrier": back.text("company_name"), "waybill": back.id("tracking_no")}
            yield fact(data=said.step(stage, reason, **parcel), time=back.epoch("logistics_time") or seen)
        elif stage == "completed":
            if sale.text("refund_status") == _REFUNDED:
                yield fact(data=said.step(stage, reason), time=sale.epoch("refund_time") or seen)
        else:
            yield fact(data=said.step(stage, reason), time=seen)
