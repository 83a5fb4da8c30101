"""What a snapshot of a Taobao refund is told as: the documentation of `in.taobao.<shop>.refund`."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.kernel.process import Fact
from services.trade_ingest.sources.taobao.states import REFUND_STATES
from services.trade_ingest.stated import Owner
from tests.unit.trade_ingest.taobao_feed import MODIFIED, OID, OPEN_ID, REFUND_ID, TID, facts, refund, refusals, spelled

CREATED = datetime(2026, 11, 12, tzinfo=UTC)
STATES = {
    "WAIT_SELLER_AGREE": [],
    "WAIT_BUYER_RETURN_GOODS": ["refund.agreed"],
    "WAIT_SELLER_CONFIRM_GOODS": ["refund.goods_returned"],
    "SELLER_REFUSE_BUYER": ["refund.refused"],
    "CLOSED": ["refund.closed"],
    "SUCCESS": ["refund.completed"],
}


def steps(**changes: Any) -> list[Fact[Any]]:
    """The refund's own facts, beside whose it is."""
    found = facts({"refund_get_response": {"refund": refund(**changes)}}, "refund")
    return [fact for fact in found if not isinstance(fact.data, Owner)]


@pytest.mark.parametrize("status", sorted(REFUND_STATES))
def test_a_state_proves_that_it_was_requested_and_what_became_of_it(status: str) -> None:
    found = steps(status=status)
    assert [fact.data.TYPE for fact in found] == ["refund.requested", *STATES[status]]
    assert [fact.time for fact in found] == [CREATED, MODIFIED][: len(found)]
    assert {fact.buyer for fact in found} == {OPEN_ID}


def test_a_refund_has_its_order_line_sum_and_the_reason_from_the_platforms_list() -> None:
    (asked,) = steps()
    assert spelled(asked) == (
        f"refund.requested refund_id={REFUND_ID} line_ids={OID} kind=refund_only phase=onsale fee_fen=2980"
        " reason=七天无理由"
    )
    assert asked.data.order_id == str(TID)
    assert "13800138000" not in repr(asked)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"has_good_return": True}, "return"),
        ({"has_good_return": "true"}, "return"),
        ({"has_good_return": False}, "refund_only"),
        ({"has_good_return": "false"}, "refund_only"),
        ({"has_good_return": True, "bill_type": "replace_bill"}, "exchange"),
        ({"has_good_return": None, "bill_type": "return_bill"}, "return"),
    ],
)
def test_a_refund_is_a_return_where_goods_are_to_come_back(changes: dict[str, Any], kind: str) -> None:
    assert steps(**changes)[0].data.kind == kind


@pytest.mark.parametrize("field", ["has_good_return", "refund_phase", "refund_fee"])
def test_a_refund_without_kind_phase_or_sum_is_a_step(field: str) -> None:
    requested, completed = steps(status="SUCCESS", **{field: None})
    assert (requested.data.TYPE, requested.data.step) == ("stated.refund_step", "requested")
    assert (completed.data.TYPE, completed.data.step) == ("stated.refund_step", "completed")


def test_a_refusal_does_not_carry_the_buyers_reason() -> None:
    assert steps(status="SELLER_REFUSE_BUYER")[1].data.reason is None


def test_returned_goods_come_under_their_waybill() -> None:
    sent_back = {"status": "WAIT_SELLER_CONFIRM_GOODS", "has_good_return": True, "company_name": "中通", "sid": "7512"}
    assert (steps(**sent_back)[1].data.carrier, steps(**sent_back)[1].data.waybill) == ("中通", "7512")


def test_a_refund_comes_bare_in_its_response_or_in_a_row_of_the_push() -> None:
    bare = {"refund": refund()}
    row = {"refund_id": REFUND_ID, "status": "SUCCESS", "jdp_response": json.dumps({"refund_get_response": bare})}
    assert facts(bare, "refund") == facts({"refund_get_response": bare}, "refund") == facts(row, "refund")


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"tid": None}, ["refund.tid"]),
        ({"refund_id": None}, ["refund.refund_id"]),
        ({"status": "WAIT_ELSEWHERE"}, ["refund.status"]),
        ({"has_good_return": "perhaps"}, ["refund.has_good_return"]),
        ({"refund_fee": "1e2"}, ["refund.refund_fee"]),
        ({"created": None}, ["refund.created"]),
        ({"status": "SUCCESS", "modified": ""}, ["refund.modified"]),
        ({"status": "SUCCESS", "modified": "", "created": ""}, ["refund.created", "refund.modified"]),
    ],
)
def test_what_cannot_be_read_of_a_refund_is_refused(changes: dict[str, Any], fields: list[str]) -> None:
    assert [refused.field for refused in refusals({"refund": refund(**changes)}, "refund")] == fields
