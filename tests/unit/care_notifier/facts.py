"""Example facts and messages of care_notifier's tests: shop s1, buyer b1, order o1."""

from datetime import timedelta
from typing import Any

from schemas.care import CareProposed
from schemas.envelope import Event
from schemas.order import OrderClosed, OrderCompleted, OrderLine, OrderPaid, OrderPlaced, OrderShipped, OrderSigned
from services.kernel.policy import default_policy
from services.replay.story import at, event

POLICY = default_policy()
CUP = OrderLine(line_id="1", sku="cup", title="杯子", quantity=2, price_fen=500)


def placed(when: str, order: str = "o1", *, recorded: str | None = None, **more: Any) -> Event[Any]:
    data = OrderPlaced(
        order_id=order,
        **{"platform": "taobao", "shop_kind": "mall", "lines": (CUP,), "total_fen": 1000, "postage_fen": 0} | more,
    )
    return event(data, at=when, recorded=recorded)


def paid(when: str, order: str = "o1", *, recorded: str | None = None) -> Event[Any]:
    return event(OrderPaid(order_id=order, paid_fen=1000), at=when, recorded=recorded)


def shipped(when: str, order: str = "o1", waybill: str = "SF1", parcel: str = "p1", **more: Any) -> Event[Any]:
    data = OrderShipped(order_id=order, parcel_id=parcel, carrier="顺丰", waybill=waybill, **more)
    return event(data, at=when)


def signed(when: str, order: str = "o1", parcel: str = "p1", by: Any = "self") -> Event[Any]:
    return event(OrderSigned(order_id=order, parcel_id=parcel, by=by), at=when)


def completed(when: str, order: str = "o1") -> Event[Any]:
    return event(OrderCompleted(order_id=order, cause="buyer"), at=when)


def closed(when: str, order: str = "o1") -> Event[Any]:
    return event(OrderClosed(order_id=order, reason="", paid=False), at=when)


def proposal(care: str = "c1", kind: Any = "signed", expires: str = "23:59:00", **more: Any) -> CareProposed:
    """A message proposed at 10:00; `signed` needs no values."""
    return CareProposed(
        **{
            "care_id": care,
            "kind": kind,
            "order_id": "o1",
            "marketing": False,
            "template": kind,
            "not_before": at("00:00:00"),
            "expires_at": at(expires),
        }
        | more
    )


def seconds(number: int) -> timedelta:
    return timedelta(seconds=number)
