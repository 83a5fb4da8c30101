"""The measurements, in one run; the table is written to RESULTS.md beside this file."""

import asyncio
import gc
import os
import platform
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
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
from tests.databases import Database
from tests.stack import Stack, settings_for, stack_of, until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

EVENTS = int(os.environ.get("BENCH_EVENTS", "60000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
RATE = 500
RESULTS = Path(__file__).parent / "RESULTS.md"

_table: list[tuple[str, str, str]] = []


@pytest.fixture(autouse=True)
def _settled_heap() -> Any:
    """As `serve` does: what was imported and made before is not looked through by the garbage collector again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module", autouse=True)
def _written() -> Any:
    """Write the table when all of it has been measured."""
    yield
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    lines = [
        "# Measured",
        "",
        f"`make bench`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({processor}), "
        f"Python {platform.python_version()}, nats-server and PostgreSQL on the same machine, "
        "`sync_interval: always`, fsync on.",
        f"{EVENTS:,} events of some 350 bytes, {work.BUYERS:,} buyers, medians of {ROUNDS}; latencies over "
        f"{SECONDS:.0f} s at {RATE}/s.",
        "",
        "| what | measured | wanted |",
        "| --- | --- | --- |",
        *(f"| {what} | {measured} | {wanted} |" for what, measured, wanted in _table),
        "",
    ]
    print("\n" + "\n".join(lines))
    RESULTS.write_text("\n".join(lines), encoding="utf-8")


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
    _table.append((what, f"{rate:,.0f}/s; bare {least:,.0f}/s; ratio {rate / least:.2f}", wanted))
    print(_table[-1], [round(r) for r in rates], [round(r) for r in bare_rates])


def _quantiles(values: list[float]) -> str:
    ordered = sorted(values)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return f"p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms (n {len(values):,})"


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
    _table.append((f"EVENTS append -> row at {RATE}/s", _quantiles(late), "p99 <= 15 ms"))
    _table.append((f"memory after {len(late):,} events more", f"{grown / 2**20:+.1f} MiB", "flat"))


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
    _table.append(("command round trip, one after the other", _quantiles(late[200:]), "p99 <= 25 ms"))


async def test_five_processes_together(own_database: Database, bus_url: str) -> None:
    """Five services, each in its own operating-system process, at 500 events a second."""
    await work.prepare(own_database.dsn)
    await _track_commits(own_database)
    names = ["bench_lines", "bench_lines2", "bench_lines3", "bench_tally", "bench_tally2"]
    async with stack_of([], own_database.dsn, bus_url) as stack, _served(names, own_database.dsn, bus_url):
        await until(lambda: _all_own(stack, names), "all five own their partitions", 30)
        await work.paced(RATE, 3, lambda n: appended(stack, 10_000_000 + n))
        await asyncio.sleep(1)
        for name in names[:3]:
            await stack.rows(f"TRUNCATE {name}.line")
        await work.paced(RATE, SECONDS, lambda n: appended(stack, n))
        count = int(RATE * SECONDS)
        for name in names[:3]:
            sql = f"SELECT count(*) FROM {name}.line WHERE type = 'order.paid'"

            async def all_there(sql: str = sql) -> bool:
                return await stack.connection.fetchval(sql) >= count

            await until(all_there, f"{name} has all rows", 60)
        late = [value for name in names[:3] for value in await row_latencies(stack.connection, name)]
    what = f"five processes together at {RATE}/s (3 projections, 2 deciding: {3 * RATE}/s in the log), append -> row"
    _table.append((what, _quantiles(late), "told"))


async def _track_commits(database: Database) -> None:
    """Let PostgreSQL remember when a transaction was committed; needs a restart."""
    connection = await asyncpg.connect(database.dsn)
    await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    await connection.close()
    database.server.restart()


async def _all_own(stack: Stack, names: list[str]) -> bool:
    for name in names:
        if (
            await stack.connection.fetchval(f"SELECT count(*) FROM {name}.checkpoint WHERE epoch > 0")
            < subjects.PARTITIONS
        ):
            return False
    return True


@asynccontextmanager
async def _served(names: list[str], dsn: str, bus_url: str) -> AsyncIterator[None]:
    import sys

    environment = {
        **os.environ,
        "CAREBUS_NATS_URL": bus_url,
        "CAREBUS_POSTGRES_DSN": dsn,
        "CAREBUS_LOG_LEVEL": "warning",
        "CAREBUS_LOG_MAX_BYTES": str(2**31),
        "CAREBUS_INBOX_MAX_BYTES": str(2**31),
    }
    running = [
        await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.serve", name, env=environment)
        for name in names
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            await process.wait()
