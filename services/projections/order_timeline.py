"""Order timeline: where each order of a shop stands, and all that happened about it.

| query | data | rows |
| --- | --- | --- |
| `order_timeline.order` | OneOrder | one OrderPage: where it stands, and a page of its events in order of time |
| `order_timeline.of_buyer` | OneBuyer | OrderState, the newest order first |

An order is a row of its buyer's lane. A batch is folded order by order in memory: read, add, write, one statement each.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from schemas.case import CaseOpened, CaseProposed
from schemas.catalogue import EVENTS
from schemas.codec import entity
from schemas.envelope import Answer, Event, Query
from schemas.types import BuyerId, Id
from services.kernel.projection import Projection
from services.kernel.queries import QuerySpec
from services.kernel.store import Connection
from services.projections.order_life import OrderLife, State, with_event
from services.projections.paging import cursor, page_of, position
from services.projections.summaries import summary

_ENTITIES = frozenset({"order", "review", "refund", "care", "case"})
_NAMING_AN_ORDER = frozenset(
    struct
    for kind, struct in EVENTS.items()
    if entity(kind) in _ENTITIES and "order_id" in getattr(struct, "__struct_fields__", ())
)
_OF_A_CASE = frozenset(struct for kind, struct in EVENTS.items() if entity(kind) == "case")

_decode = msgspec.json.Decoder(OrderLife).decode
_encode = msgspec.json.Encoder().encode

Key = tuple[str, str, str]
"""(shop, buyer, order or case)."""


class OneOrder(Struct, frozen=True, kw_only=True):
    """buyer: whose lane, should an order id be in several; by default the one touched last."""

    order_id: Id
    buyer: BuyerId | None = None


class OneBuyer(Struct, frozen=True, kw_only=True):
    buyer: BuyerId


class OrderState(Struct, frozen=True, kw_only=True):
    """Where an order stands. shipped_at: the first parcel; signed_at: the last. lines, goods: as they were placed.

    total_fen, paid_fen: as last told, None while unknown. first_at, last_at: of all that is known about it.
    """

    shop: str
    buyer: str
    order_id: str
    state: State
    placed_at: datetime | None
    paid_at: datetime | None
    shipped_at: datetime | None
    signed_at: datetime | None
    completed_at: datetime | None
    closed_at: datetime | None
    total_fen: int | None
    paid_fen: int | None
    parcels: int
    lines: int
    goods: str
    first_at: datetime
    last_at: datetime


class OrderEvent(Struct, frozen=True, kw_only=True):
    """time: when it happened; recorded: when the log took it, as its message `seq`."""

    time: datetime
    recorded: datetime
    seq: int
    event_id: str
    type: str
    summary: str


class OrderPage(Struct, frozen=True, kw_only=True):
    order: OrderState
    events: list[OrderEvent]


_ADD_CASES = """
INSERT INTO order_case (shop, buyer, case_id, order_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
ON CONFLICT (shop, buyer, case_id) DO UPDATE SET order_id = excluded.order_id
"""
_CASES = """
SELECT c.* FROM order_case c
JOIN unnest($1::text[], $2::text[], $3::text[]) AS n (shop, buyer, case_id) USING (shop, buyer, case_id)
"""
_ADD_EVENTS = """
INSERT INTO order_event (shop, buyer, order_id, time, seq, recorded, event_id, type, summary)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::timestamptz[],
                     $7::text[], $8::text[], $9::text[])
"""
_KNOWN = """
SELECT o.shop, o.buyer, o.order_id, o.known FROM order_state o
JOIN unnest($1::text[], $2::text[], $3::text[]) AS n (shop, buyer, order_id) USING (shop, buyer, order_id)
"""
_PUT = """
INSERT INTO order_state (shop, buyer, order_id, state, placed_at, paid_at, shipped_at, signed_at, completed_at,
                         closed_at, total_fen, paid_fen, parcels, lines, goods, first_at, last_at, known, made)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                     $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::bigint[],
                     $12::bigint[], $13::int[], $14::int[], $15::text[], $16::timestamptz[], $17::timestamptz[],
                     $18::bytea[], $19::bigint[])
ON CONFLICT (shop, buyer, order_id) DO UPDATE SET
    state = excluded.state, placed_at = excluded.placed_at, paid_at = excluded.paid_at,
    shipped_at = excluded.shipped_at, signed_at = excluded.signed_at, completed_at = excluded.completed_at,
    closed_at = excluded.closed_at, total_fen = excluded.total_fen, paid_fen = excluded.paid_fen,
    parcels = excluded.parcels, lines = excluded.lines, goods = excluded.goods, first_at = excluded.first_at,
    last_at = excluded.last_at, known = excluded.known
