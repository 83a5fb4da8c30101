"""A log that is older than the checkpoints, or another one: every service stops with an alert and skips nothing."""

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.cli.servers import NatsServer
from services.kernel import bus
from tests.databases import Database
from tests.examples.services import SERVICES
from tests.faults.feed import make_feed
from tests.faults.harness import World, world_of

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.long]


async def checkpoints(world: World) -> list[Any]:
    return [
        await world.fetch(f"SELECT stream, partition, seq FROM {service}.checkpoint ORDER BY 1, 2")
        for service in SERVICES
    ]


async def start_all(world: World, *, supervised: bool) -> None:
    world.replicas.clear()
    for service in SERVICES:
        (await world.start(service)).supervised = supervised


async def stop_all(world: World) -> None:
    for replica in world.all:
        await replica.stop()


async def fed(world: World, part: int) -> None:
    """One half of a feed, all the way through."""
    feed = make_feed(1, datetime.now(UTC), 300)
    half = len(feed.pushes) // 2
    feed.pushes[:] = feed.pushes[:half] if part == 0 else feed.pushes[half:]
    await world.outside.feed(feed, 500)
    await world.settled()


async def all_stop_with_an_alert(world: World, before: list[Any]) -> None:
    for replica in world.all:
        if not replica.exits:
            await replica.died()
        assert replica.exits[0] > 0, f"{replica.service} ended by itself (log: {replica.log})"
        assert replica.said("log_restored"), f"{replica.service} said why (log: {replica.log})"
    assert await checkpoints(world) == before, "no checkpoint has moved"


async def aged(world: World) -> list[Any]:
    """Half of a feed, a copy of the store, the other half, and the copy put back: the checkpoints, which lie ahead."""
    store, copy = world.server.directory / "jetstream", world.server.directory / "older"
    await start_all(world, supervised=True)
    await world.ready()
    await fed(world, 0)
    await asyncio.to_thread(world.server.stop)
    shutil.copytree(store, copy)
    await asyncio.to_thread(world.server.start_again)
    await fed(world, 1)
    await stop_all(world)
    await asyncio.to_thread(world.server.stop)
    shutil.rmtree(store)
    copy.rename(store)
    before = await checkpoints(world)
    await asyncio.to_thread(world.server.start_again)
    return before


async def test_services_stop_when_the_log_was_restored_to_an_older_state(
    nats_server: NatsServer, database: Database, logs: Path
) -> None:
    async with world_of(nats_server, database, logs) as world:
        before = await aged(world)
        await start_all(world, supervised=False)
        await all_stop_with_an_alert(world, before)


async def test_services_stop_when_the_restored_log_has_grown_past_the_checkpoints(
    nats_server: NatsServer, database: Database, logs: Path
) -> None:
    """The sequences are there again, but under other messages: only the instants at the checkpoints tell."""
    async with world_of(nats_server, database, logs) as world:
        before = await aged(world)
        await world.outside.feed(make_feed(2, datetime.now(UTC), 900), 1_000)
        events = b'{"not":"an event"}'
        for number in range(900):
            await world.outside.client.jetstream().publish(f"evt.{number % 16}.s1.b1.order", events)
        await start_all(world, supervised=False)
        await all_stop_with_an_alert(world, before)


async def test_services_stop_when_the_log_was_made_anew(
    nats_server: NatsServer, database: Database, logs: Path
) -> None:
    async with world_of(nats_server, database, logs) as world:
        await start_all(world, supervised=True)
        await world.ready()
        await fed(world, 0)
        await stop_all(world)
        await bus.request(world.outside.client, f"STREAM.DELETE.{bus.EVENTS}", {})
        before = await checkpoints(world)
        await start_all(world, supervised=False)
        await all_stop_with_an_alert(world, before)
