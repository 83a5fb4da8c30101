"""Topics of logistics (物流): what the couriers report. None of them names the buyer. Source: feeds.md, Logistics.

A trace's text (`desc`) names couriers and receivers with their phones. Only a city, a station, and how the parcel was
signed for are taken out of it, each by words that stand for nothing else; the text itself goes no further.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from schemas.order import OrderParcelException
from services.kernel.fields import Fields
from services.kernel.inputs import RawFact
from services.kernel.process import Fact
from services.trade_ingest.sources.taobao.parties import Whose, facts, whose
from services.trade_ingest.stated import ParcelTraced

TRACE = "taobao_logistics_LogsticDetailTrace"

Action = Literal[
    "created", "consigned", "pickup", "arrival", "departure", "sent_city", "sent_scan", "signed", "failed", "lost",
    "other",
]  # fmt: skip
SignedBy = Literal["self", "station", "locker", "other"]

_ACTIONS: Mapping[str, Action] = {
    "CREATE": "created",
    "CONSIGN": "consigned",
    "GOT": "pickup",
    "ARRIVAL": "arrival",
    "DEPARTURE": "departure",
    "SENT_CITY": "sent_city",
    "SENT_SCAN": "sent_scan",
    "SIGNED": "signed",
    "FAILED": "failed",
    "LOST": "lost",
    # Two more of the platform's list, without a meaning of their own here: handed to EMS, and its own "other".
    "TO_EMS": "other",
    "OTHER": "other",
}

_CITY = re.compile(
    r"[【\[]\s*(?:[一-龥]{2,7}(?:省|自治区))?\s*([一-龥]{2,5}(?<![超门夜菜城])市)\s*(?:[一-龥]{1,8}[区县市])?\s*[】\]]"
)
"""A bracket with a city and nothing else, but for its province and district: `【杭州市】`, `【浙江省杭州市余杭区】`."""

_STATION_WORDS = r"驿站|代收点|自提点|代收站"
_LOCKER_WORDS = r"丰巢|快递柜|自提柜|智能柜|速递易"
_STATION = re.compile(_STATION_WORDS)
_LOCKER = re.compile(_LOCKER_WORDS)
_PLACE = re.compile(rf"[【\[]([一-龥A-Za-z]{{0,30}}(?:{_STATION_WORDS}|{_LOCKER_WORDS})[一-龥A-Za-z]{{0,10}})[】\]]")
"""A bracket with a station's name and no number in it: no phone, no door."""

_FETCHED = re.compile(
    r"已(?:成功)?(?:取件|取走|取出|领取)|(?:完成|成功)(?:取件|领取)|取件成功|已从[^，。,；;]{1,30}(?:取走|取出|取件|领取)"
)
_HIMSELF = re.compile(r"本人")
_REJECTED = re.compile(r"拒签|拒收")

_FORETOLD = {"WARNING": True, "EXCEPTION": False}
_EXCEPTIONS: Mapping[str, str] = {
    "GOT_EXCEPTION": "揽收异常",
    "GOT_UPDATE_EXCEPTION": "揽收更新异常",
    "TRANSPORT_EXCEPTION": "运输派送异常",
    "DELIVERY_UPDATE_EXCEPTION": "派送更新异常",
    "CONSIGN_DELAY": "延迟发货",
    "CONSIGN_CLICKED_FAKE": "虚假发货",
    "OUT_STOCK": "缺货",
    "COLLECTED_STOP": "揽收后停滞",
    "TRANSPORTING_STOP": "运输停滞",
    "DELIVERING_STOP": "派送停滞",
}
"""The platform's codes as people read them: each is a delay of some kind, none a loss or a damage."""

_CODE = re.compile(r"[A-Z0-9_]{1,64}")


def _traced(raw: RawFact, message: Fields, time: datetime) -> Iterator[Fact[Any]]:
    whom = whose(raw, message)
    action: Action = message.must("action", message.choice("action", _ACTIONS))
    said = message.long_text("desc") or ""
    city = _CITY.search(said)
    signed = action == "signed"
    traced = ParcelTraced(
        order_id=whom.order_id,
        waybill=message.id("out_sid"),
        action="rejected" if action == "failed" and _REJECTED.search(said) else action,
        city=city.group(1) if city else "",
        place=_place(said) if signed else "",
        signed_by=signed_by(said) if signed else "other",
    )
    return facts(raw, whom, time, [traced])


def signed_by(said: str) -> SignedBy:
    """Who has the parcel now: a text that speaks of a station may tell that the buyer fetched it there."""
    if _FETCHED.search(said):
        return "self"
    if _LOCKER.search(said):
        return "locker"
    if _STATION.search(said):
        return "station"
    return "self" if _HIMSELF.search(said) else "other"


def _place(said: str) -> str:
    found = _PLACE.search(said)
    return found.group(1) if found else ""


def _exception(raw: RawFact, message: Fields, time: datetime) -> Iterator[Fact[Any]]:
    """The platform has found a parcel in trouble (包裹异常): `trade_details` says whose."""
    if message.must("exception_type", message.choice("exception_type", _FORETOLD)):
        return
    reason = _reason(message)
    troubled = list(dict.fromkeys(_parcels(raw, message)))
    if not troubled:
        raise message.wrong("trade_details", "missing")
    for whom, waybill in troubled:
        data = OrderParcelException(order_id=whom.order_id, parcel_id=waybill, kind="other", reason=reason)
        yield from facts(raw, whom, time, [data])


def _parcels(raw: RawFact, message: Fields) -> Iterator[tuple[Whose, str]]:
    for detail in message.objects("trade_details"):
        for parcel in detail.objects("trade_details") or [detail]:
            yield whose(raw, parcel, "trade_id"), parcel.must("mail_no", parcel.id("mail_no"))


def _reason(message: Fields) -> str:
    """What the finer code means, else the code itself."""
    for name in ("sub_exception_code", "exception_code"):
        code = message.text(name) or ""
        if _CODE.fullmatch(code):
            return _EXCEPTIONS.get(code, code)
    return ""


MEANINGS: Mapping[str, Callable[[RawFact, Fields, datetime], Iterator[Fact[Any]]]] = {
    TRACE: _traced,
    "taobao_logistics_PackageExceptionCreate": _exception,
}
