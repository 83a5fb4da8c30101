"""Review events (评价). Source: domain.md 4 (review_thanks) and 5 (中差评)."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.types import Id, Text

Rating = Literal["good", "neutral", "bad"]
"""好评, 中评, 差评."""
Score = Annotated[int, Meta(ge=1, le=5, description="Stars.")]


class ReviewPosted(Struct, frozen=True, kw_only=True):
    """The buyer's review. `automatic`: the platform's default review, whose text is not the buyer's."""

    TYPE: ClassVar[str] = "review.posted"
    VERSION: ClassVar[int] = 1

    review_id: Id
    order_id: Id
    line_id: Id | None = None
    rating: Rating
    score: Score | None = None
    text: Text | None = None
    automatic: bool = False


class ReviewChanged(Struct, frozen=True, kw_only=True):
    """The buyer changed or added to the review (追评); the fields are as they are now."""

    TYPE: ClassVar[str] = "review.changed"
    VERSION: ClassVar[int] = 1

    review_id: Id
    order_id: Id
    line_id: Id | None = None
    rating: Rating
    score: Score | None = None
    text: Text | None = None


class ReviewReplied(Struct, frozen=True, kw_only=True):
    """The shop's public reply (评价回复) stands on the platform."""

    TYPE: ClassVar[str] = "review.replied"
    VERSION: ClassVar[int] = 1

    review_id: Id
    order_id: Id
    text: Text | None = None


EVENTS = (ReviewPosted, ReviewChanged, ReviewReplied)
