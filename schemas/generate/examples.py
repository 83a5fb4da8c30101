"""One example of every event, made from its types and from what a field of that name usually holds.

Deterministic: the same Struct always gives the same example. Every optional field is there.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import inspect

from schemas.codec import dataschema, encode, entity
from schemas.envelope import Event, EventData
from schemas.subjects import NO_BUYER

_MORNING = datetime(2025, 9, 19, 9, 24, 5, tzinfo=UTC)
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_WITHOUT_BUYER = frozenset({"agent", "faq", "ops", "phrase", "policy", "product"})

_BY_NAME: dict[str, Any] = {
    "address_ref": "vault-7d2f",
    "agent_id": "旗舰店:小美",
    "answer": "亲,本店商品均为正品,支持专柜验货。",
    "args": {"order_id": "3141592653589793238", "postage_fen": 800},
    "campaign_id": "campaign-2025-11-11",
    "carrier": "顺丰速运",
    "city": "杭州",
    "day": "2025-09-19",
    "evidence": "order 3141592653589793238 names both",
    "file": "archive/2025-09.jsonl.zst",
    "from_agent": "旗舰店:小美",
    "main_account": "旗舰店",
    "memo": "发顺丰,放前台",
    "note": "已电话沟通",
    "open_id": "AAFX-1x2y3z",
    "opened_by": "旗舰店:小美",
    "order_id": "3141592653589793238",
    "origin_region": "浙江省杭州市",
    "parcel_id": "SF1234567890123",
    "period": "2025-09",
    "phrase": "能少吗",
    "place": "菜鸟驿站(南门店)",
    "platform": "taobao",
    "question": "有质检报告吗",
    "reason": "尺码不合适",
    "region": "广东省深圳市",
    "segment": "tier:vip",
    "shop": "shop-1",
    "sku": "4611686018427387904",
    "source": "taobao",
    "template": "signed",
    "text": "您好,在的",
    "title": "纯棉短袖T恤 白色 L",
    "to_agent": "旗舰店:阿强",
    "values": {"订单号": "3141592653589793238"},
    "waybill": "SF1234567890123",
}
_LISTS: dict[str, list[Any]] = {
    "channels": [{"channel": "platform", "address_ref": "vault-7d2f", "text": "您的包裹已签收。"}],
}
_HOURS_LATER = {
    "closes_at": 24, "due_at": 1, "ends_at": 8, "expires_at": 24, "flagged_at": -1, "last_paid_at": -720,
    "not_before": 0, "opens_at": 48, "pay_by": 24, "printed_at": -2, "requested_at": -3, "ship_by": 48,
    "since": -1, "until": 72,
}  # fmt: skip


def example_event(struct: type[EventData]) -> bytes:
    """The CloudEvent as pretty JSON with a final newline, keys in the envelope's order."""
    event = Event(
        data=msgspec.convert(_fields(struct), struct),
        shop="shop-1",
        buyer=NO_BUYER if entity(struct.TYPE) in _WITHOUT_BUYER else "AAFX-1x2y3z",
        time=_MORNING,
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, dataschema(struct.TYPE, struct.VERSION))),
        source="example",
        actor="旗舰店:小美",
        correlationid="corr-1",
        causationid="cause-1",
        basis="in:1024",
        ordinal=0,
        policy="3f9a1c",
    )
    return msgspec.json.format(encode(event), indent=2) + b"\n"


def _fields(struct: type[Any]) -> dict[str, Any]:
    return {
        field.encode_name: field.default
        if isinstance(field.default, str | bool) and field.default != ""
        else _value(field.name, inspect.type_info(field.type))
        for field in msgspec.structs.fields(struct)
    }


def _value(name: str, info: inspect.Type) -> Any:
    match info:
        case inspect.Metadata(type=item):
            return _value(name, item)
        case inspect.UnionType(types=types):
            return _value(name, next(one for one in types if not isinstance(one, inspect.NoneType)))
        case inspect.LiteralType(values=values):
            return _BY_NAME[name] if _BY_NAME.get(name) in values else values[0]
        case inspect.StructType(cls=struct):
            return _fields(struct)
        case inspect.BoolType():
            return True
        case inspect.DateTimeType():
            return _MORNING + timedelta(hours=_HOURS_LATER.get(name, 0))
        case inspect.IntType():
            return _integer(name)
        case inspect.VarTupleType(item_type=item):
            return _LISTS.get(name) or [_value(name.removesuffix("s"), item)]
        case inspect.DictType(key_type=key, value_type=value):
            return _BY_NAME.get(name) or {_value("key", key): _value("value", value)}
        case inspect.StrType(pattern=pattern, min_length=low, max_length=high):
            return _string(name, pattern, low or 0, high or 100)
        case _:
            return {"example": True}


def _integer(name: str) -> int:
    units = {"_fen": 2990, "_ms": 20_000, "days": 3, "_seq": 1024}
    return next((value for suffix, value in units.items() if name.endswith(suffix)), 1)


def _string(name: str, pattern: str | None, low: int, high: int) -> str:
    known = _BY_NAME.get(name)
    if isinstance(known, str):
        return known
    if "a-f" in (pattern or "") or name.endswith("digest"):
        return _SHA256
    if pattern and "0-9" in pattern:
        return "2025-09-19"
    return f"{name.removesuffix('_id').replace('_', '-')}-1"[:high].ljust(low, "x")
