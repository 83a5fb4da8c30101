"""What is known of an order, as facts that add up to the same in any order. Pure. Source: domain.md 2.

A state is not moved by an event but follows from all facts known, so a fact that comes late never takes it back. (One
thing looks like it: a parcel that is learnt of after all known ones were signed. The order was not signed yet.) Of two
facts of one kind the earlier counts for *when*, the later for *how much*.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from schemas.envelope import Event
from schemas.order import (
    OrderClosed,
    OrderCompleted,
    OrderLine,
    OrderPaid,
    OrderPlaced,
    OrderPriceAdjusted,
    OrderShipped,
    OrderSigned,
)

State = Literal["unknown", "placed", "paid", "shipped", "signed", "completed", "closed"]
"""等待买家付款, 买家已付款, 卖家已发货, 已签收, 交易成功, 交易关闭. unknown: only mentioned yet (flag, case)."""

GOODS = 200
"""Characters of `goods`."""

Amount = tuple[datetime, int]
"""When it was said, and how much (fen)."""


class Parcel(Struct, frozen=True, omit_defaults=True):
    """partial: other lines follow in another parcel; None: its shipping is not known yet."""

    shipped: datetime | None = None
    partial: bool | None = None
    signed: datetime | None = None


class OrderLife(Struct, frozen=True, omit_defaults=True):
    """closed: the whole order; closed_lines: those that were closed alone. goods: what was ordered, in short."""

    placed: datetime | None = None
    paid: datetime | None = None
    completed: datetime | None = None
    closed: datetime | None = None
    total: Amount | None = None
    paid_fen: Amount | None = None
    parcels: Mapping[str, Parcel] = {}
    lines: tuple[str, ...] = ()
    closed_lines: Mapping[str, datetime] = {}
    goods: str = ""
    first: datetime | None = None
    last: datetime | None = None

    @property
    def state(self) -> State:
        """Completion and closing are both final; where both are told, the one that came first."""
        closed = self.closed_at
        if self.completed is not None and (closed is None or self.completed <= closed):
            return "completed"
        if closed is not None:
            return "closed"
        if self.signed_at is not None:
            return "signed"
        if self.parcels:
            return "shipped"
        if self.paid is not None:
            return "paid"
        return "unknown" if self.placed is None else "placed"

    @property
    def closed_at(self) -> datetime | None:
        """An order is closed as a whole, or with the last of its lines."""
        ends = [self.closed] if self.closed else []
        if self.lines and all(line in self.closed_lines for line in self.lines):
            ends.append(max(self.closed_lines[line] for line in self.lines))
        return min(ends, default=None)

    @property
    def shipped_at(self) -> datetime | None:
        """With the first parcel."""
        return min((parcel.shipped for parcel in self.parcels.values() if parcel.shipped), default=None)

    @property
    def signed_at(self) -> datetime | None:
        """With the last parcel; not while other lines are still to follow."""
        told = [parcel.partial for parcel in self.parcels.values() if parcel.partial is not None]
        signed = [parcel.signed for parcel in self.parcels.values()]
        if not signed or None in signed or (told and all(told)):
            return None
        return max(time for time in signed if time)


def with_event(life: OrderLife, event: Event[Any]) -> OrderLife:
    """The life with one more event about this order, whatever its type."""
    life = _told(life, event.data, event.time)
    return replace(
        life,
        first=_earlier(life.first, event.time),
        last=event.time if life.last is None else max(life.last, event.time),
    )


def _told(life: OrderLife, data: Any, time: datetime) -> OrderLife:
    match data:
        case OrderPlaced(lines=lines, total_fen=total):
            life = replace(life, total=_later(life.total, time, total))
            if life.placed is not None and life.placed <= time:
                return life
            return replace(life, placed=time, lines=tuple(line.line_id for line in lines), goods=_goods(lines))
        case OrderPriceAdjusted(total_fen=total):
            return replace(life, total=_later(life.total, time, total))
        case OrderPaid(paid_fen=paid):
            return replace(life, paid=_earlier(life.paid, time), paid_fen=_later(life.paid_fen, time, paid))
        case OrderShipped(parcel_id=name, partial=partial):
            parcel = life.parcels.get(name, Parcel())
            told = partial if parcel.partial is None else partial and parcel.partial
            return _with_parcel(life, name, replace(parcel, shipped=_earlier(parcel.shipped, time), partial=told))
        case OrderSigned(parcel_id=name):
            parcel = life.parcels.get(name, Parcel())
            return _with_parcel(life, name, replace(parcel, signed=_earlier(parcel.signed, time)))
        case OrderCompleted():
            return replace(life, completed=_earlier(life.completed, time))
        case OrderClosed(line_ids=None):
            return replace(life, closed=_earlier(life.closed, time))
        case OrderClosed(line_ids=lines):
            closed = {line: _earlier(life.closed_lines.get(line), time) for line in lines or ()}
            return replace(life, closed_lines={**life.closed_lines, **closed})
        case _:
            return life


def _with_parcel(life: OrderLife, name: str, parcel: Parcel) -> OrderLife:
    return replace(life, parcels={**life.parcels, name: parcel})


def _earlier(known: datetime | None, time: datetime) -> datetime:
    return time if known is None else min(known, time)


def _later(known: Amount | None, time: datetime, fen: int) -> Amount:
    return known if known is not None and known[0] > time else (time, fen)


def _goods(lines: tuple[OrderLine, ...]) -> str:
    """`短袖 x2, 袜子` with an ellipsis where it is cut."""
    text = ", ".join(line.title + (f" x{line.quantity}" if line.quantity > 1 else "") for line in lines)
    return text if len(text) <= GOODS else text[: GOODS - 1] + "…"
