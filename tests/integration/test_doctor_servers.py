"""`carebus doctor` tells apart what may be wrong with NATS, its streams and PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from services.cli.processes import HOST, free_port
from services.cli.servers import NatsServer
from services.cli.stackfile import Stack, write_stack
from services.kernel import bus
from services.kernel.settings import read_settings
from tests.databases import Database
from tests.examined import MIB, Where, examined, greeting, statuses

pytestmark = pytest.mark.integration

# NATS


async def test_a_nats_that_is_down_hides_nothing_of_postgres(where: Where, nats_server: NatsServer) -> None:
    await asyncio.to_thread(nats_server.stop)
    checks = await examined(where)
    assert checks["nats"].status == "fail"
    assert "connection refused" in checks["nats"].found
    assert "`carebus up`" in checks["nats"].cure
    assert statuses(checks, "jetstream", "stream EVENTS", "aftersales lag", "aftersales log") == ["skipped"] * 4
    assert checks["aftersales lag"].found == "skipped: JetStream is not reachable"
    assert statuses(checks, "postgres", "migrations", "aftersales outbox") == ["ok"] * 3


async def test_a_local_nats_that_can_store_nothing_fails_though_it_answers(where: Where, tmp_path: Path) -> None:
    body = b'{"status":"unavailable","status_code":503,"error":"JetStream: no space left on device"}'
    answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with greeting(answer) as url:
        variables = {"CAREBUS_NATS_URL": where["CAREBUS_NATS_URL"]}
        local = Stack(variables=variables, services={}, nats_monitoring=url.replace("nats:", "http:"))
        write_stack(tmp_path, local)
        check = (await examined(where))["nats health"]
    assert (check.status, check.found) == ("fail", "unavailable JetStream: no space left on device")
    assert check.cure == "make room on the disk, then restart nats-server (carebus up does it by itself)"


async def test_a_local_nats_that_is_well_is_told_and_another_one_is_not_asked(
    where: Where, nats_server: NatsServer, tmp_path: Path
) -> None:
    for url, status in ((where["CAREBUS_NATS_URL"], "ok"), ("nats://127.0.0.1:1", "skipped")):
        variables = {"CAREBUS_NATS_URL": url}
        write_stack(tmp_path, Stack(variables=variables, services={}, nats_monitoring=nats_server.monitoring_url))
        assert (await examined(where))["nats health"].status == status


async def test_a_nats_that_does_not_answer_is_told_from_one_that_is_down(
    where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cli.reach.REACH_S", 0.3)
    async with greeting(b"") as url:
        checks = await examined(where, CAREBUS_NATS_URL=url)
    assert "does not answer within 0.3 s" in checks["nats"].found
    assert "frozen or a firewall" in checks["nats"].cure


async def test_what_is_no_nats_server_is_told(where: Where) -> None:
    async with greeting(b"HTTP/1.1 400 Bad Request\r\n") as url:
        checks = await examined(where, CAREBUS_NATS_URL=url)
    assert "is no nats-server" in checks["nats"].found


async def test_a_nats_server_without_atomic_batches_is_too_old(where: Where) -> None:
    async with greeting(b'INFO {"server_id":"x","version":"2.10.7","jetstream":true}\r\n') as url:
        checks = await examined(where, CAREBUS_NATS_URL=url)
    assert checks["nats version"].status == "fail"
    assert "2.10.7" in checks["nats version"].found
    assert "2.12 or newer" in checks["nats version"].cure
    assert checks["jetstream"].status == "skipped"


def reconfigure(server: NatsServer, configuration: str) -> None:
    (server.directory / "nats.conf").write_text(configuration)
    server.restart()


async def test_a_wrong_nats_password_is_told_with_the_settings_that_hold_it(
    where: Where, nats_server: NatsServer, tmp_path: Path
) -> None:
    before = (nats_server.directory / "nats.conf").read_text()
    more = 'authorization { user: service, password: "right" }\n'
    await asyncio.to_thread(reconfigure, nats_server, before + more)
    (tmp_path / "password").write_text("wrong")
    url = f"nats://service@{HOST}:{nats_server.port}"
    given = {"CAREBUS_NATS_URL": url, "CAREBUS_NATS_PASSWORD_FILE": str(tmp_path / "password")}
    checks = await examined(where, **given)
    assert checks["nats"].status == "fail"
    assert "refuses the login" in checks["nats"].found
    assert "CAREBUS_NATS_PASSWORD_FILE" in checks["nats"].cure
    (tmp_path / "password").write_text("right")
    assert (await examined(where, **given))["nats"].status == "ok"


async def test_a_nats_without_jetstream_is_told(where: Where, nats_server: NatsServer) -> None:
    before = (nats_server.directory / "nats.conf").read_text()
    await asyncio.to_thread(reconfigure, nats_server, before.partition("jetstream {")[0])
    checks = await examined(where)
    assert checks["nats"].status == "ok"
    assert checks["jetstream"].status == "fail"
    assert "`jetstream` block" in checks["jetstream"].cure
    assert checks["stream EVENTS"].status == "skipped"


async def test_a_stream_that_is_missing_is_told(where: Where, nats_client: Any) -> None:
    await bus.request(nats_client, "STREAM.DELETE.INBOX", {})
    checks = await examined(where)
    assert statuses(checks, "stream EVENTS", "stream INBOX", "room INBOX") == ["ok", "fail", "skipped"]
    assert "it makes the stream" in checks["stream INBOX"].cure


async def test_a_stream_that_keeps_other_subjects_fails_and_one_of_another_size_is_told_of(
    where: Where, nats_client: Any
) -> None:
    events, inbox = bus.configurations(read_settings(where))
    await bus.request(nats_client, "STREAM.UPDATE.EVENTS", {**events, "max_bytes": 2 * MIB})
    await bus.request(nats_client, "STREAM.UPDATE.INBOX", {**inbox, "subjects": ["in.other.*.*"]})
    checks = await examined(where)
    assert statuses(checks, "stream EVENTS", "stream INBOX") == ["warn", "fail"]
    assert checks["stream EVENTS"].found == f"max_bytes is {2 * MIB}, wanted {MIB}"
    assert "CAREBUS_LOG_MAX_BYTES" in checks["stream EVENTS"].cure
    assert "subjects is ['in.other.*.*'], wanted ['in.*.*.*']" in checks["stream INBOX"].found


async def test_a_stream_that_fills_is_told_of_before_it_is_full(where: Where, nats_client: Any) -> None:
    js = nats_client.jetstream()
    await js.publish("in.canonical.s1.note", bytes(430_000))
    assert (await examined(where))["room INBOX"].status == "ok"
    await js.publish("in.canonical.s1.note", bytes(430_000))
    almost = (await examined(where))["room INBOX"]
    assert almost.status == "warn"
    assert almost.found == "82% of 1 MiB"
    assert "raise CAREBUS_INBOX_MAX_BYTES" in almost.cure
    await js.publish("in.canonical.s1.note", bytes(150_000))
    assert (await examined(where))["room INBOX"].status == "fail"


# PostgreSQL


async def test_a_postgres_that_is_down_hides_nothing_of_nats(where: Where) -> None:
    checks = await examined(where, CAREBUS_POSTGRES_DSN=f"postgresql://{HOST}:{free_port()}/carebus")
    assert checks["postgres"].status == "fail"
    assert "connection refused" in checks["postgres"].found
    assert statuses(checks, "migrations", "aftersales runs", "aftersales log") == ["skipped"] * 3
    assert statuses(checks, "nats", "stream EVENTS") == ["ok"] * 2


async def test_a_wrong_postgres_password_is_told_with_the_settings_that_hold_it(
    where: Where, database: Database
) -> None:
    wrong = database.server.dsn(database.name, password="guessed")
    checks = await examined(where, CAREBUS_POSTGRES_DSN=wrong)
    assert "refuses the login: password authentication failed" in checks["postgres"].found
    assert "guessed" not in checks["postgres"].found
    assert "CAREBUS_POSTGRES_PASSWORD_FILE" in checks["postgres"].cure


async def test_a_password_file_that_cannot_be_read_is_told(where: Where) -> None:
    checks = await examined(where, CAREBUS_POSTGRES_PASSWORD_FILE="/nowhere")
    assert "CAREBUS_POSTGRES_PASSWORD_FILE: cannot read /nowhere" in checks["postgres"].found


async def test_a_database_that_does_not_exist_is_told(where: Where, database: Database) -> None:
    checks = await examined(where, CAREBUS_POSTGRES_DSN=database.server.dsn("absent"))
    assert "there is no such database" in checks["postgres"].found
    assert "`carebus up`" in checks["postgres"].cure


async def test_a_database_that_was_never_migrated_is_told(where: Where, database: Database) -> None:
    checks = await examined(where, CAREBUS_POSTGRES_DSN=database.server.dsn("postgres"))
    assert checks["migrations"].found == "the database was never migrated"
    assert "dbmate" in checks["migrations"].cure
    assert "dbmate" in checks["aftersales outbox"].cure


async def test_a_migration_that_is_pending_and_one_of_a_newer_program_are_told(
    where: Where, tables: asyncpg.Connection
) -> None:
    await tables.execute("INSERT INTO schema_migrations VALUES ('29990101000001')")
    checks = await examined(where)
    assert checks["migrations"].status == "warn"
    assert "29990101000001" in checks["migrations"].found
    await tables.execute("DELETE FROM schema_migrations WHERE version = '20261124000001'")
    checks = await examined(where)
    assert checks["migrations"].status == "fail"
    assert "not yet applied: 20261124000001" in checks["migrations"].found


async def test_a_driven_clock_and_what_it_left_in_the_database_are_told_of(
    where: Where, tables: asyncpg.Connection
) -> None:
    assert (await examined(where))["clock"].status == "ok"
    await tables.execute("UPDATE driven_clock SET now = '2026-11-11T00:00:00Z'")
    checks = await examined(where)
    assert checks["clock"].status == "warn"
    assert "once driven to 2026-11-11" in checks["clock"].found
    checks = await examined(where, CAREBUS_CLOCK="driven")
    assert checks["clock"].status == "warn"
    assert "unset CAREBUS_CLOCK" in checks["clock"].cure


async def test_clocks_that_differ_are_told_of(where: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SimpleNamespace(now=lambda: datetime.now(UTC) - timedelta(seconds=5))
    monkeypatch.setattr("services.cli.checks.postgres.WallClock", lambda: slow)
    checks = await examined(where)
    assert checks["clock skew"].status == "warn"
    assert "ahead" in checks["clock skew"].found


async def test_a_role_that_may_not_look_is_told(where: Where, database: Database) -> None:
    checks = await examined(where, CAREBUS_POSTGRES_DSN=database.dsn_for("carebus_aftersales"))
    assert checks["aftersales outbox"].status == "ok"
    assert checks["projections outbox"].status == "fail"
    assert "CAREBUS_POSTGRES_DSN" in checks["projections outbox"].cure


async def test_a_check_that_hangs_is_given_up_and_the_others_are_made(
    where: Where, tables: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cli.checks.check.LIMIT_S", 0.5)
    async with tables.transaction():
        await tables.execute("LOCK TABLE parked IN ACCESS EXCLUSIVE MODE")
        checks = await examined(where)
    assert checks["aftersales parked"].status == "fail"
    assert "no answer within 0.5 s" in checks["aftersales parked"].found
    assert statuses(checks, "aftersales outbox", "aftersales lag", "projections parked") == ["ok"] * 3
