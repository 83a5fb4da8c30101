"""A seeded feed of facts and commands, and what must come of it: a plain model that knows nothing of the kernel."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from schemas.care import CareProposed, CareSuppressed
from schemas.order import OrderClosed, OrderPaid, OrderPlaced, OrderShipped, OrderSigned
from schemas.review import ReviewPosted

SHOPS, BUYERS = 5, 40
UNPAID_AFTER_S = 1_800
"""`care.kinds.unpaid_soft.after_s` of the default policy."""
TICKS_AT_S = 3.5
"""Unpaid orders were placed so long ago that their reminder is due this long after the feed begins."""

Line = tuple[str, str, str, str, str, datetime | None]
"""(shop, buyer, about, type, data as JSON, time): an event as it must be. time: None where it is a reception."""


@dataclass(frozen=True)
class Push:
    """One message to INBOX: a statement, or a list of them."""

    shop: str
    statements: tuple[dict[str, Any], ...]

    @property
    def payload(self) -> bytes:
        return msgspec.json.encode(self.statements[0] if len(self.statements) == 1 else self.statements)


@dataclass(frozen=True)
class Cancel:
    """`cancel_care`, sent once the care has been proposed; then again under another id, which must be rejected."""

    shop: str
    buyer: str
    care_id: str

    @property
    def first(self) -> str:
        return f"first:{self.care_id}"

    @property
    def second(self) -> str:
        return f"second:{self.care_id}"


@dataclass
class End:
    """An order's last state."""

    rank: int = 0
    paid_fen: int = 0
    reviews: int = 0
    closed: bool = False


@dataclass
class Feed:
    """What is sent (pushes in order, commands when their care is there), and what must come of it."""

    seed: int
    pushes: list[Push]
    cancels: list[Cancel]
    lines: Counter[Line] = field(default_factory=Counter)
    orders: dict[tuple[str, str], list[Line]] = field(default_factory=dict)
    ends: dict[tuple[str, str, str], End] = field(default_factory=dict)

    @property
    def facts(self) -> int:
        return sum(len(push.statements) for push in self.pushes)


def make_feed(seed: int, base: datetime, facts: int) -> Feed:
    """A feed of about so many statements; the same seed and base give the same feed."""
    draw = random.Random(seed)
    statements = list(_statements(draw, base, facts))
    feed = Feed(seed, list(_pushes(draw, statements)), [])
    for shop, statement in ((push.shop, said) for push in feed.pushes for said in push.statements):
        _happen(feed, shop, statement)
    _react(feed, draw)
    return feed


def line_of(shop: str, buyer: str, about: str, data: Any, time: datetime | None) -> Line:
    """An event as a line; instants of reception inside its data are left out."""
    fields = msgspec.to_builtins(data)
    if isinstance(data, CareProposed):
        fields |= {"not_before": None, "expires_at": None}
        time = None
    if isinstance(data, CareSuppressed):
        time = None
    return (shop, buyer, about, data.TYPE, msgspec.json.encode(fields, order="sorted").decode(), time)


