"""Which lines of a snapshot were sent, in which parcels, and when. Source: domain.md 2, Several parcels."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from services.kernel.fields import Fields
from services.trade_ingest.sources.taobao.states import TRADE_STATES, TradeState


class Parcel(Struct, frozen=True, kw_only=True):
    """waybill: None where lines are shown as shipped without one. time: when the first line went, if that is told."""

    waybill: str | None
    carrier: str
    line_ids: tuple[str, ...]
    time: datetime | None


def sent(lines: Iterable[Fields], order: TradeState, trade: Fields) -> Iterator[Parcel]:
    """The parcels, in the order of the lines. Raises Unreadable."""
    parcels: dict[str | None, list[Fields]] = {}
    for line in lines:
        if _was_sent(line, order, trade):
            parcels.setdefault(line.id("invoice_no"), []).append(line)
    for waybill, inside in parcels.items():
        times = [time for line in inside if (time := _time(line, trade))]
        yield Parcel(
            waybill=waybill,
            carrier=next((name for line in inside if (name := line.text("logistics_company"))), ""),
            line_ids=tuple(line.must("oid", line.id("oid")) for line in inside),
            time=min(times, default=None),
        )


def still_to_send(lines: Iterable[Fields], order: TradeState) -> bool:
    """Whether a line is left that is neither sent nor closed."""
    return any(not (state.shipped or state.closed) for line in lines if (state := _state(line, order)))


def last_shipped(lines: Sequence[Fields], trade: Fields) -> datetime | None:
    return max((time for place in (trade, *lines) if (time := place.local("consign_time"))), default=None)


def _was_sent(line: Fields, order: TradeState, trade: Fields) -> bool:
    """A closed line was sent before if it has a waybill and a time; a waybill alone may be a label printed early."""
    state = _state(line, order)
    return state.shipped or (state.closed and "invoice_no" in line and _time(line, trade) is not None)


def _state(line: Fields, order: TradeState) -> TradeState:
    return line.choice("status", TRADE_STATES) or order


def _time(line: Fields, trade: Fields) -> datetime | None:
    return line.local("consign_time") or trade.local("consign_time")
