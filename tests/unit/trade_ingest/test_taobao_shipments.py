"""Which parcels a snapshot of a Taobao order proves."""

from typing import Any

import pytest

from schemas.order import OrderShipped
from services.kernel.process import Fact
from services.trade_ingest.stated import Shipped
from tests.unit.trade_ingest.taobao_feed import (
    DISPATCHED,
    ENDED,
    OID,
    OTHER_OID,
    TID,
    at,
    line,
    of_type,
    refusals,
    shown,
    trade,
)


def shipments(found: list[Fact[Any]]) -> list[tuple[Any, ...]]:
    return [
        (fact.data.waybill, fact.data.carrier, fact.data.line_ids, fact.data.partial, fact.time)
        for fact in found
        if type(fact.data) is OrderShipped
    ]


def test_one_parcel_for_all_is_the_whole_order() -> None:
    sent = DISPATCHED | {"status": "WAIT_BUYER_CONFIRM_GOODS"}
    found = shown(line(**sent), line(oid=OTHER_OID, **sent), status="WAIT_BUYER_CONFIRM_GOODS")
    assert shipments(found) == [("773000000000001", "申通快递", None, False, at("2026-11-11 18:00:00"))]
    assert of_type(found, OrderShipped).data.parcel_id == "773000000000001"


def test_each_waybill_is_a_parcel_with_its_lines_and_time() -> None:
    first, later = DISPATCHED | {"status": "WAIT_BUYER_CONFIRM_GOODS"}, {"consign_time": "2026-11-12 18:00:00"}
    second = first | later | {"invoice_no": "SF1", "logistics_company": "顺丰速运"}
    found = shown(line(**first), line(oid=OTHER_OID, **second), status="WAIT_BUYER_CONFIRM_GOODS")
    assert shipments(found) == [
        ("773000000000001", "申通快递", (str(OID),), False, at("2026-11-11 18:00:00")),
        ("SF1", "顺丰速运", (str(OTHER_OID),), False, at("2026-11-12 18:00:00")),
    ]


@pytest.mark.parametrize(
    ("left", "partial"),
    [("WAIT_SELLER_SEND_GOODS", True), ("TRADE_CLOSED", False), ("TRADE_CLOSED_BY_TAOBAO", False)],
)
def test_a_part_is_partial_while_an_open_line_is_left(left: str, partial: bool) -> None:
    sent = line(**DISPATCHED, status="WAIT_BUYER_CONFIRM_GOODS")
    found = shown(sent, line(oid=OTHER_OID, status=left), status="SELLER_CONSIGNED_PART")
    assert shipments(found) == [("773000000000001", "申通快递", (str(OID),), partial, at("2026-11-11 18:00:00"))]


def test_a_line_without_its_own_time_was_sent_when_the_order_was() -> None:
    found = shown(
        line(invoice_no="773000000000001"), status="WAIT_BUYER_CONFIRM_GOODS", consign_time="2026-11-11 19:00:00"
    )
    assert shipments(found) == [("773000000000001", "", None, False, at("2026-11-11 19:00:00"))]


def test_a_waybill_printed_early_is_no_shipping() -> None:
    assert shipments(shown(line(invoice_no="773000000000001"))) == []


def test_what_was_refunded_after_shipping_was_shipped() -> None:
    assert len(shipments(shown(line(**DISPATCHED), status="TRADE_CLOSED", **ENDED))) == 1
    assert shipments(shown(line(invoice_no="7"), status="TRADE_CLOSED", **ENDED)) == []


def test_shipped_without_a_waybill_is_a_hint() -> None:
    found = shown(status="WAIT_BUYER_CONFIRM_GOODS", consign_time="2026-11-11 18:00:00")
    assert of_type(found, Shipped).data == Shipped(order_id=str(TID))


def test_shipped_nobody_knows_when_is_refused_for_that_alone() -> None:
    message = {"trade": trade(line(invoice_no="1"), status="WAIT_BUYER_CONFIRM_GOODS")}
    assert [refused.field for refused in refusals(message, "order")] == ["trade.consign_time"]
