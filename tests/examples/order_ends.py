"""Order ends: each order's last known state, and every event as it was seen (so that nothing can hide)."""

from collections.abc import Sequence
from typing import Any

from schemas.codec import about
from schemas.envelope import Event
from schemas.order import OrderClosed, OrderPaid, OrderPlaced, OrderShipped, OrderSigned
from schemas.review import ReviewPosted
from schemas.subjects import partition
from services.kernel.projection import Projection
from services.kernel.store import Connection

TABLES = """
CREATE TABLE order_end (
    shop text NOT NULL, buyer text NOT NULL, order_id text NOT NULL,
    rank int NOT NULL DEFAULT 0, paid_fen bigint NOT NULL DEFAULT 0, reviews int NOT NULL DEFAULT 0,
    closed bool NOT NULL DEFAULT false,
    PRIMARY KEY (shop, buyer, order_id)
);
CREATE TABLE seen (
    place bigint GENERATED ALWAYS AS IDENTITY, seq bigint NOT NULL, id text NOT NULL, type text NOT NULL,
    partition int NOT NULL, shop text NOT NULL, buyer text NOT NULL, about text NOT NULL, time timestamptz NOT NULL,
    recorded timestamptz NOT NULL
);
"""

_SEEN = """
INSERT INTO seen (seq, id, type, partition, shop, buyer, about, time, recorded)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[],
                     $8::timestamptz[], $9::timestamptz[])
"""
_END = """
INSERT INTO order_end AS o (shop, buyer, order_id, rank, paid_fen, reviews, closed)
SELECT shop, buyer, order_id, max(rank), sum(paid_fen), sum(reviews), bool_or(closed)
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::int[], $7::bool[])
     AS n (shop, buyer, order_id, rank, paid_fen, reviews, closed)
GROUP BY shop, buyer, order_id ORDER BY shop, buyer, order_id
ON CONFLICT (shop, buyer, order_id) DO UPDATE SET
    rank = greatest(o.rank, excluded.rank), paid_fen = o.paid_fen + excluded.paid_fen,
    reviews = o.reviews + excluded.reviews, closed = o.closed OR excluded.closed
"""


async def apply(connection: Connection, events: Sequence[Event[Any]]) -> None:
    seen = [
        (
            e.seq,
            e.id,
            e.data.TYPE,
            partition(e.shop, e.buyer),
            e.shop,
            e.buyer,
            about(e),
            e.time,
            e.recordedtime,
        )
        for e in events
    ]
    await connection.execute(_SEEN, *map(list, zip(*seen, strict=True)))
    ends = [row for e in events if (row := _end(e))]
    if ends:
        await connection.execute(_END, *map(list, zip(*ends, strict=True)))


def _end(event: Event[Any]) -> tuple[Any, ...] | None:
    place = (event.shop, event.buyer)
    match event.data:
        case OrderPlaced(order_id=order):
            return (*place, order, 1, 0, 0, False)
        case OrderPaid(order_id=order, paid_fen=paid):
            return (*place, order, 2, paid, 0, False)
        case OrderShipped(order_id=order):
            return (*place, order, 3, 0, 0, False)
        case OrderSigned(order_id=order):
            return (*place, order, 4, 0, 0, False)
        case OrderClosed(order_id=order):
            return (*place, order, 0, 0, 0, True)
        case ReviewPosted(order_id=order):
            return (*place, order, 0, 0, 1, False)
        case _:
            return None


PROJECTION = Projection(name="order_ends", version=1, apply=apply)
