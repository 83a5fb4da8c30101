"""What the couriers' messages in Taobao's message service mean, and what is kept of their text."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.trade_ingest.taobao_feed import (
    OID,
    TID,
    TRACED,
    envelope,
    facts,
    refusals,
    stated,
)

WAYBILL = "waybill=773000000000001"
TRACES = [
    ("CREATE", "", f"{WAYBILL} action=created signed_by=other"),
    ("CONSIGN", "卖家已发货", f"{WAYBILL} action=consigned signed_by=other"),
    ("GOT", "【金华市】张三 13800138000 已揽收", f"{WAYBILL} action=pickup city=金华市 signed_by=other"),
    ("ARRIVAL", "快件到达【浙江省杭州市余杭区】", f"{WAYBILL} action=arrival city=杭州市 signed_by=other"),
    ("DEPARTURE", "快件离开【杭州转运中心】", f"{WAYBILL} action=departure signed_by=other"),
    ("SENT_CITY", "快件到达 [杭州市]", f"{WAYBILL} action=sent_city city=杭州市 signed_by=other"),
    ("SENT_SCAN", "【文一路】派件员李四 电话13900139000", f"{WAYBILL} action=sent_scan signed_by=other"),
    ("SIGNED", "已签收，签收人：本人", f"{WAYBILL} action=signed signed_by=self"),
    ("SIGNED", "已签收，签收人：王小明", f"{WAYBILL} action=signed signed_by=other"),
    ("SIGNED", "快件已暂存至【文一路菜鸟驿站】，请凭取件码取件",
     f"{WAYBILL} action=signed place=文一路菜鸟驿站 signed_by=station"),
    ("SIGNED", "已由代收点代为签收", f"{WAYBILL} action=signed signed_by=station"),
    ("SIGNED", "已投入丰巢快递柜，取件码1234", f"{WAYBILL} action=signed signed_by=locker"),
    ("SIGNED", "您已在菜鸟驿站完成取件，感谢使用", f"{WAYBILL} action=signed signed_by=self"),
    ("SIGNED", "【杭州市】【世纪联华超市】已签收", f"{WAYBILL} action=signed city=杭州市 signed_by=other"),
    ("FAILED", "客户不在家，改约派送", f"{WAYBILL} action=failed signed_by=other"),
    ("FAILED", "客户拒收", f"{WAYBILL} action=rejected signed_by=other"),
    ("LOST", "", f"{WAYBILL} action=lost signed_by=other"),
    ("TO_EMS", "", f"{WAYBILL} action=other signed_by=other"),
    ("OTHER", "", f"{WAYBILL} action=other signed_by=other"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "desc", "expected"), TRACES)
def test_a_scan_of_the_courier_keeps_city_and_station_and_no_name(action: str, desc: str, expected: str) -> None:
    message = envelope("taobao_logistics_LogsticDetailTrace", TRACED | {"action": action, "desc": desc})
    assert stated(message) == [f"parcel_traced {expected}"]
    (fact,) = facts(message)
    assert (fact.time, fact.buyer) == (datetime(2026, 11, 13, 0, 30, tzinfo=UTC), "-")
    for private in ("张三", "李四", "王小明", "13800138000", "13900139000"):
        assert private not in repr(fact)


@pytest.mark.parametrize("waybill", [None, "", "  "])
def test_a_scan_without_a_waybill_names_the_order_alone(waybill: str | None) -> None:
    content = TRACED | {"action": "GOT", "out_sid": waybill}
    (fact,) = facts(envelope("taobao_logistics_LogsticDetailTrace", content))
    assert fact.data.waybill is None


@pytest.mark.parametrize("time", [1794529800, 1794529800000, "2026-11-13 08:30:00"])
def test_a_scan_has_its_own_time_in_any_spelling(time: Any) -> None:
    (fact,) = facts(envelope("taobao_logistics_LogsticDetailTrace", TRACED | {"action": "GOT", "time": time}))
    assert fact.time == datetime(2026, 11, 13, 0, 30, tzinfo=UTC)


def parcel_exception(**changes: Any) -> dict[str, Any]:
    details = [{"trade_id": str(TID), "sub_trade_id": str(OID), "mail_no": "SF7444498036028", "cp_code": "SF"}]
    content = {
        "excep_id": f"{TID}#2#X", "exception_type": "EXCEPTION", "exception_code": "TRANSPORT_EXCEPTION",
        "sub_exception_code": "TRANSPORTING_STOP", "detail_type": "1", "create_time": 1794529800000,
        "over_time": "1794529800000", "compensate_amount": "", "msg_id": "1", "seller_id": "1",
        "trade_details": json.dumps(details),
    }  # fmt: skip
    return envelope("taobao_logistics_PackageExceptionCreate", content | changes)


EXCEPTION = "order.parcel_exception parcel_id=SF7444498036028 kind=other reason="


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [EXCEPTION + "运输停滞"]),
        ({"sub_exception_code": ""}, [EXCEPTION + "运输派送异常"]),
        ({"sub_exception_code": "NEW_CODE_7"}, [EXCEPTION + "NEW_CODE_7"]),
        ({"sub_exception_code": "王小明 13800138000", "exception_code": ""}, [EXCEPTION.removesuffix(" reason=")]),
        (
            {"trade_details": {"trade_details": {"trade_id": TID, "mail_no": "SF7444498036028"}}},
            [EXCEPTION + "运输停滞"],
        ),
        ({"exception_type": "WARNING"}, []),
    ],
)
def test_a_parcel_in_trouble_is_an_exception_and_a_warning_is_none(changes: Any, expected: list[str]) -> None:
    assert stated(parcel_exception(**changes)) == expected
    assert {fact.time for fact in facts(parcel_exception(**changes))} <= {datetime(2026, 11, 13, 0, 30, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"exception_type": "NEWS"}, "content.exception_type"),
        ({"trade_details": ""}, "content.trade_details"),
        ({"trade_details": [{"trade_id": TID}]}, "content.trade_details[0].mail_no"),
        ({"trade_details": [{"mail_no": "1"}]}, "content.trade_details[0].trade_id"),
    ],
)
def test_an_exception_of_no_known_parcel_is_refused(changes: Any, field: str) -> None:
    assert [refused.field for refused in refusals(parcel_exception(**changes))] == [field]
