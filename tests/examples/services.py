"""The examples as three services, and what their database needs."""

from typing import Any

import asyncpg
from msgspec import Struct

from schemas.commands.care_notifier import CancelCare
from schemas.envelope import Answer, Command, Query
from services.kernel.commands import CommandSpec
from services.kernel.process import process_of
from services.kernel.queries import QuerySpec
from services.kernel.service import Service
from services.kernel.store import Connection
from tests.examples import order_ends, order_facts, reminder


class OneBuyer(Struct, frozen=True):
    buyer: str


async def _story_of_care(connection: Connection, command: Command[CancelCare]) -> tuple[str, str, str] | None:
    buyer, colon, _ = command.data.care_id.partition(":")
    return (command.shop, buyer, buyer) if colon else None


async def _orders(connection: Connection, query: Query[OneBuyer]) -> Answer:
    rows = await connection.fetch(
        "SELECT order_id, rank, paid_fen FROM order_end WHERE shop = $1 AND buyer = $2 ORDER BY order_id LIMIT $3",
        query.shop,
        query.data.buyer,
        query.limit,
    )
    return Answer(rows=[dict(row) for row in rows])


FACTS = Service(
    name="ex_facts",
    processes=[process_of(order_facts)],
    sources={"shop": order_facts.translate},
    reads_events=False,
)
REMIND = Service(
    name="ex_remind",
    processes=[process_of(reminder)],
    commands=[CommandSpec(name="cancel_care", data=CancelCare, process="reminder", locate=_story_of_care)],
)
ENDS = Service(
    name="ex_ends",
    projections=[order_ends.PROJECTION],
    queries=[QuerySpec(model="order_ends", name="of_buyer", data=OneBuyer, ask=_orders)],
)
SERVICES: dict[str, Service] = {service.name: service for service in (FACTS, REMIND, ENDS)}


async def prepare(dsn: str) -> None:
    """Make the examples' schemas and tables in a migrated database."""
    connection: Any = await asyncpg.connect(dsn)
    try:
        for service in SERVICES.values():
            await connection.execute(f"CALL public.create_service('{service.name}')")
        await connection.execute(f"SET search_path = {ENDS.name}; {order_ends.TABLES}")
    finally:
        await connection.close()