def _statements(draw: random.Random, base: datetime, facts: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Orders' stories woven together: each order's own statements keep their order, some are said twice."""
    open_orders: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = []
    number = count = 0
    while count < facts or open_orders:
        while count < facts and len(open_orders) < 25:
            shop, story = _story(draw, base, number)
            open_orders.append((shop, story, []))
            number += 1
        place = draw.randrange(len(open_orders))
        shop, story, said = open_orders[place]
        if said and draw.random() < 0.15:
            again = dict(draw.choice(said))
            again["amount_fen"] += draw.choice((0, 1))  # what was said first counts
            yield shop, again
        else:
            said.append(story.pop(0))
            yield shop, said[-1]
        count += 1
        if not story:
            del open_orders[place]


def _story(draw: random.Random, base: datetime, number: int) -> tuple[str, list[dict[str, Any]]]:
    if number < 8:  # placed long ago and never paid: a tick
        buyer, facts = f"u{number}", ["placed"]
        start = base + timedelta(seconds=TICKS_AT_S - UNPAID_AFTER_S, microseconds=number)
    else:
        buyer, start = f"b{draw.randrange(BUYERS)}", base + timedelta(milliseconds=number)
        facts = draw.choice(
            (
                ["placed", "closed"],
                ["placed", "paid"],
                ["placed", "paid", "shipped", "shipped", "signed"],
                ["placed", "paid", "shipped", "signed", "reviewed"],
                ["placed", "paid", "signed", "reviewed", "reviewed"],
            )
        )
    shop = f"s{int(buyer[1:]) % SHOPS}"
    order = f"o{number}"
    return shop, [
        {
            "fact": fact,
            "order_id": order,
            "buyer": buyer,
            "time": (start + timedelta(milliseconds=place)).isoformat(),
            "id": f"{order}-{place}" if fact in ("shipped", "signed", "reviewed") else "",
            "amount_fen": draw.randrange(1, 90_000),
            "score": draw.randrange(1, 6),
        }
        for place, fact in enumerate(facts)
    ]


def _pushes(draw: random.Random, statements: list[tuple[str, dict[str, Any]]]) -> Iterator[Push]:
    """Each shop's statements in their order, now and then several in one push."""
    waiting: dict[str, list[dict[str, Any]]] = {}
    for shop, statement in statements:
        held = waiting.setdefault(shop, [])
        held.append(statement)
        if draw.random() < 0.7:
            yield Push(shop, tuple(held))
            held.clear()
    for shop, held in waiting.items():
        if held:
            yield Push(shop, tuple(held))


def _happen(feed: Feed, shop: str, said: dict[str, Any]) -> None:
    """A statement becomes an event unless the order has it already."""
    order, buyer = said["order_id"], said["buyer"]
    end = feed.ends.get((shop, buyer, order), End())
    about = order
    match said["fact"]:
        case "placed":
            data: Any = OrderPlaced(
                order_id=order, platform="taobao", shop_kind="c_shop", lines=(),
                total_fen=said["amount_fen"], postage_fen=0,
            )  # fmt: skip
            end = End(max(end.rank, 1), end.paid_fen, end.reviews, end.closed)
        case "paid":
            data = OrderPaid(order_id=order, paid_fen=said["amount_fen"])
            end = End(max(end.rank, 2), end.paid_fen + said["amount_fen"], end.reviews, end.closed)
        case "shipped":
            data = OrderShipped(order_id=order, parcel_id=said["id"], carrier="sf", waybill=said["id"])
            end = End(max(end.rank, 3), end.paid_fen, end.reviews, end.closed)
        case "signed":
            data = OrderSigned(order_id=order, parcel_id=said["id"], by="self")
            end = End(max(end.rank, 4), end.paid_fen, end.reviews, end.closed)
        case "closed":
            data = OrderClosed(order_id=order, reason="cancelled", paid=False)
            end = End(end.rank, end.paid_fen, end.reviews, True)
        case _:
            score, about = said["score"], said["id"]
            rating = "good" if score >= 4 else "neutral" if score == 3 else "bad"
            data = ReviewPosted(review_id=about, order_id=order, rating=rating, score=score)
            end = End(end.rank, end.paid_fen, end.reviews + 1, end.closed)
    line = line_of(shop, buyer, about, data, datetime.fromisoformat(said["time"]))
    known = feed.orders.setdefault((shop, order), [])
    if any(_name(line) == _name(old) for old in known):
        return
    known.append(line)
    feed.lines[line] += 1
    feed.ends[shop, buyer, order] = end


def _name(line: Line) -> tuple[str, str]:
    """What makes a fact the same fact: its type, and the parcel or review it is about."""
    data = msgspec.json.decode(line[4])
    return line[3], data.get("parcel_id") or data.get("review_id") or data["order_id"]


def _react(feed: Feed, draw: random.Random) -> None:
    """One care message a payment, a bad review, an order never paid; some of the thanks are called off."""
    for (shop, order), lines in feed.orders.items():
        buyer = lines[0][1]
        types = [line[3] for line in lines]
        if types == ["order.placed"]:
            _propose(feed, shop, buyer, f"unpaid_soft:{order}", "unpaid_soft", order)
        if "order.paid" in types:
            care = f"{buyer}:payment_thanks:{order}"
            _propose(feed, shop, buyer, care, "payment_thanks", order)
            if draw.random() < 0.25:
                feed.cancels.append(Cancel(shop, buyer, care))
                data = CareSuppressed(care_id=care, kind="payment_thanks", reason="cancelled")
                feed.lines[line_of(shop, buyer, care, data, None)] += 1
        for review in (msgspec.json.decode(line[4]) for line in lines if line[3] == "review.posted"):
            if review["rating"] == "bad":
                _propose(feed, shop, buyer, f"{buyer}:bad_review:{review['review_id']}", "bad_review", order)


def _propose(feed: Feed, shop: str, buyer: str, care: str, kind: Any, order: str) -> None:
    anytime = datetime.fromisoformat("2000-01-01T00:00:00Z")
    data = CareProposed(
        care_id=care, kind=kind, order_id=order, marketing=False, template=kind, not_before=anytime,
        expires_at=anytime,
    )  # fmt: skip
    feed.lines[line_of(shop, buyer, care, data, None)] += 1
