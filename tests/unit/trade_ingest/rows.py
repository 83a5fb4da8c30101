"""Example records of an export: one order with everything right, to be changed by a test."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.catalogue import EVENTS
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.sources import csv_orders

RECEIVED = datetime(2026, 3, 20, tzinfo=UTC)
ORDER_ID = "4611686018427387905"
RULES: dict[str, Any] = {
    "platform": "taobao",
    "shop_kind": "c_shop",
    "time_zone": "Asia/Shanghai",
    "money": "yuan",
    "open_statuses": ["已发货"],
    "closed_statuses": {"交易关闭": "买家不想要了"},
}
ORDER = {
    "order_id": ORDER_ID,
    "buyer_id": "b1",
    "status": "已发货",
    "placed": "2026-03-02 10:00:00",
    "paid": "2026-03-02 10:05:00",
    "shipped": "2026-03-02 20:00:00",
    "signed": "2026-03-05 12:00:00",
    "completed": "2026-03-06 12:00:00",
    "completed_cause": "buyer",
    "carrier": "中通",
    "signed_by": "self",
}
LINE = {"order_id": ORDER_ID, "line_id": "1", "sku": "K1", "price": "29.80", "quantity": "2", "postage": "5.00"}
PAYMENT = {"order_id": ORDER_ID, "amount": "64.60"}
REVIEW = {"order_id": ORDER_ID, "review_id": "v1", "score": "5", "text": "很好", "posted": "2026-03-07 09:00:00"}


def row(file: str, number: int, fields: dict[str, str], **changes: str) -> dict[str, Any]:
    return {"file": file, "row": number, "fields": fields | changes}


def order(number: int = 17, /, **changes: str) -> dict[str, Any]:
    return row("orders.csv", number, ORDER, **changes)


def line(number: int = 31, /, **changes: str) -> dict[str, Any]:
    return row("order_items.csv", number, LINE, **changes)


def payment(number: int = 41, /, **changes: str) -> dict[str, Any]:
    return row("order_payments.csv", number, PAYMENT, **changes)


def review(number: int = 51, /, **changes: str) -> dict[str, Any]:
    return row("order_reviews.csv", number, REVIEW, **changes)


def record(*orders: Any, rules: dict[str, Any] | None = None, **tables: list[Any]) -> dict[str, Any]:
    """By default an order with a line, its payment and a review."""
    whole = {"lines": [line()], "payments": [payment()], "reviews": [review()]} | tables
    return {"format": "orders/1", "rules": RULES | (rules or {}), "orders": list(orders) or [order()], **whole}


def told(payload: Any, kind: str = "orders") -> tuple[list[Fact[Any]], list[Refused]]:
    """The facts and the refusals that come of a record."""
    raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    found = list(csv_orders.translate(RawFact("csv", "s1", kind, raw, 1, RECEIVED)))
    return [one for one in found if isinstance(one, Fact)], [one for one in found if isinstance(one, Refused)]


def types(facts: list[Fact[Any]]) -> list[str]:
    return [fact.data.TYPE for fact in facts]


def data_of(facts: list[Fact[Any]], name: str) -> Any:
    (found,) = [fact for fact in facts if isinstance(fact.data, EVENTS[name])]
    return found.data
