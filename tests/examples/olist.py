"""4,000 real orders (shared/data/olist-4000) as facts of a feed, and what must come of them, in plain Python.

The nearest facts, as the data's README says: purchase = placed, approved = paid, carrier = shipped, customer =
signed, review creation = review posted; canceled and unavailable = closed at the order's last known time.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

DATA = Path(__file__).parents[3] / "shared/data/olist-4000"
SHOP = "olist"

_ZONE = ZoneInfo("America/Sao_Paulo")
_STEPS = (
    ("placed", "order_purchase_timestamp"),
    ("paid", "order_approved_at"),
    ("shipped", "order_delivered_carrier_date"),
    ("signed", "order_delivered_customer_date"),
)
_RANK = {"placed": 1, "paid": 2, "shipped": 3, "signed": 4}


@dataclass
class Expected:
    """order_ends: order -> (rank, paid_fen, reviews, closed). facts: how many of each kind count."""

    order_ends: dict[str, tuple[int, int, int, bool]] = field(default_factory=dict)
    facts: Counter[str] = field(default_factory=Counter)
    thanked: set[str] = field(default_factory=set)
    bad_reviews: set[tuple[str, str]] = field(default_factory=set)
    left_unpaid: set[str] = field(default_factory=set)


def facts() -> list[dict[str, object]]:
    """All facts in the order in which they happened."""
    found = [*_order_facts(), *_review_facts()]
    return sorted(found, key=lambda fact: (str(fact["time"]), str(fact["order_id"]), _RANK.get(str(fact["fact"]), 9)))


def expected() -> Expected:
    """What the facts add up to, without a bus, a log or a process."""
    out = Expected()
    of_order: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for fact in facts():
        of_order[str(fact["order_id"])].append(fact)
    for order, said in of_order.items():
        kinds = {str(fact["fact"]) for fact in said}
        reviews = {str(fact["id"]) for fact in said if fact["fact"] == "reviewed"}
        paid = next((fact for fact in said if fact["fact"] == "paid"), None)
        rank = max((_RANK.get(kind, 0) for kind in kinds), default=0)
        out.order_ends[order] = (rank, int(str(paid["amount_fen"])) if paid else 0, len(reviews), "closed" in kinds)
        out.facts.update(kinds - {"reviewed"})
        out.facts["reviewed"] += len(reviews)
        if paid:
            out.thanked.add(order)
        elif "closed" not in kinds:
            out.left_unpaid.add(order)
        for fact in said:
            if fact["fact"] == "reviewed" and int(str(fact["score"])) <= 2:
                out.bad_reviews.add((str(fact["buyer"]), str(fact["id"])))
    return out


def _order_facts() -> Iterator[dict[str, object]]:
    buyers = {row["customer_id"]: row["customer_unique_id"] for row in _rows("customers.csv")}
    paid_fen: Counter[str] = Counter()
    for row in _rows("order_payments.csv"):
        paid_fen[row["order_id"]] += _fen(row["payment_value"])
    for row in _rows("orders.csv"):
        order, buyer = row["order_id"], buyers[row["customer_id"]]
        times = [row[column] for _, column in _STEPS if row[column]]
        base = {"order_id": order, "buyer": buyer, "amount_fen": paid_fen[order]}
        for fact, column in _STEPS:
            if row[column]:
                yield {**base, "fact": fact, "time": _time(row[column])}
        if row["order_status"] in ("canceled", "unavailable"):
            yield {**base, "fact": "closed", "time": _time(max(times))}


def _review_facts() -> Iterator[dict[str, object]]:
    buyers = {row["customer_id"]: row["customer_unique_id"] for row in _rows("customers.csv")}
    of_order = {row["order_id"]: buyers[row["customer_id"]] for row in _rows("orders.csv")}
    for row in _rows("order_reviews.csv"):
        yield {
            "fact": "reviewed",
            "order_id": row["order_id"],
            "buyer": of_order[row["order_id"]],
            "time": _time(row["review_creation_date"]),
            "id": row["review_id"],
            "score": int(row["review_score"]),
        }


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _time(text: str) -> str:
    return datetime.fromisoformat(text).replace(tzinfo=_ZONE).isoformat()


def _fen(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])
