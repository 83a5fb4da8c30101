"""Douyin's after-sales (售后): the steps that pushes tell, and those that a detail shows."""

from typing import Any

import pytest
from hypothesis import given, settings

from schemas.refund import RefundAgreed, RefundCompleted, RefundGoodsReturned, RefundRequested
from services.kernel.process import Fact
from services.trade_ingest.sources import douyin
from services.trade_ingest.stated import (
    RefundStep,
)
from tests.unit.trade_ingest.douyin_messages import AT, BACK, ID, after_sale, sale
from tests.unit.trade_ingest.feeds import Feed, epoch, fits_the_contract, nearly, types

feed = Feed(douyin.translate, "douyin", "refund")

RETURN: dict[str, Any] = {
    "refund_id": "7000893114000949517", "order_id": ID, "line_ids": ("4705288465508533000",),
    "fee_fen": 8900, "freight_fen": 600, "reason": "1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("type", "kind", "phase"),
    [
        (0, "return", "aftersale"),
        (1, "refund_only", "aftersale"),
        ("2", "refund_only", "onsale"),
        (3, "exchange", "aftersale"),
    ],
)
def test_the_type_of_an_after_sale_is_its_kind_and_phase(type: Any, kind: Any, phase: Any) -> None:
    asked = feed.one(RefundRequested, sale(200, apply_time=AT, aftersale_type=type), "push").data
    assert asked == RefundRequested(**RETURN, kind=kind, phase=phase)


def test_a_step_without_kind_or_sum_waits_for_the_statement_that_has_them() -> None:
    hint = feed.one(RefundStep, sale(206, success_time=AT, aftersale_type=None), "push").data
    assert hint == RefundStep(**RETURN, step="completed")


def test_a_step_without_its_own_time_has_that_of_its_update() -> None:
    fact = feed.one(RefundAgreed, sale(201, update_time="2021-04-21T15:36:27+08:00"), "push")
    assert fact.time == epoch(AT)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"after_sale_status": 6}, []),
        ({"after_sale_status": 7}, ["refund.agreed"]),
        ({"after_sale_status": 11}, ["refund.agreed", "refund.goods_returned"]),
        ({"after_sale_status": 12, "refund_status": 3}, ["refund.completed"]),
        ({"after_sale_status": 12, "refund_status": 1}, []),  # succeeded, and the money is not back yet
        ({"after_sale_status": 13, "after_sale_type": 3}, ["refund.agreed"]),
        ({"after_sale_status": 27}, ["refund.refused"]),
        ({"after_sale_status": 28}, ["refund.closed"]),
        ({"after_sale_status": 29}, ["refund.refused"]),
        ({"after_sale_status": 51}, []),
        ({"after_sale_status": 53}, []),
    ],
)
def test_an_after_sale_proves_that_it_was_asked_for_and_the_step_of_its_status(
    change: dict[str, Any], told: list[str]
) -> None:
    assert types(feed.facts(after_sale(**change))) == ["refund.requested", *told]


def test_an_after_sale_agrees_with_what_pushes_say_of_it() -> None:
    asked = feed.one(RefundRequested, sale(200, apply_time=AT), "push")
    told = feed.one(RefundRequested, after_sale())
    assert (told.time, told.data) == (asked.time, asked.data)


def test_returned_goods_travel_under_the_buyers_waybill() -> None:
    sent = feed.one(RefundGoodsReturned, after_sale(BACK, after_sale_status=11))
    assert (sent.time, sent.data.waybill, sent.data.carrier) == (epoch(AT + 40), "SF9", "顺丰")


def test_money_is_back_when_the_platform_says_so() -> None:
    done = after_sale(after_sale_status=12, refund_status=3, refund_time=AT + 90)
    assert feed.one(RefundCompleted, done).time == epoch(AT + 90)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"after_sale_status": 99}, "after_sale_status"),
        ({"after_sale_type": 7}, "after_sale_type"),
        ({"after_sale_id": None}, "after_sale_id"),
    ],
)
def test_an_after_sale_that_cannot_be_read_is_refused(change: dict[str, Any], field: str) -> None:
    assert feed.refused(after_sale(**change)).field == f"data.process_info.after_sale_info.{field}"


@settings(max_examples=250, deadline=None)
@given(nearly([after_sale(BACK, after_sale_status=11)]))
def test_whatever_detail_comes_is_told_or_refused_and_what_is_told_fits_the_contract(payload: Any) -> None:
    found = [one for kind in ("order") for one in feed.all(payload, kind)]
    assert found
    assert all(fits_the_contract(one) for one in found if isinstance(one, Fact))
