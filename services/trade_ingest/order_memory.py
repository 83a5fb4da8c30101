"""What is remembered of one order: the state of `order_facts`, and the few ways in which it grows.

What has been told leaves nothing of a person in it: texts and addresses are digests, contact data is sealed. Only what
waits is kept whole, a memo too, until it is told.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr, replace

from schemas.buyer import BuyerContactStored
from schemas.flag import OrderFlagCleared, OrderFlagged
from schemas.order import OrderClosed
from schemas.refund import RefundKind
from schemas.subjects import NO_BUYER
from services.kernel.process import Fact
from services.kernel.vault import Deposit
from services.trade_ingest.identity import IDENTITIES, mark
from services.trade_ingest.stated import STATED

MOST_WAITING = 100
"""So many facts of an order wait at most; an order that is told of more often is no order. Own."""

MOST_KNOWN = 1_000
"""So much is known of an order at most (`OrderFacts.size`): 30 parcels of 30 scans each. The row is read and written
with every fact of the order, and so much is some 40 KB. Own.
"""

_TYPES: Mapping[str, type[Any]] = {
    struct.TYPE: struct for struct in (*IDENTITIES, *STATED, OrderFlagged, OrderFlagCleared, BuyerContactStored)
}


class Kept(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event that is not told yet, or a hint that waits.

    fact: the id of the fact behind it; recorded: when INBOX took that. aside: its message was parked, because no buyer
    was named in time; it is told all the same when one is.
    """

    type: str
    data: Any
    time: datetime
    fact: str
    recorded: datetime
    actor: str = ""
    deposit: Deposit | None = None
    aside: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.data, dict):  # read back from its row
            force_setattr(self, "data", msgspec.convert(self.data, _TYPES[self.type]))


class Said(Struct, frozen=True):
    """A value that was stated last: its instant, and the values stated of that instant, the last one in force."""

    at: datetime
    values: tuple[str, ...]

    @property
    def value(self) -> str:
        return self.values[-1]


class Price(Struct, frozen=True):
    """postage_fen, lines (a piece, by line): None where they are not known to belong to this total."""

    said: Said
    total_fen: int
    postage_fen: int | None = None
    lines: dict[str, int] | None = None


class Pushed(Struct, frozen=True):
    """The flag that our bridge was last asked to show. memo: its digest."""

    at: datetime
    code: str
    memo: str


class Parcel(Struct, frozen=True):
    """at: when it was shipped. line_ids: None: the whole order. partial: other lines follow in another parcel."""

    parcel_id: str
    at: datetime
    line_ids: tuple[str, ...] | None = None
    partial: bool = False


class Step(Struct, frozen=True):
    """A step of a refund that was stated. hinted: its message had no details, so its time is that message's own."""

    name: str
    at: datetime
    fee_fen: int
    hinted: bool = False


class Refund(Struct, frozen=True, kw_only=True):
    """A refund as its last statement (by its time) has it, and the steps that were stated."""

    at: datetime
    kind: RefundKind
    phase: Literal["onsale", "aftersale"]
    fee_fen: int
    freight_fen: int = 0
    line_ids: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


