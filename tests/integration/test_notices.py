"""`notice.<source>.<shop>`: a sender hears of every refused part, with field and place, and of nothing it wrote."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from schemas import subjects
from schemas.codec import decode
from schemas.ops import OpsMessageRefused
from services.kernel.inputs import RawFact, Refused
from services.kernel.parked import ask_retry
from services.kernel.process import Fact, Process, SetAside, Tick
from tests.databases import Database
from tests.examples.services import FACTS, prepare
from tests.stack import stack_of

pytestmark = pytest.mark.integration

SECRET = "13812341234"
GOOD = {"fact": "paid", "order_id": "o1", "buyer": "b1", "time": "2026-03-02T10:00:00Z"}


def translate(raw: RawFact) -> Iterator[Any]:
    """A part is a statement, or what is refused of it: [reason, field, place]."""
    for part in msgspec.json.decode(raw.payload):
        match part:
            case [reason, field, place]:
                yield Refused(reason, field, place)
            case {"phone": phone}:
                raise KeyError(phone)
            case statement:
                yield from FACTS.sources["shop"](replace(raw, payload=msgspec.json.encode(statement)))


class Waiting(Struct, frozen=True):
    """A fact that waits for what never comes, and since when."""

    fact: str = ""
    since: datetime | None = None


def _evolve(state: Waiting, item: Any) -> Waiting:
    return Waiting(item.id, item.recordedtime) if isinstance(item, Fact) else Waiting()


def _decide(state: Waiting, cause: Any, now: datetime, policy: Any) -> Iterator[SetAside]:
    if isinstance(cause, Tick):
        yield SetAside(state.fact, "nothing came")


WAITS = Process(
    name="waits",
    version=1,
    state=Waiting,
    key=lambda item: item.data.order_id,
    evolve=_evolve,
    decide=_decide,
    due=lambda state, policy: state.since,
    inbox=True,
)


async def test_a_fact_that_is_set_aside_in_the_end_is_told_too(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([replace(FACTS, processes=[WAITS])], database.dsn, bus_url) as stack:
        heard = await stack.nats.subscribe(subjects.notice("shop", "s1"))
        await stack.nats.flush()
        await stack.publish("shop", "s1", "order", GOOD)
        told = msgspec.json.decode((await heard.next_msg(timeout=15)).data)
        assert (told["inbox_seq"], told["reason"]) == (1, "nothing came")


async def test_what_is_refused_when_a_parked_message_is_played_again_is_told_too(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    broken = True

    def mended(raw: RawFact) -> Iterator[Any]:
        if broken:
            raise ZeroDivisionError
        yield Refused("row: stray")

    async with stack_of([replace(FACTS, sources={"shop": mended})], database.dsn, bus_url) as stack:
        heard = await stack.nats.subscribe(subjects.notice("shop", "s1"))
        await stack.nats.flush()
        await stack.publish("shop", "s1", "order", b"{}")
        assert "ZeroDivisionError" in (await heard.next_msg(timeout=10)).data.decode()
        broken = False
        await stack.rows("SET search_path = ex_facts")
        (row,) = await stack.rows("SELECT id FROM parked")
        assert await ask_retry(stack.connection, row["id"])
        assert "row: stray" in (await heard.next_msg(timeout=10)).data.decode()


async def test_every_refused_part_is_told_once_and_stands_in_the_log_in_the_same_words(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    batch = [
        ["price: no amount", "lines[0].price", "orders.csv row 17"],
        GOOD,
        ["kind: not known", "kind", ""],
        ["row: stray", "", "x" * 900],
    ]
    async with stack_of([replace(FACTS, sources={"shop": translate})], database.dsn, bus_url) as stack:
        heard = await stack.nats.subscribe("notice.>")
        await stack.nats.flush()
        await stack.publish("shop", "s1", "order", batch, [{"phone": SECRET}])
        await stack.settled()
        messages = [await heard.next_msg(timeout=5) for _ in range(4)]
        assert {message.subject for message in messages} == {subjects.notice("shop", "s1")}
        told = [msgspec.json.decode(message.data, type=OpsMessageRefused) for message in messages]
        refused = {"source": "shop", "shop": "s1"}
        assert told == [
            OpsMessageRefused(
                **refused, inbox_seq=1, reason="price: no amount", field="lines[0].price", place="orders.csv row 17"
            ),
            OpsMessageRefused(**refused, inbox_seq=1, reason="kind: not known", field="kind"),
            OpsMessageRefused(**refused, inbox_seq=1, reason="row: stray", place="x" * 500),
            OpsMessageRefused(**refused, inbox_seq=2, reason="KeyError: a bug of the source"),
        ]
        subject = subjects.event("s1", subjects.NO_BUYER, "ops")
        log = await stack.nats.jetstream().pull_subscribe(subject, stream="EVENTS")
        logged = [decode(message.data).data for message in await log.fetch(4, timeout=5)]
        assert logged == told
        assert not any(SECRET in message.data.decode() for message in messages)
        with pytest.raises(asyncio.TimeoutError):
            await heard.next_msg(timeout=0.2)
