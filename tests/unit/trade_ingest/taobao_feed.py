"""Example messages of the Taobao feeds, everything in them right, to be changed by a test; what they are told as."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.fernet import Fernet

from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.kernel.vault import Keys
from services.trade_ingest.sources import taobao

KEYS = Keys(b"i" * 32, [Fernet.generate_key()])
RECEIVED = datetime(2026, 11, 24, 12, tzinfo=UTC)
SHOP = "s1"
OPEN_ID = "AAFk8Yxq_open_1"
NICK = "小鱼爱吃草"
TID = 4611686018427387905
"""Beyond 2^53: as a float it would be 4611686018427387904."""
OID = TID + 1
OTHER_OID = TID + 2
REFUND_ID = 9223372036854775001

SENT = "2026-11-11 00:00:03"
AT = datetime(2026, 11, 10, 16, 0, 3, tzinfo=UTC)
"""SENT, naive in GMT+8, as an instant."""

BUYER = {"buyer_open_uid": OPEN_ID, "buyer_nick": NICK}
TRADE = {**BUYER, "tid": TID, "oid": TID, "seller_nick": "渔具店", "type": "guarantee_trade"}
REFUND = {
    **BUYER, "tid": TID, "oid": OID, "refund_id": REFUND_ID, "refund_fee": "29.80", "seller_nick": "渔具店",
    "bill_type": "refund_bill", "refund_phase": "onsale", "modified": "2026-11-12 09:00:00",
}  # fmt: skip
DISPATCHED = {
    "invoice_no": "773000000000001", "logistics_company": "申通快递", "consign_time": "2026-11-11 18:00:00",
}  # fmt: skip
"""A line's parcel."""
ENDED = {"end_time": "2026-11-20 10:00:00", "modified": "2026-11-20 10:00:01"}
MODIFIED = datetime(2026, 11, 12, 1, tzinfo=UTC)
TRACED = {"tid": TID, "out_sid": "773000000000001", "company_name": "申通", "time": "2026-11-13 08:30:00", "desc": ""}


def envelope(topic: str, content: Any, /, **changes: Any) -> dict[str, Any]:
    """One message of the message service; the content is JSON in a string."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return {
        "id": 4020000000001, "topic": topic, "publisher": "12497914", "time": SENT, "outtime": SENT,
        "userid": 263685215, "nick": "渔具店", "dataid": 1, "retried": 0, "content": text,
    } | changes  # fmt: skip


def line(**changes: Any) -> dict[str, Any]:
    """A line of an order, in the order's state unless it says otherwise."""
    return {
        "oid": OID, "title": "碳素鱼竿 3.6米", "sku_id": "4902000000001", "sku_properties_name": "长度:3.6米", "num": 2,
        "price": "29.80", "payment": "54.60",  "refund_status": "NO_REFUND",
    } | changes  # fmt: skip


def trade(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A paid order, to be shipped; of one line where none is given."""
    status = changes.get("status", "WAIT_SELLER_SEND_GOODS")
    shown = [{**one, "status": one.get("status", status)} for one in lines] or [line(status=status)]
    return BUYER | {
        "tid": TID, "status": status, "type": "fixed", "shipping_type": "express", "created": "2026-11-11 00:00:01",
        "pay_time": "2026-11-11 00:05:00", "modified": "2026-11-11 00:05:02", "payment": "59.60", "post_fee": "5.00",
        "receiver_name": "王小明", "receiver_mobile": "13800138000", "receiver_state": "浙江省",
        "receiver_city": "杭州市", "receiver_district": "余杭区", "receiver_address": "文一西路969号",
        "seller_flag": 1, "seller_memo": "发顺丰", "buyer_message": "请尽快",
        "orders": {"order": shown},
    } | changes  # fmt: skip


def refund(**changes: Any) -> dict[str, Any]:
    return BUYER | {
        "refund_id": REFUND_ID, "tid": TID, "oid": OID, "status": "WAIT_SELLER_AGREE", "refund_fee": "29.80",
        "total_fee": "59.60", "good_status": "BUYER_NOT_RECEIVED", "has_good_return": False, "reason": "七天无理由",
        "desc": "电话13800138000", "created": "2026-11-12 08:00:00", "modified": "2026-11-12 09:00:00",
        "refund_phase": "onsale",
    } | changes  # fmt: skip


def told(payload: Any, kind: str = "tmc", source: str = "taobao") -> list[Fact[Any] | Refused]:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    return list(taobao.translate(RawFact(source, SHOP, kind, raw, 1, RECEIVED, KEYS)))


def facts(payload: Any, kind: str = "tmc", source: str = "taobao") -> list[Fact[Any]]:
    """The facts of a message of which nothing is refused."""
    found = told(payload, kind, source)
    assert not [one for one in found if isinstance(one, Refused)], found
    return [one for one in found if isinstance(one, Fact)]


def refusals(payload: Any, kind: str = "tmc") -> list[Refused]:
    return [one for one in told(payload, kind) if isinstance(one, Refused)]


def stated(payload: Any, kind: str = "tmc", source: str = "taobao") -> list[str]:
    """The facts as lines to read: the type, and the fields that say something."""
    return [spelled(fact) for fact in facts(payload, kind, source)]


def spelled(fact: Fact[Any]) -> str:
    said = {
        name: ",".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in msgspec.to_builtins(fact.data).items()
        if value not in (None, "", (), False) and name not in ("order_id", "deposit")
    }
    return " ".join([fact.data.TYPE.removeprefix("stated."), *(f"{name}={value}" for name, value in said.items())])


def of_type(found: list[Fact[Any]], kind: type[Any]) -> Fact[Any]:
    (one,) = [fact for fact in found if type(fact.data) is kind]
    return one


def has(found: list[Fact[Any]], kind: type[Any]) -> bool:
    return any(type(fact.data) is kind for fact in found)


def shown(*lines: dict[str, Any], source: str = "taobao", **changes: Any) -> list[Fact[Any]]:
    """The facts of an order's snapshot."""
    return facts({"trade": trade(*lines, **changes)}, "order", source)


def at(text: str) -> datetime:
    """GMT+8, as an instant."""
    return datetime.fromisoformat(f"{text}+08:00").astimezone(UTC)