class OrderFacts(Struct, frozen=True, omit_defaults=True):
    """The memory of one order. A row of version 1 has `buyer` and `known` alone; one of version 2, no `parcel_ids`.

    buyer: whose lane the order is in, for ever; nick: the lane it may come to (`nick-...`), since nick_at.
    known: the marks of the facts that were stated, in that order. learnt: when INBOX took the last fact of the order.
    untold: events that wait for a lane. hints: statements that wait for their details.
    crowded: facts (id -> recorded) that came when MOST_WAITING were waiting, or MOST_KNOWN were known.
    line_ids: the order's lines; rows call them `lines`.
    memos: by `buyer` and `shop`, their digests; flag: the platform's code. platform: whose codes those are.
    parcels: those shipped, by id. parcel_ids: under which id a parcel is told, by any name of it.
    all_signed: when the whole order was received, if that was said.
    reviewed: the lines with a review; empty: a review of the order.
    """

    buyer: str = ""
    known: tuple[str, ...] = ()
    learnt: datetime | None = None
    nick: str = ""
    nick_at: datetime | None = None
    untold: tuple[Kept, ...] = ()
    hints: tuple[Kept, ...] = ()
    crowded: dict[str, datetime] = {}
    shop_kind: Literal["c_shop", "mall", ""] = ""
    line_ids: tuple[str, ...] = msgspec.field(default=(), name="lines")
    region: str = ""
    price: Price | None = None
    address: Said | None = None
    memos: dict[str, Said] = {}
    memo_version: int = 0
    flag: Said | None = None
    platform: str = ""
    pushed: Pushed | None = None
    parcels: dict[str, Parcel] = {}
    parcel_ids: dict[str, str] = {}
    all_signed: datetime | None = None
    refunds: dict[str, Refund] = {}
    reviewed: tuple[str, ...] = ()

    @property
    def is_placed(self) -> bool:
        return "order.placed" in self.known

    @property
    def is_paid(self) -> bool:
        return "order.paid" in self.known

    @property
    def is_shipped(self) -> bool:
        """At least one parcel is."""
        return any(known.startswith("order.shipped:") for known in self.known)

    @property
    def is_completed(self) -> bool:
        return "order.completed" in self.known

    @property
    def is_closed(self) -> bool:
        """The whole order, not some of its lines."""
        return _CLOSED in self.known

    @property
    def size(self) -> int:
        """How much is remembered for ever: all that grows with what is stated."""
        said = (self.price and self.price.said, self.address, self.flag, *self.memos.values())
        return (
            len(self.known)
            + len(self.parcels)
            + len(self.parcel_ids)
            + len(self.reviewed)
            + len((self.price and self.price.lines) or ())
            + sum(1 + len(refund.steps) for refund in self.refunds.values())
            + sum(len(one.values) for one in said if one)
        )


_CLOSED = mark(OrderClosed(order_id="-", reason="", paid=False), datetime.min)


def once(facts: OrderFacts, fact: Fact[Any], data: Any, deposit: Deposit | None = None) -> OrderFacts:
    """An event is to be told, unless it is known (`identity`)."""
    found = mark(data, fact.time)
    if found in facts.known:
        return facts
    return noted(replace(facts, known=(*facts.known, found)), fact, data, deposit)


def noted(facts: OrderFacts, fact: Fact[Any], data: Any, deposit: Deposit | None = None) -> OrderFacts:
    """An event is to be told: of the fact's time, and on its account."""
    return replace(facts, untold=(*facts.untold, _kept(fact, data, deposit)))


def put_by(facts: OrderFacts, hint: Fact[Any], *, timed: bool = True) -> OrderFacts:
    """A hint waits; a repetition waits with it. timed: it may be so again, and only its time tells it from that."""
    for kept in facts.hints:
        if kept.data == hint.data and (kept.time == hint.time or not timed):
            return facts
    return replace(facts, hints=(*facts.hints, _kept(hint, hint.data)))


def again(kept: Kept) -> Fact[Any]:
    """The fact that a hint was kept of, as it came."""
    return Fact(
        data=kept.data,
        shop="",
        buyer=NO_BUYER,
        time=kept.time,
        id=kept.fact,
        actor=kept.actor,
        recordedtime=kept.recorded,
    )


def newer(last: Said | None, value: str, time: datetime) -> Said | None:
    """What is known of a value after this statement of it; None where it is late, or was said of that instant before.

    Of two values of one instant the one heard last is in force: platforms count in seconds.
    """
    if last is None or time > last.at:
        return Said(time, (value,))
    if time == last.at and value not in last.values:
        return Said(time, (*last.values, value))
    return None


def recorded(fact: Fact[Any]) -> datetime:
    return fact.recordedtime or fact.time


def _kept(fact: Fact[Any], data: Any, deposit: Deposit | None = None) -> Kept:
    return Kept(
        type=data.TYPE,
        data=data,
        time=fact.time,
        fact=fact.id,
        recorded=recorded(fact),
        actor=fact.actor,
        deposit=deposit,
    )
