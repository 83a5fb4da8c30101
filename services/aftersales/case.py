"""Case: an aftersales matter of a buyer, from opening to outcome (domain.md 5).

Keyed by buyer, the cases inside. What is here: a neutral or bad review (中差评) opens a case of kind `review` for the
care desk, once. A review learnt so late that nobody would answer it any more (an import of last year's history) opens
none. A review that the buyer changes later is not looked at.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from schemas.case import CaseOpened
from schemas.envelope import Event
from schemas.review import Rating, ReviewPosted
from schemas.subjects import NO_BUYER
from services.kernel.policy import Policy

VERSION = 1

REASONS: dict[Rating, str] = {"neutral": "中评", "bad": "差评"}
"""The ratings that open a case, as agents read them."""


class Cases(Struct, frozen=True):
    """reviews: `<order>/<review>` -> its case: a review's id may be used for several orders."""

    reviews: dict[str, str] = {}


State = Cases


def key(event: Event[Any]) -> str | None:
    return event.buyer if isinstance(event.data, ReviewPosted | CaseOpened) and event.buyer != NO_BUYER else None


def evolve(cases: Cases, event: Event[Any]) -> Cases:
    match event.data:
        case CaseOpened(case_id=case, order_id=order, review_id=str() as review):
            return replace(cases, reviews={**cases.reviews, f"{order}/{review}": case})
        case _:
            return cases


def decide(cases: Cases, cause: object, now: datetime, policy: Policy) -> Iterable[CaseOpened]:
    match cause:
        case Event(data=ReviewPosted(automatic=False) as review) if review.rating in REASONS:
            too_late = cause.time + timedelta(days=policy.aftersales.review.open_within_days)
            if f"{review.order_id}/{review.review_id}" in cases.reviews or now > too_late:
                return  # it has its case; or it is history
            yield CaseOpened(
                case_id=case_id(cause.shop, cause.buyer, review.order_id, review.review_id),
                version=1,
                next_actor="care_desk",
                due_at=now + timedelta(hours=policy.aftersales.step_due_hours.of("review")),
                kind="review",
                order_id=review.order_id,
                reason=REASONS[review.rating],
                opened_by="system",
                review_id=review.review_id,
            )
        case _:
            return


def due(cases: Cases, policy: Policy) -> datetime | None:
    return None


def case_id(shop: str, buyer: str, order: str, review: str) -> str:
    """The case of an order's review always has the same id."""
    return hashlib.sha256("\x1f".join((shop, buyer, "review", order, review)).encode()).hexdigest()[:32]
