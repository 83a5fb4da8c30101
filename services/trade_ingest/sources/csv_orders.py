"""`in.csv.<shop>.orders`: one order of an export (exports/record.py) -> the facts that its rows state. Pure.

A fact is stated only when everything it is made of can be read: an unreadable price holds back `order.placed`, whose
total it is part of, and nothing else; the sender mends the row and imports again. Each unreadable cell is refused
once, with its file, row and field and what it holds back.

Facts come in the order of time, those of one instant in the order of an order's life.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from schemas.envelope import EventData
from schemas.order import (
    OrderClosed,
    OrderCompleted,
    OrderLine,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    OrderSigned,
    Quantity,
)
from schemas.review import Rating, ReviewPosted, Score
from schemas.strict import DecodeError, decode_typed
from schemas.types import MAX_ITEMS, BuyerId, Fen, Short, Text
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.exports.cells import Cells, Fault, Unreadable, each, reads_times
from services.trade_ingest.exports.record import OrderRecord, Row

T = TypeVar("T")

_record = msgspec.json.Decoder(OrderRecord)


class Order(Struct, frozen=True, kw_only=True):
    """The cells of one record; `row` is the order's own."""

    row: Cells
    buyers: Sequence[Cells]
    lines: Sequence[Cells]
    payments: Sequence[Cells]

    @property
    def id(self) -> str:
        return self.row.must("order_id", self.row.id("order_id"))


Told = tuple[datetime, EventData]


def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    match raw.kind:
        case "orders":
            return list(_orders(raw))
        case "chat":
            return ()
        case _:
            return [Refused("kind: in.csv.<shop>.<kind> has the kind orders", "kind")]


def _orders(raw: RawFact) -> Iterator[Fact[Any] | Refused]:
    try:
        record = decode_typed(_record, raw.payload, "orders record")
        zone = ZoneInfo(record.rules.time_zone)
    except DecodeError as error:
        yield Refused(str(error).partition(": Invalid enum value")[0], error.field)
        return
    except (LookupError, ValueError, OSError):
        yield Refused("orders record: a time zone that is not known", "rules.time_zone")
        return
    if not reads_times(record.rules.time_format):
        yield Refused("orders record: a time format that does not say day, hour and minute", "rules.time_format")
        return

    def cells(rows: Sequence[Row]) -> Sequence[Cells]:
        return [Cells(row, record.rules, zone, raw.recorded) for row in rows]

    faults: dict[Fault, list[str]] = {}
    if not record.orders:
        for row in cells((*record.lines, *record.payments, *record.reviews, *record.buyers)):
            faults[_stray(row)] = []
    else:
        order = Order(
            row=cells(record.orders)[0],
            buyers=cells(record.buyers),
            lines=cells(record.lines),
            payments=cells(record.payments),
        )
        for row in record.orders[1:]:
            if row.fields != order.row.row.fields:
                faults[Fault(row.place, "order_id", "another row of this order says otherwise")] = []
        for buyer, (time, data) in _told(order, cells(record.reviews), faults):
            yield Fact(data=data, shop=raw.shop, buyer=buyer, time=time)
    for fault, held in faults.items():
        because = f"; because of it not stated: {', '.join(held)}" if held else ""
        yield Refused(f"{fault.field or 'row'}: {fault.reason}{because}", fault.field, fault.place)


def _told(order: Order, reviews: Sequence[Cells], faults: dict[Fault, list[str]]) -> list[tuple[str, Told]]:
    """What can be stated, sorted, each with its buyer; what cannot goes into faults -> types held back."""
    found: list[tuple[str, Told]] = []

    def attempt(kind: type[Any], read: Callable[[], Told | None]) -> None:
        try:
            if told := read():
                found.append((_buyer(order), told))
        except Unreadable as error:
            for fault in error.faults:
                faults.setdefault(fault, []).append(kind.TYPE)

    for kind, read in _LIFE.items():
        attempt(kind, lambda read=read: read(order))
    for review in reviews:
        attempt(ReviewPosted, lambda review=review: _posted(order, review))
    return sorted(found, key=lambda one: one[1][0])  # stable: those of one instant stay in the order of _LIFE


def _placed(order: Order) -> Told:
    row = order.row
    time = row.must("placed", row.time("placed"))
    lines, total, postage = _lines(order)
    data = OrderPlaced(
        order_id=order.id,
        platform=row.rules.platform,
        shop_kind=row.rules.shop_kind,
        lines=tuple(lines),
        total_fen=total,
        postage_fen=postage,
        region=row.text("region", Short) or "",
    )
    return time, data


def _paid(order: Order) -> Told | None:
    if (time := order.row.time("paid")) is None:
        return None
    payment = order.row.fen("payment")
    if payment is None:
        payment = _payments(order) if order.payments else _lines(order)[1]
    return time, OrderPaid(order_id=order.id, paid_fen=payment)


