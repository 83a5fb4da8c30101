"""Case: a neutral or bad review opens one for the care desk (domain.md 5, 中差评)."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.case import CaseOpened
from schemas.envelope import Event
from schemas.review import ReviewChanged, ReviewPosted
from services.aftersales import case
from services.aftersales.case import case_id
from services.kernel.policy import default_policy
from services.replay.story import at, event, story

AFTERSALES = default_policy().aftersales


def posted(
    rating: Any, when: Any = "10:00:00", review: str = "r1", order: str = "o1", *, recorded: Any = None, **more: Any
) -> Event[Any]:
    return event(ReviewPosted(review_id=review, order_id=order, rating=rating, **more), at=when, recorded=recorded)


def opened(reason: str, learnt: Any = "10:00:00", review: str = "r1", order: str = "o1") -> CaseOpened:
    return CaseOpened(
        case_id=case_id("s1", "b1", order, review),
        version=1,
        next_actor="care_desk",
        due_at=at(learnt) + timedelta(hours=AFTERSALES.step_due_hours.of("review")),
        kind="review",
        order_id=order,
        reason=reason,
        opened_by="system",
        review_id=review,
    )


@pytest.mark.parametrize(("rating", "reason"), [("bad", "差评"), ("neutral", "中评")])
def test_a_neutral_or_bad_review_opens_a_case_for_the_care_desk(rating: str, reason: str) -> None:
    story(case).when(posted(rating, score=1)).then(opened(reason))


def test_a_good_review_opens_none() -> None:
    story(case).when(posted("good")).then()


def test_the_platforms_default_review_opens_none() -> None:
    story(case).when(posted("bad", automatic=True)).then()


def test_a_review_said_again_has_its_case() -> None:
    story(case).given(posted("bad")).when(posted("bad"), posted("neutral", "11:00:00")).then()


def test_each_review_of_an_order_has_its_own_case() -> None:
    story(case).given(posted("bad")).when(posted("bad", review="r2")).then(opened("差评", review="r2"))


def test_a_review_id_that_is_used_for_two_orders_is_two_cases() -> None:
    story(case).given(posted("bad")).when(posted("bad", order="o2")).then(opened("差评", order="o2"))


def test_a_changed_review_is_not_looked_at() -> None:
    change = event(ReviewChanged(review_id="r1", order_id="o1", rating="bad"))
    story(case).when(change).then()


def test_a_review_learnt_within_the_days_of_the_policy_opens_a_case_due_from_when_it_was_learnt() -> None:
    written, within = at("10:00:00"), timedelta(days=AFTERSALES.review.open_within_days)
    told = story(case).when(posted("bad", written, recorded=written + within))
    told.then(opened("差评", written + within))


def test_a_review_learnt_later_is_history_and_opens_none() -> None:
    written, within = at("10:00:00"), timedelta(days=AFTERSALES.review.open_within_days)
    story(case).when(posted("bad", written, recorded=written + within + timedelta(seconds=1))).then()


def test_a_review_without_a_buyer_is_nobodys_case() -> None:
    story(case).when(event(ReviewPosted(review_id="r1", order_id="o1", rating="bad"), buyer="-")).then()


def test_a_case_id_differs_by_shop_buyer_order_and_review() -> None:
    one = ("s", "b", "o", "r")
    others = [tuple("x" if place == number else part for place, part in enumerate(one)) for number in range(4)]
    assert len({case_id(*parts) for parts in (one, *others)}) == 5
