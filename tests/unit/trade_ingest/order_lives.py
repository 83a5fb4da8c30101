"""Lives of an order, and how the feeds tell them: a message about a moment, or a snapshot of all that holds then."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import Struct

from schemas.order import OrderClosed, OrderCompleted, OrderLine, OrderPaid, OrderPlaced, OrderShipped
from schemas.refund import RefundAgreed, RefundCompleted, RefundRefused, RefundRequested
from services.trade_ingest.stated import (
    Address,
    AddressTouched,
    AllSigned,
    Flag,
    LinePrice,
    Memo,
    Paid,
    ParcelTraced,
    Placed,
    Price,
    RefundStep,
    Reviewed,
    Shipped,
)

BEGINNING = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(hours=3)
LATE_STAMP = timedelta(seconds=2)
"""A message about a refund is stamped a little later than the refund itself."""

ORDER: dict[str, Any] = {"order_id": "o1"}
LINES = ("l1", "l2", "l3")
WAYBILLS = ("Z1", "Z2", "Z3")
REFUND: dict[str, Any] = {**ORDER, "refund_id": "r1", "kind": "refund_only", "phase": "onsale", "fee_fen": 100}
REFUNDS = {
    "requested": RefundRequested,
    "refused": RefundRefused,
    "agreed": RefundAgreed,
    "completed": RefundCompleted,
}

Told = tuple[Any, datetime]
"""Data as a feed states it, and its platform time."""


class Moment(Struct, frozen=True):
    """What happened (`what`, with `which`), and how the order stands from then on."""

    what: str
    which: Any
    at: datetime
    prices: tuple[int, int, int]
    postage: int
    address: str
    memo: str
    flag: str

    @property
    def total(self) -> int:
        return sum(self.prices) + self.postage


Life = Sequence[Moment]


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """From placing to the end; changes of values lie anywhere in between. Each price is lower than the last."""
    steps: list[tuple[str, Any]] = []
    parcels = draw(st.integers(1, 3))
    if draw(st.booleans()):
        steps.append(("paid", None))
        for number in range(parcels):
            steps += [("shipped", number)]
            steps += [("scan", (number, action)) for action in draw(_scans)]
        if draw(st.booleans()):
            steps.append(("received", None))
        steps += [("refund", name) for name in draw(st.sampled_from(_REFUNDS))]
        steps += [("completed", None), ("review", None)] if draw(st.booleans()) else []
    else:
        steps.append(("closed", None))
    for what in draw(st.lists(st.sampled_from(["price", "postage", "address", "memo", "flag"]), max_size=7)):
        steps.insert(draw(st.integers(0, len(steps))), (what, draw(st.integers(0, 2))))
    now = Moment("placed", parcels, BEGINNING, (9_000, 9_000, 9_000), 900, "a0", draw(_memos), "0")
    life = [now]
    for number, (what, which) in enumerate(steps, 1):
        now = msgspec.structs.replace(now, what=what, which=which, at=BEGINNING + number * STEP)
        life.append(now := _changed(draw, now))
    return life


_scans = st.lists(st.sampled_from(["pickup", "departure", "sent_city", "signed"]), unique=True)
_memos = st.sampled_from(["", "甲", "乙"])
_REFUNDS: list[tuple[str, ...]] = [
    (),
    ("requested", "agreed", "completed"),
    ("requested", "refused", "requested", "refused"),
    ("requested", "refused", "requested", "agreed", "completed"),
]


def _changed(draw: st.DrawFn, now: Moment) -> Moment:
    change: dict[str, Any] = {}
    match now.what:
        case "price":
            prices = tuple(fen - 10 if line == now.which else fen for line, fen in enumerate(now.prices))
            change = {"prices": prices}
        case "postage":
            change = {"postage": now.postage - 10}
        case "address":
            change = {"address": f"a{now.which}"}
        case "memo":
            change = {"memo": draw(_memos)}
        case "flag":
            change = {"flag": draw(st.sampled_from(["0", "1", "5", "9"]))}
    return msgspec.structs.replace(now, **change)


# How the feeds tell it


def notification(draw: st.DrawFn, life: Life, moment: Moment) -> list[Told]:
    """The platform's message about one moment: thin or not, and of its time."""
    hint, at = draw(st.booleans()), moment.at
    match moment.what:
        case "placed":
            return [(Placed(**ORDER, platform="taobao", total_fen=moment.total), at)]
        case "paid":
            return [(Paid(**ORDER) if hint else OrderPaid(**ORDER, paid_fen=moment.total), at)]
        case "price" | "postage":
            return [(Price(**ORDER, total_fen=moment.total), at)]
        case "address":
            return [(AddressTouched(**ORDER), at)]
        case "memo":
            return [(Memo(**ORDER, memo=moment.memo), at)]
        case "flag":
            return [(Flag(**ORDER, platform="taobao", raw_code=moment.flag), at)]
        case "shipped":
            return [(Shipped(**ORDER, partial=True) if hint else shipped(life, moment), at)]
        case "scan":
            return [(scan(moment), at)]
        case "received":
            return [(AllSigned(**ORDER), at)]
        case "refund":
            return [(RefundStep(**ORDER, refund_id="r1", step=moment.which), at + LATE_STAMP)]
        case "review":
            return [(Reviewed(**ORDER), at)]
        case _:
            return end(moment)