"""


async def apply(connection: Connection, events: Sequence[Event[Any]]) -> None:
    mine = await _with_orders(connection, events)
    if not mine:
        return
    rows = [
        (*key, e.time, e.seq, e.recordedtime, e.id, e.data.TYPE, summary(e.data))
        for key, e in mine
    ]  # fmt: skip
    await connection.execute(_ADD_EVENTS, *_columns(rows))
    made: dict[Key, int] = {}
    for key, event in mine:
        made.setdefault(key, event.seq)
    lives = {
        (row["shop"], row["buyer"], row["order_id"]): _decode(row["known"])
        for row in await connection.fetch(_KNOWN, *_columns(sorted(made)))
    }
    for key, event in mine:
        lives[key] = with_event(lives.get(key, OrderLife()), event)
    await connection.execute(_PUT, *_columns([_row(key, lives[key], seq) for key, seq in sorted(made.items())]))


async def _with_orders(connection: Connection, events: Sequence[Event[Any]]) -> list[tuple[Key, Event[Any]]]:
    """The events that are about an order, with it: those that name it, and those of a case that named it before."""
    cases = [event for event in events if type(event.data) in _OF_A_CASE]
    orders = await _orders_of(connection, cases) if cases else {}
    found: list[tuple[Key, Event[Any]]] = []
    for event in events:
        data = event.data
        order = data.order_id if type(data) in _NAMING_AN_ORDER else None
        if order is None and type(data) in _OF_A_CASE:
            order = orders.get((event.shop, event.buyer, data.case_id))
        if order is not None:
            found.append(((event.shop, event.buyer, order), event))
    return found


async def _orders_of(connection: Connection, events: Sequence[Event[Any]]) -> dict[Key, str]:
    """Case -> its order, once what these events say of it is written down."""
    told = {
        (event.shop, event.buyer, event.data.case_id): event.data.order_id
        for event in events
        if isinstance(event.data, CaseProposed | CaseOpened) and event.data.order_id is not None
    }
    if told:
        await connection.execute(_ADD_CASES, *_columns([(*case, order) for case, order in sorted(told.items())]))
    asked = {(event.shop, event.buyer, event.data.case_id) for event in events} - told.keys()
    if asked:
        rows = await connection.fetch(_CASES, *_columns(sorted(asked)))
        told |= {(row["shop"], row["buyer"], row["case_id"]): row["order_id"] for row in rows}
    return told


def _row(key: Key, life: OrderLife, seq: int) -> tuple[Any, ...]:
    return (
        *key, life.state, life.placed, life.paid, life.shipped_at, life.signed_at, life.completed, life.closed_at,
        life.total and life.total[1], life.paid_fen and life.paid_fen[1], len(life.parcels), len(life.lines),
        life.goods, life.first, life.last, _encode(life), seq,
    )  # fmt: skip


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


_STATE = "SELECT " + ", ".join(OrderState.__struct_fields__) + ", made FROM order_state "
_ONE = _STATE + "WHERE shop = $1 AND order_id = $2 AND ($3::text IS NULL OR buyer = $3) ORDER BY last_at DESC LIMIT 1"
_EVENTS = """
SELECT time, recorded, seq, event_id, type, summary FROM order_event
WHERE shop = $1 AND buyer = $2 AND order_id = $3 AND ($4::timestamptz IS NULL OR (time, seq) > ($4, $5::bigint))
ORDER BY time, seq LIMIT $6
"""
_OF_BUYER = (
    _STATE
    + """
WHERE shop = $1 AND buyer = $2 AND ($3::timestamptz IS NULL OR (first_at, made) < ($3, $4::bigint))
ORDER BY first_at DESC, made DESC LIMIT $5
"""
)


async def one_order(connection: Connection, query: Query[OneOrder]) -> Answer:
    """No rows where nothing is known of the order. Each page repeats where it stands. Raises DecodeError."""
    place = position(query.cursor) or (None, None)
    found = await connection.fetchrow(_ONE, query.shop, query.data.order_id, query.data.buyer)
    if found is None:
        return Answer(rows=[])
    key = (query.shop, found["buyer"], query.data.order_id)
    rows = await connection.fetch(_EVENTS, *key, *place, query.limit + 1)
    events = page_of([OrderEvent(**row) for row in rows], query.limit)
    more = cursor(events[-1].time, events[-1].seq) if len(rows) > len(events) else ""
    return Answer(rows=[OrderPage(order=_state(found), events=events)], next_cursor=more)


async def orders_of_buyer(connection: Connection, query: Query[OneBuyer]) -> Answer:
    """Raises DecodeError."""
    place = position(query.cursor) or (None, None)
    rows = await connection.fetch(_OF_BUYER, query.shop, query.data.buyer, *place, query.limit + 1)
    page = page_of([_state(row) for row in rows], query.limit)
    last = rows[len(page) - 1] if len(rows) > len(page) else None
    return Answer(rows=page, next_cursor=cursor(last["first_at"], last["made"]) if last else "")


def _state(row: Any) -> OrderState:
    return OrderState(**{name: row[name] for name in OrderState.__struct_fields__})


PROJECTION = Projection(name="order_timeline", version=1, apply=apply)
QUERIES = (
    QuerySpec(model="order_timeline", name="order", data=OneOrder, ask=one_order),
    QuerySpec(model="order_timeline", name="of_buyer", data=OneBuyer, ask=orders_of_buyer),
)
