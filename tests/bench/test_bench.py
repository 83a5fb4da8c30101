"""The kernel beside bare loops that do the same work."""

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import nats
import psutil
import pytest

from schemas import subjects
from schemas.codec import encode
from services.kernel import bus
from services.kernel.service import Service
from tests.bench import bare, work
from tests.bench.results import measured, quantiles
from tests.bench.served import served
from tests.bench.work import EVENTS, RATE, ROUNDS, SECONDS
from tests.databases import Database
from tests.stack import Stack, settings_for, stack_of, until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


@asynccontextmanager
async def filled(database: Database, bus_url: str, count: int) -> AsyncIterator[tuple[Any, Any]]:
    """A log of `count` events; a client and a connection."""
    await work.prepare(database.dsn)
    client = await nats.connect(bus_url)
    connection = await asyncpg.connect(database.dsn)
    await bus.ensure_streams(client, settings_for(database.dsn, bus_url))
    await work.fill(client, count)
    try:
        yield client, connection
    finally:
        await connection.close()
        await client.close()


async def kernel_rate(database: Database, bus_url: str, service: Service, connection: Any, count: int) -> float:
    """Inputs a second, from a tenth of the way until the last is committed and what it decided is in the log.

    Looked at through the checkpoints, which costs next to nothing.
    """
    loop = asyncio.get_running_loop()
    async with stack_of([service], database.dsn, bus_url) as stack:

        async def wait(least: int) -> tuple[float, int]:
            while (seq := await connection.fetchval(f"SELECT max(seq) FROM {service.name}.checkpoint") or 0) < least:
                await asyncio.sleep(0.02)
            return loop.time(), seq

        start, first = await wait(count // 10)
        end, last = await wait(count)
        if service.processes:
            while (await bus.stream_state(stack.nats, bus.EVENTS)).last < 2 * count:
                await asyncio.sleep(0.01)
            end = loop.time()
        return (min(last, count) - first) / (end - start)


async def empty(connection: Any, service: Service) -> None:
    await connection.execute(
        f"TRUNCATE {service.name}.state, {service.name}.outbox, {service.name}.checkpoint, {service.name}.line"
    )
    await connection.execute(f"INSERT INTO {service.name}.checkpoint (stream, partition) VALUES ('EVENTS', 0)")
    await connection.execute(f"SET search_path = {service.name}")


async def test_projection_loop(own_database: Database, bus_url: str) -> None:
    rates: list[float] = []
    bare_rates: list[float] = []
    async with filled(own_database, bus_url, EVENTS) as (client, connection):
        for _ in range(ROUNDS):
            await empty(connection, work.LINES)
            bare_rates.append(await _bare_projection(client, connection))
            await empty(connection, work.LINES)
            rates.append(await kernel_rate(own_database, bus_url, work.LINES, connection, EVENTS))
    _ratio("projection loop", rates, bare_rates, ">= 0.7")


async def test_process_loop(own_database: Database, nats_server: Any) -> None:
    rates: list[float] = []
    bare_rates: list[float] = []
    count = EVENTS // 2
    async with filled(own_database, nats_server.url, count) as (client, connection):
        for _ in range(ROUNDS):
            await empty(connection, work.TALLIES)
            bare_rates.append(await _bare_decisions(client, connection, count))
            await _only_paid(client, count)
            await empty(connection, work.TALLIES)
            await connection.execute(f"TRUNCATE {work.TALLIES.name}.stream")
            rates.append(await kernel_rate(own_database, nats_server.url, work.TALLIES, connection, count))
            await _only_paid(client, count)
            await connection.execute(f"TRUNCATE {work.TALLIES.name}.stream")
    _ratio("process loop, one event decided for each read", rates, bare_rates, ">= 0.5")


async def _only_paid(client: Any, count: int) -> None:
    """A new log with the same input and nothing decided."""
    await client.jetstream().delete_stream("EVENTS")
    await bus.ensure_streams(client, settings_for("", ""))
    await work.fill(client, count)


async def _bare_projection(client: Any, connection: Any) -> float:
    puller = bare.Puller(client)
    loop = asyncio.get_running_loop()
    await puller.start()
    start = loop.time()
    await bare.project(connection, puller, EVENTS)
    end = loop.time()
    await puller.stop()
    return EVENTS / (end - start)


async def _bare_decisions(client: Any, connection: Any, count: int) -> float:
    puller = bare.Puller(client)
    loop = asyncio.get_running_loop()
    await puller.start()
    start = loop.time()
    await bare.decide(connection, client, puller, count)
    end = loop.time()
    await puller.stop()
    return count / (end - start)


def _ratio(what: str, rates: list[float], bare_rates: list[float], wanted: str) -> None:
    rate, least = statistics.median(rates), statistics.median(bare_rates)
    measured.append((what, f"{rate:,.0f}/s; bare {least:,.0f}/s; ratio {rate / least:.2f}", wanted))
    print(measured[-1], [round(r) for r in rates], [round(r) for r in bare_rates])


async def appended(stack: Stack, number: int) -> None:
    event = msgspec.structs.replace(work.paid(number), time=datetime.now(UTC))
    await stack.nats.publish(subjects.event(event.shop, event.buyer, "order"), encode(event))


async def row_latencies(connection: Any, service: str) -> list[float]:
    """From the publication of an event to the commit of its row, in seconds."""
    late = "extract(epoch FROM pg_xact_commit_timestamp(xmin) - at)::float8 AS late"
    rows = await connection.fetch(f"SELECT {late} FROM {service}.line WHERE type = 'order.paid'")
    return [row["late"] for row in rows]


async def test_latency_from_append_to_row(own_database: Database, bus_url: str) -> None:
    await work.prepare(own_database.dsn)
    await _track_commits(own_database)
    async with stack_of([work.LINES], own_database.dsn, bus_url) as stack:
        process = psutil.Process()
        await work.paced(RATE, 2, lambda n: appended(stack, 10_000_000 + n))
        await stack.settled()
        await stack.rows("TRUNCATE bench_lines.line")
        before = process.memory_info().rss
        await work.paced(RATE, SECONDS, lambda n: appended(stack, n))
        await stack.settled()
        grown = process.memory_info().rss - before
        late = await row_latencies(stack.connection, "bench_lines")
    measured.append((f"EVENTS append -> row at {RATE}/s", quantiles(late), "p99 <= 15 ms"))
    measured.append((f"memory after {len(late):,} events more", f"{grown / 2**20:+.1f} MiB", "flat"))


async def test_command_round_trip(own_database: Database, bus_url: str) -> None:
    await work.prepare(own_database.dsn)
    async with stack_of([work.TALLIES], own_database.dsn, bus_url) as stack:
        loop = asyncio.get_running_loop()
        late: list[float] = []
        for number in range(2_000):
            start = loop.time()
            data = {"care_id": f"buyer{number % 500}:{number}"}
            answer = await stack.command("bench_tally", "cancel_care", command_id=f"c{number}", data=data)
            late.append(loop.time() - start)
            assert answer["result"] == "accepted", answer
    measured.append(("command round trip, one after the other", quantiles(late[200:]), "p99 <= 25 ms"))


async def test_five_processes_together(own_database: Database, bus_url: str) -> None:
    """Five services, each in its own operating-system process, at 500 events a second."""
    await work.prepare(own_database.dsn)
    await _track_commits(own_database)
    names = ["bench_lines", "bench_lines2", "bench_lines3", "bench_tally", "bench_tally2"]
    programs = {name: ("-m", "tests.bench.serve", name) for name in names}
    async with stack_of([], own_database.dsn, bus_url) as stack, served(programs, own_database.dsn, bus_url):
        await until(lambda: _all_own(stack, names), "all five own their partitions", 30)
        await work.paced(RATE, 3, lambda n: appended(stack, 10_000_000 + n))
        await until(lambda: _all_written(stack, names[:3], RATE * 3), "the first events are rows", 30)
        for name in names[:3]:
            await stack.rows(f"TRUNCATE {name}.line")
        await work.paced(RATE, SECONDS, lambda n: appended(stack, n))
        count = int(RATE * SECONDS)
        await until(lambda: _all_written(stack, names[:3], count), "all events are rows", 60)
        late = [value for name in names[:3] for value in await row_latencies(stack.connection, name)]
    what = f"five processes together at {RATE}/s (3 projections, 2 deciding: {3 * RATE}/s in the log), append -> row"
    measured.append((what, quantiles(late), "told"))


async def _track_commits(database: Database) -> None:
    """Let PostgreSQL remember when a transaction was committed; needs a restart."""
    connection = await asyncpg.connect(database.dsn)
    await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    await connection.close()
    database.server.restart()


async def _all_written(stack: Stack, names: list[str], count: int) -> bool:
    counts = [
        await stack.connection.fetchval(f"SELECT count(*) FROM {name}.line WHERE type = 'order.paid'") for name in names
    ]
    return min(counts) >= count


async def _all_own(stack: Stack, names: list[str]) -> bool:
    for name in names:
        if (
            await stack.connection.fetchval(f"SELECT count(*) FROM {name}.checkpoint WHERE epoch > 0")
            < subjects.PARTITIONS
        ):
            return False
    return True
