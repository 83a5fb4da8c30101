"""The main job on real input: 4,000 real orders, live, after a rebuild, and fed a second time."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from tests.databases import Database
from tests.examples import olist
from tests.examples.services import ENDS, FACTS, REMIND, prepare
from tests.stack import Stack, stack_of, until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not olist.DATA.is_dir(), reason=f"the data is not there: {olist.DATA}"),
]

TYPES = {
    "placed": "order.placed", "paid": "order.paid", "shipped": "order.shipped", "signed": "order.signed",
    "closed": "order.closed", "reviewed": "review.posted",
}  # fmt: skip


async def feed(stack: Stack, facts: list[dict[str, object]]) -> None:
    """Publish all, pipelined; each is acknowledged by JetStream before this returns."""
    js = stack.nats.jetstream()
    for start in range(0, len(facts), 500):
        page = [msgspec.json.encode(fact) for fact in facts[start : start + 500]]
        await asyncio.gather(*(js.publish(f"in.shop.{olist.SHOP}.order", payload, timeout=30) for payload in page))


async def ends(stack: Stack) -> dict[str, tuple[int, int, int, bool]]:
    rows = await stack.rows("SELECT order_id, rank, paid_fen, reviews, closed FROM ex_ends.order_end")
    return {row["order_id"]: tuple(row)[1:] for row in rows}


async def cares(stack: Stack) -> Counter[str]:
    rows = await stack.rows("SELECT type, about FROM ex_ends.seen WHERE type LIKE 'care.%'")
    return Counter(f"{row['type']} {row['about']}" for row in rows)


async def test_four_thousand_real_orders_end_as_plain_python_says(database: Database, bus_url: str) -> None:
    facts, expected = olist.facts(), olist.expected()
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND, ENDS], database.dsn, bus_url) as stack:
        await feed(stack, facts)
        await stack.settled(120)

        async def unpaid_are_looked_at() -> bool:
            found = await cares(stack)
            return all(f"care.suppressed unpaid_soft:{order}" in found for order in expected.left_unpaid)

        await until(unpaid_are_looked_at, "the ticks of orders that were never paid", 30)
        await stack.settled(60)
        live = await ends(stack)
        assert live == expected.order_ends
        counted = {row["type"]: row["count"] for row in await stack.rows(_COUNT)}
        assert {kind: counted[TYPES[kind]] for kind in expected.facts} == dict(expected.facts)

        found = await cares(stack)
        assert max(found.values()) == 1, "a care event was decided twice"
        thanked = {name.rpartition(":")[2] for name in found if ":payment_thanks:" in name}
        assert thanked == expected.thanked
        assert sum(":bad_review:" in name for name in found) == len(expected.bad_reviews)
        assert not any("care.proposed unpaid_soft" in name for name in found), "nobody is reminded of an old order"

        await feed(stack, facts)
        await stack.settled(120)
        assert {row["type"]: row["count"] for row in await stack.rows(_COUNT)} == counted
        assert await ends(stack) == live

        await rebuild(stack)
        assert await ends(stack) == live
        assert {row["type"]: row["count"] for row in await stack.rows(_COUNT)} == counted


_COUNT = "SELECT type, count(*) FROM ex_ends.seen GROUP BY 1"


async def rebuild(stack: Stack) -> Any:
    """Read the whole log again into empty tables."""
    await stack.stop(ENDS.name)
    await stack.rows("TRUNCATE ex_ends.seen, ex_ends.order_end")
    await stack.rows("UPDATE ex_ends.checkpoint SET seq = 0")
    await stack.start(ENDS)
    await stack.settled(120)
