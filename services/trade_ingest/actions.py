"""Acting on an order by command: 改价 adjust_price, 关闭交易 close_order, 延长收货时间 extend_receipt (domain.md 2).

What is accepted asks the shop's bridge (`platform.action_requested`); what became of it the bridge tells, and the feed
that shows the order. The rules are judged by what any feed has told of the order: the platform has the last word.

**Who may change a price.** A discount is the supervisor's to grant (domain.md 1), so an item price is changed by a
supervisor or the owner, and by anybody else with a grant. Grants are not known here yet: one that is named is not taken
on trust, and the answer is `no_grant`. Postage, which every shop may set freely, needs none.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from schemas.commands.trade_ingest import AdjustPrice, CloseOrder, ExtendReceipt
from schemas.envelope import Command, Rejected
from schemas.order import OrderDepositPaid
from schemas.platform import ActionArgs, ActionKind, PlatformActionRequested
from schemas.subjects import NO_BUYER
from schemas.types import Role
from services.kernel.ids import event_id
from services.kernel.policy import Policy
from services.kernel.process import Emit
from services.trade_ingest.order_memory import OrderFacts

MAY_PRICE: Collection[Role] = ("supervisor", "owner")
"""Who needs no grant to change an item price."""

_SOURCE = "carebus/actions"


def decide(order: OrderFacts, command: Command[Any], now: datetime, policy: Policy) -> Iterable[Emit | Rejected]:
    """What the bridge is to be asked for, in the lane of the order's buyer; or, alone, why not.

    Nothing at all: it is so already (a closed order is to be closed).
    """
    match command.data:
        case AdjustPrice() as wish:
            kind, found = "adjust_price", _adjust_price(order, wish, command.actor.role, policy)
        case CloseOrder() as wish:
            kind, found = "close_order", _close_order(order, wish)
        case ExtendReceipt() as wish:
            kind, found = "extend_receipt", _extend_receipt(order, wish, policy)
        case _:
            return
    if isinstance(found, Rejected):
        yield found
        return
    for number, args in enumerate(found):
        yield _asked(order, command, number, kind, args)


def _asked(order: OrderFacts, command: Command[Any], number: int, kind: ActionKind, args: ActionArgs) -> Emit:
    """action_id: made of the command's id, so that the same command asks for the same action."""
    action = event_id(_SOURCE, command.shop, NO_BUYER, command.data.order_id, command.command_id, number)
    data = PlatformActionRequested(action_id=action, kind=kind, args={"order_id": command.data.order_id, **args})
    return Emit(data=data, buyer=order.buyer)


Found = Rejected | Sequence[ActionArgs]
"""Why it may not be; or the arguments of each action, without the order's id."""


def _adjust_price(order: OrderFacts, wish: AdjustPrice, role: Role, policy: Policy) -> Found:
    for field in ("price_fen", "postage_fen"):
        if (getattr(wish, field) or 0) < 0:
            return _no("negative", "A price or postage is zero or more.", "价格和邮费不能为负数。", field)
    if not order.is_placed or order.is_paid or order.is_shipped or order.is_completed or order.is_closed:
        return _no(
            "not_placed",
            "Price and postage can be changed only while the order waits for its payment.",
            "只有等待买家付款的订单才能修改价格或邮费。",
        )
    if wish.price_fen is None:
        return _postage(wish)
    if (order.shop_kind or policy.shop.kind) == "mall":
        return _no(
            "mall_price_fixed",
            "A mall's item prices are fixed; change the postage instead.",
            "商城店不能修改商品价格,只能修改邮费。",
            "price_fen",
        )
    line = wish.line_id or (order.line_ids[0] if len(order.line_ids) == 1 else None)
    if line is None:
        return _no("invalid_field", "Say which line's price to change.", "请指明要改价的子订单。", "line_id")
    if unknown := _unknown_line(order, [line], "line_id"):
        return unknown
    if role not in MAY_PRICE:
        return _no(
            "no_grant",
            "An item price is changed with a supervisor's grant, and grants cannot be checked yet: let a supervisor "
            "send this command.",
            "修改商品价格须经主管授权,目前无法核验授权,请由主管操作。",
            "grant_id",
        )
    return [{"line_id": line, "price_fen": wish.price_fen, **_given(postage_fen=wish.postage_fen)}]


def _postage(wish: AdjustPrice) -> Found:
    if wish.postage_fen is None:
        return _no("invalid_field", "Give price_fen, postage_fen or both.", "请填写新的价格或邮费。", "price_fen")
    if wish.line_id is not None:
        return _no(
            "invalid_field",
            "Postage is the order's: leave line_id out, or give price_fen.",
            "邮费按整笔订单修改,请勿指定子订单。",
            "line_id",
        )
    return [{"postage_fen": wish.postage_fen}]


def _close_order(order: OrderFacts, wish: CloseOrder) -> Found:
    """One action for the whole order, or one for each line."""
    reason = wish.reason.strip()
    if not reason:
        return _no("no_reason", "Say why the order is closed.", "关闭交易必须填写理由。", "reason")
    if order.is_paid or order.is_completed:
        return _no(
            "already_paid",
            "The order is paid; it ends by a refund, not by closing.",
            "订单已付款,不能关闭,请走退款流程。",
        )
    if order.is_shipped:
        return _no(
            "already_paid",
            "The order is on its way (cash on delivery); have the parcel intercepted instead.",
            "货到付款订单已发货,不能关闭,请联系快递拦截。",
        )
    if order.is_closed:
        return []
    if OrderDepositPaid.TYPE in order.known:
        return _no(
            "already_paid",
            "The deposit is paid; the presale ends by a refund or by the platform, not by closing.",
            "订单定金已支付,不能关闭;退定金请走退款流程,尾款逾期由平台处理。",
        )
    lines = tuple(dict.fromkeys(wish.line_ids))
    if unknown := _unknown_line(order, lines, "line_ids"):
        return unknown
    if not lines or set(lines) == set(order.line_ids):
        return [{"reason": reason}]
    return [{"line_id": line, "reason": reason} for line in lines]


def _extend_receipt(order: OrderFacts, wish: ExtendReceipt, policy: Policy) -> Found:
    """By `orders.extension_days` at most (domain.md 2, Extension)."""
    if order.is_completed or order.is_closed:
        return _no("completed", "The order has ended; nothing is left to extend.", "交易已结束,无法延长收货时间。")
    if not order.is_shipped:
        return _no("not_shipped", "The order is not shipped yet.", "订单尚未发货,无法延长收货时间。")
    if wish.days < 1:
        return _no("invalid_field", "Extend by one day or more.", "延长天数至少为 1 天。", "days")
    if wish.days > (most := policy.orders.extension_days):
        return _no(
            "invalid_field",
            f"A receipt is extended by {most} days at most at a time.",
            f"收货时间每次最多延长 {most} 天。",
            "days",
        )
    return [{"days": wish.days}]


def _unknown_line(order: OrderFacts, lines: Sequence[str], field: str) -> Rejected | None:
    """Where no feed has shown the lines, the platform is asked and answers."""
    if order.line_ids and not set(lines) <= set(order.line_ids):
        return _no("unknown_id", "The order has no such line.", "该订单没有此子订单。", field)
    return None


def _given(**values: int | None) -> ActionArgs:
    return {name: value for name, value in values.items() if value is not None}


def _no(code: str, message: str, message_zh: str, field: str = "") -> Rejected:
    return Rejected(code=code, message=message, message_zh=message_zh, field=f"data.{field}" if field else "")