def snapshot(life: Life, until: Moment) -> list[Told]:
    """All that holds then: what happened at its own time, the values at the time of the last change."""
    lines = tuple(
        OrderLine(line_id=line, sku="k", title="裙", quantity=1, price_fen=fen)
        for line, fen in zip(LINES, until.prices, strict=True)
    )
    prices = tuple(LinePrice(line.line_id, line.price_fen) for line in lines)
    placed = OrderPlaced(
        **ORDER,
        platform="taobao",
        shop_kind="c_shop",
        lines=lines,
        total_fen=until.total,
        postage_fen=until.postage,
    )
    told: list[Told] = [(placed, BEGINNING)]
    for moment in life:
        if moment.at <= until.at:
            told += proved(life, moment)
    return [
        *told,
        (Price(**ORDER, total_fen=until.total, postage_fen=until.postage, lines=prices), until.at),
        (Address(**ORDER, address_digest=until.address), until.at),
        (Memo(**ORDER, memo=until.memo), until.at),
        (Flag(**ORDER, platform="taobao", raw_code=until.flag, memo=until.memo), until.at),
    ]


def proved(life: Life, moment: Moment) -> list[Told]:
    """What a snapshot shows of a moment that is over."""
    match moment.what:
        case "paid":
            return [(OrderPaid(**ORDER, paid_fen=moment.total), moment.at)]
        case "shipped":
            return [(shipped(life, moment), moment.at)]
        case "received":
            return [(AllSigned(**ORDER), moment.at)]
        case "refund":
            return [(REFUNDS[moment.which](**REFUND), moment.at)]
        case _:
            return end(moment)


def end(moment: Moment) -> list[Told]:
    match moment.what:
        case "completed":
            return [(OrderCompleted(**ORDER, cause="buyer"), moment.at)]
        case "closed":
            return [(OrderClosed(**ORDER, reason="买家不想要了", paid=False), moment.at)]
        case _:
            return []


def shipped(life: Life, moment: Moment) -> OrderShipped:
    """One line a parcel; the last one takes the rest."""
    number, parcels = moment.which, life[0].which
    lines = LINES[number:] if number == parcels - 1 else LINES[number : number + 1]
    waybill = WAYBILLS[number]
    return OrderShipped(
        **ORDER, parcel_id=waybill, carrier="中通", waybill=waybill, line_ids=lines, partial=number < parcels - 1
    )


def scan(moment: Moment) -> ParcelTraced:
    number, action = moment.which
    return ParcelTraced(**ORDER, waybill=WAYBILLS[number], action=action, city="广州", signed_by="self")
