"""The whole desk on real input: 4,000 orders imported through the CLI into all five services."""

from collections import Counter
from typing import Any

import pytest

from schemas.codec import decode
from services.cli import registry
from services.kernel import bus
from services.kernel.history import history
from services.kernel.reader import message_of
from tests.carebus import at, carebus
from tests.databases import Database
from tests.examples import olist
from tests.integration.test_olist import TYPES
from tests.stack import Stack, stack_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not olist.DATA.is_dir(), reason=f"the data is not there: {olist.DATA}"),
]

STATES = {1: "placed", 2: "paid", 3: "shipped", 4: "signed"}
"""The rank of an order in `olist.expected` -> its state."""

_TIMELINE = "SELECT type, count(*) FROM projections.order_event GROUP BY type"
_STATES = "SELECT order_id, state, paid_fen FROM projections.order_state"


async def events_by_type(stack: Stack) -> Counter[str]:
    messages = [message_of(bus.EVENTS, msg) async for msg in history(stack.nats, bus.EVENTS, "evt.>")]
    return Counter(decode(message.payload).data.TYPE for message in messages)


async def timeline(stack: Stack) -> Counter[str]:
    return Counter({row["type"]: row["count"] for row in await stack.rows(_TIMELINE)})


async def test_an_import_is_the_same_in_the_export_the_log_and_the_timeline_and_contacts_nobody(
    database: Database, bus_url: str
) -> None:
    expected = olist.expected()
    facts = Counter({TYPES[fact]: count for fact, count in expected.facts.items()})
    services = [registry.service(name) for name in registry.NAMES]
    async with stack_of(services, database.dsn, bus_url) as stack:
        for _ in range(2):  # the second import adds none
            await imported(database, bus_url)
            await stack.settled(120)
            log, rows = await events_by_type(stack), await timeline(stack)
            assert {kind: log[kind] for kind in facts} == facts
            assert rows == log, "every event of this log is about an order"
            assert log["care.sent"] == log["care.requested"] == 0
            asking = sum(facts[kind] for kind in _ASKING) - _signed_before_shipped()
            assert log["care.proposed"] == log["care.suppressed"] == asking
            assert log["case.opened"] == 0, "last year's bad reviews are no cases of today"
        found: list[Any] = await stack.rows(_STATES)
        assert not await stack.rows("SELECT FROM trade_ingest.parked")
    ends = expected.order_ends
    assert {row["order_id"]: row["state"] for row in found} == {
        order: "closed" if closed else STATES[rank] for order, (rank, _, _, closed) in ends.items()
    }
    assert {row["order_id"]: row["paid_fen"] or 0 for row in found} == {order: end[1] for order, end in ends.items()}


_ASKING = ("order.paid", "order.shipped", "order.signed")
"""What a buyer is told of (domain.md 4): payment_thanks, shipped, signed."""


def _signed_before_shipped() -> int:
    """Orders whose export says so: of their shipping nobody is told, the parcel is there."""
    times: dict[tuple[object, object], str] = {(f["order_id"], f["fact"]): str(f["time"]) for f in olist.facts()}
    orders = {order for order, _ in times}
    return sum(times.get((o, "shipped"), "") > times.get((o, "signed"), "~") for o in orders)


async def imported(database: Database, bus_url: str) -> None:
    command = ("import", "orders", str(olist.DATA), "--mapping", "olist", "--json")
    status, _, err = await carebus(*command, **at(database.dsn, bus_url))
    assert status == 0, err
