"""The relay and a row that changed hands: what another replica may have sent is looked up before it is sent again."""

import asyncio
import io
from dataclasses import dataclass, field
from typing import Any, cast

import asyncpg
import nats
import pytest
from prometheus_client import CollectorRegistry

from schemas import subjects
from services.kernel import bus, store
from services.kernel.clock import WallClock
from services.kernel.metrics import Metrics
from services.kernel.outbox import Relay, RelayStopped, event_ids_since
from services.kernel.ownership import Ownership
from services.kernel.telemetry import configure
from tests.databases import Database
from tests.examples.services import prepare
from tests.stack import settings_for

pytestmark = [pytest.mark.integration, pytest.mark.faults]

WINDOW_S = 1
LANE = subjects.partition("s1", "b1")
SUBJECT = subjects.event("s1", "b1", "order")


@dataclass
class Owner:
    """An ownership that owns what it is told."""

    owned: frozenset[int] = field(default_factory=lambda: frozenset({LANE}))
    fresh: bool = True


@dataclass
class Desk:
    """A relay with one row in its outbox."""

    relay: Relay
    owner: Owner
    pool: asyncpg.Pool
    client: Any

    async def round(self) -> None:
        await self.relay._round()

    async def left(self) -> int:
        return await self.pool.fetchval("SELECT count(*) FROM outbox")

    async def logged(self) -> int:
        return (await bus.stream_state(self.client, bus.EVENTS)).last

    async def ids(self) -> list[str]:
        return sorted(await event_ids_since(self.client, 1, range(subjects.PARTITIONS)))


@pytest.fixture
async def desk(database: Database, bus_url: str) -> Any:
    await prepare(database.dsn)
    settings = settings_for(database.dsn, bus_url, duplicate_window_s=WINDOW_S)
    client: Any = await nats.connect(bus_url)
    await bus.ensure_streams(client, settings)
    pool = await store.connect_pool(database.dsn, "ex_remind", "relay-test", 2)
    log, metrics = configure("ex_remind", file=io.StringIO()), Metrics("ex_remind", CollectorRegistry())
    owner = Owner()
    relay = Relay(pool, client, cast(Ownership, owner), log, metrics, WallClock())
    async with pool.acquire() as connection:
        await store.write(connection, out=[store.Outgoing(LANE, "e1", SUBJECT, b"{}", "s1", "b1")])
    yield Desk(relay, owner, pool, client)
    await pool.close()
    await client.close()


async def sent_by_another(desk: Desk) -> None:
    """A former owner has sent the row and died before it deleted it, longer ago than JetStream remembers."""
    await desk.client.jetstream().publish(SUBJECT, b"{}", headers={"Nats-Msg-Id": "e1"})
    await asyncio.sleep(WINDOW_S + 0.3)


async def test_a_row_of_ones_own_is_sent_at_once(desk: Desk) -> None:
    await desk.round()
    assert (await desk.left(), await desk.logged()) == (0, 1)


async def test_a_row_found_at_a_take_over_is_looked_up_first(desk: Desk) -> None:
    await sent_by_another(desk)
    desk.relay.taken_over({LANE})
    await desk.round()
    assert (await desk.left(), await desk.logged()) == (0, 1)


async def test_a_row_looked_up_before_is_looked_up_again_at_the_next_take_over(desk: Desk) -> None:
    """It was lost to another replica in between, which has sent it."""
    desk.relay.taken_over({LANE})
    await desk.round()
    assert await desk.left() == 1, "looked up, and found not to be in the log"
    await sent_by_another(desk)
    desk.relay.taken_over({LANE})
    await desk.round()
    assert (await desk.left(), await desk.logged()) == (0, 1)


async def test_nothing_is_sent_under_a_stale_heartbeat(desk: Desk) -> None:
    desk.owner.fresh = False
    with pytest.raises(RelayStopped):
        await desk.round()
    assert (await desk.left(), await desk.logged()) == (1, 0)


async def test_behind_a_row_that_is_refused_its_lane_waits_and_no_other(desk: Desk) -> None:
    large, other = b"x" * (1024 * 1024 + 1), subjects.event("s1", "b2", "order")
    rows = [
        store.Outgoing(LANE, "e2", SUBJECT, large, "s1", "b1"),
        store.Outgoing(LANE, "e3", SUBJECT, b"{}", "s1", "b1"),
        store.Outgoing(LANE, "f1", other, b"{}", "s1", "b2"),
    ]
    async with desk.pool.acquire() as connection:
        await store.write(connection, out=rows)
    with pytest.raises(bus.BusError, match="size"):
        await desk.round()
    assert await desk.ids() == ["e1", "f1"]
