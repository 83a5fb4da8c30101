"""What is measured: one small process, one small projection, and a log to read."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from schemas import subjects
from schemas.care import CareProposed
from schemas.codec import encode
from schemas.commands.care_notifier import CancelCare
from schemas.envelope import Command, Event, Rejected
from schemas.order import OrderPaid
from services.kernel.commands import CommandSpec
from services.kernel.ids import unique
from services.kernel.process import Process
from services.kernel.projection import Projection
from services.kernel.service import Service
from services.kernel.store import Connection

SHOP = "bench"
BUYERS = 5_000
EVENTS = int(os.environ.get("BENCH_EVENTS", "60000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
RATE = 500
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

TABLES = """
CREATE TABLE line (
    seq bigint, id text, type text, shop text, buyer text, order_id text, fen bigint, at timestamptz
)
"""
INSERT = """
INSERT INTO line SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                                      $7::bigint[], $8::timestamptz[])
"""


class Tally(Struct, frozen=True):
    """How often and how much a buyer has paid."""

    paid: int = 0
    fen: int = 0
    thanked: int = 0


def key(event: Any) -> str | None:
    return event.buyer if isinstance(event.data, OrderPaid | CareProposed) else None


def evolve(tally: Tally, event: Any) -> Tally:
    if isinstance(event.data, OrderPaid):
        return replace(tally, paid=tally.paid + 1, fen=tally.fen + event.data.paid_fen)
    return replace(tally, thanked=tally.thanked + 1)


def thanks(order: str, now: datetime) -> CareProposed:
    return CareProposed(
        care_id=f"thanks:{order}",
        kind="payment_thanks",
        order_id=order,
        marketing=False,
        template="payment_thanks",
        not_before=now,
        expires_at=now,
    )


def decide(tally: Tally, cause: Any, now: datetime, policy: Any) -> Iterable[Any]:
    match cause:
        case Event(data=OrderPaid(order_id=order)):
            yield thanks(order, now)
        case Command(data=CancelCare(care_id=care)):
            yield thanks(care, now) if tally.paid >= 0 else Rejected(code="never", message="")
        case _:
            return


TALLY = Process(
    name="tally", version=1, state=Tally, key=key, evolve=evolve, decide=decide, due=lambda state, policy: None
)


def rows(events: Sequence[Event[Any]]) -> list[list[Any]]:
    """The columns of a bulk insert."""
    found = [
        (e.seq, e.id, e.data.TYPE, e.shop, e.buyer, e.data.order_id, getattr(e.data, "paid_fen", 0), e.time)
        for e in events
    ]
    return [list(column) for column in zip(*found, strict=True)]


async def apply(connection: Connection, events: Sequence[Event[Any]]) -> None:
    await connection.execute(INSERT, *rows(events))


async def _by_care(connection: Connection, command: Command[CancelCare]) -> tuple[str, str, str]:
    buyer = command.data.care_id.partition(":")[0]
    return (command.shop, buyer, buyer)


LINES = Service(name="bench_lines", projections=[Projection(name="lines", version=1, apply=apply)])
TALLIES = Service(
    name="bench_tally",
    processes=[TALLY],
    commands=[CommandSpec(name="cancel_care", data=CancelCare, process="tally", locate=_by_care)],
)


def paid(number: int) -> Event[Any]:
    """One event of about 350 bytes."""
    data = OrderPaid(order_id=f"4010{number:014}", paid_fen=2980 + number % 1000)
    return Event(
        data=data,
        shop=SHOP,
        buyer=f"buyer{number % BUYERS:05}",
        time=NOW,
        id=f"{number:032x}",
        source="bench",
        correlationid=f"in:{number}:0",
        causationid=f"in:{number}:0",
        basis=f"in:{number}",
    )


async def prepare(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for name in ("bench_lines", "bench_tally", "bench_tally2", "bench_lines2", "bench_lines3"):
            await connection.execute(f"CALL public.create_service('{name}')")
            await connection.execute(f"SET search_path = {name}; {TABLES}")
    finally:
        await connection.close()


async def fill(nats: Any, count: int, start: int = 0) -> None:
    """Put `count` events into the log, in atomic batches."""
    for first in range(start, start + count, 1000):
        numbers = range(first, min(first + 1000, start + count))
        batch = unique()
        for place, number in enumerate(numbers, 1):
            event = paid(number)
            subject = subjects.event(event.shop, event.buyer, "order")
            headers = {"Nats-Msg-Id": event.id, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)}
            if place < len(numbers):
                await nats.publish(subject, encode(event), headers=headers)
            else:
                await nats.request(subject, encode(event), headers=headers | {"Nats-Batch-Commit": "1"}, timeout=10)


async def paced(rate: int, seconds: float, send: Any) -> None:
    """Call `send(number)` at a steady rate; what falls behind is sent at once."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(int(rate * seconds)):
        if (ahead := start + number / rate - loop.time()) > 0:
            await asyncio.sleep(ahead)
        await send(number)
