"""The whole way: INBOX -> a translating process -> EVENTS -> a deciding process -> a projection."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.databases import Database
from tests.examples.services import ENDS, FACTS, REMIND, prepare
from tests.stack import stack_of

pytestmark = pytest.mark.integration


def said(fact: str, order: str, buyer: str = "b1", **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {"fact": fact, "order_id": order, "buyer": buyer, "time": now, "amount_fen": 100, **more}


async def test_a_fact_goes_all_the_way_and_a_second_feed_adds_nothing(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND, ENDS], database.dsn, bus_url) as stack:
        facts = [said(fact, f"o{n}", f"b{n % 7}") for n in range(40) for fact in ("placed", "paid")]
        await stack.publish("shop", "s1", "order", *facts)
        await stack.settled()
        first = await stack.rows("SELECT type, count(*) FROM ex_ends.seen GROUP BY 1 ORDER BY 1")
        await stack.publish("shop", "s1", "order", *facts)
        await stack.settled()
        assert [tuple(row) for row in first] == [
            ("care.proposed", 40),
            ("order.paid", 40),
            ("order.placed", 40),
        ]
        assert await stack.rows("SELECT type, count(*) FROM ex_ends.seen GROUP BY 1 ORDER BY 1") == first
        ends = await stack.rows("SELECT rank, paid_fen FROM ex_ends.order_end")
        assert [tuple(row) for row in ends] == [(2, 100)] * 40