def _shipped(order: Order) -> Told | None:
    row = order.row
    if (time := row.time("shipped")) is None:
        return None
    parcel, carrier = _parcel(order), row.text("carrier", Short) or ""
    waybill = row.id("waybill") or parcel
    return time, OrderShipped(order_id=order.id, parcel_id=parcel, carrier=carrier, waybill=waybill)


def _signed(order: Order) -> Told | None:
    row = order.row
    if (time := row.time("signed")) is None:
        return None
    by = row.choice("signed_by", Literal["self", "station", "locker", "other"]) or "other"
    return time, OrderSigned(order_id=order.id, parcel_id=_parcel(order), by=by)


def _closed(order: Order) -> Told | None:
    row = order.row
    status = row.text("status", Short)
    reason = row.rules.closed_statuses.get(status or "")
    if reason is None:
        if status is not None and status not in row.rules.open_statuses:
            raise row.wrong("status", "a status that the rules do not name")
        return None
    times = {field: row.time(field) for field in ("placed", "paid", "shipped", "signed")}
    last = row.time("closed") or max((time for time in times.values() if time), default=None)
    paid = times["paid"] is not None
    return row.must("closed", last), OrderClosed(order_id=order.id, reason=reason, paid=paid)


def _completed(order: Order) -> Told | None:
    row = order.row
    if (time := row.time("completed")) is None:
        return None
    cause = row.must("completed_cause", row.choice("completed_cause", Literal["buyer", "automatic"]))
    return time, OrderCompleted(order_id=order.id, cause=cause)


_LIFE: dict[type[Any], Callable[[Order], Told | None]] = {
    OrderPlaced: _placed,
    OrderPaid: _paid,
    OrderShipped: _shipped,
    OrderSigned: _signed,
    OrderClosed: _closed,
    OrderCompleted: _completed,
}


def _posted(order: Order, review: Cells) -> Told:
    score = review.must("score", review.whole("score", Score))
    said = "\n".join(filter(None, (review.text("title", Short), review.text("text", Text))))
    data = ReviewPosted(
        review_id=review.must("review_id", review.id("review_id")),
        order_id=order.id,
        line_id=review.id("line_id"),
        rating=rating(score),
        score=score,
        text=_within(review, "text", Text, said) if said else None,
    )
    return review.must("posted", review.time("posted")), data


def rating(score: int) -> Rating:
    """Stars as 好评, 中评, 差评: 4 and 5 good, 3 neutral, 1 and 2 bad."""
    return "good" if score >= 4 else "neutral" if score == 3 else "bad"


def _lines(order: Order) -> tuple[Sequence[OrderLine], int, int]:
    """The lines, and total and postage in fen.

    What the order's own row does not say is summed from its lines; of an order without lines the total is what was
    paid for it.
    """
    row = order.row
    if len(order.lines) > MAX_ITEMS:
        raise row.wrong("order_id", f"an order of more than {MAX_ITEMS} lines")
    lines = each(order.lines, _line)
    postage = row.fen("postage")
    if postage is None:
        postage = sum(each(order.lines, lambda line: line.fen("postage") or 0))
    total = row.fen("total")
    if total is None and lines:
        total = sum(line.quantity * line.price_fen for line in lines) + postage
    elif total is None:
        total = _payments(order)
    return lines, _within(row, "total", Fen, total), _within(row, "postage", Fen, postage)


def _line(line: Cells) -> OrderLine:
    return OrderLine(
        line_id=line.must("line_id", line.id("line_id")),
        sku=line.must("sku", line.id("sku")),
        title=line.text("title", Short) or "",
        quantity=line.must("quantity", line.whole("quantity", Quantity)),
        price_fen=line.must("price", line.fen("price")),
    )


def _payments(order: Order) -> int:
    paid = sum(each(order.payments, lambda payment: payment.must("amount", payment.fen("amount"))))
    return _within(order.row, "payment", Fen, paid)


def _parcel(order: Order) -> str:
    """An export without parcels has one a order, under the order's id."""
    return order.row.id("parcel_id") or order.id


def _buyer(order: Order) -> str:
    row = order.row
    if named := row.id("buyer_id", BuyerId):
        return named
    found = set(each(order.buyers, lambda buyer: buyer.must("buyer_id", buyer.id("buyer_id", BuyerId))))
    if len(found) > 1:
        raise row.wrong("buyer_key", "several buyers have this key")
    return row.must("buyer_key" if "buyer_key" in row.row.fields else "buyer_id", next(iter(found), None))


def _stray(row: Cells) -> Fault:
    try:
        row.must("order_id", row.id("order_id"))
    except Unreadable as error:
        return error.faults[0]
    return Fault(row.row.place, "order_id", "no order of this export has this id")


def _within(row: Cells, field: str, type: Any, value: T) -> T:
    """What was put together from several cells must fit the contract as well."""
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as error:
        raise row.wrong(field, str(error)) from None
