"""The configurations in deploy/ are accepted by the servers, and keep the rules they are there for."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import nats
import pytest
from nats.aio.client import Client

from services.cli.processes import HOST, free_port
from services.cli.servers import NatsServer, PostgresServer

pytestmark = pytest.mark.integration

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture
def deployed_nats(servers_directory: Path) -> Iterator[NatsServer]:
    """A server with deploy/nats/nats-server.conf; only its addresses and directory are those of the test."""
    directory = servers_directory / "deployed-nats"
    directory.mkdir()
    server = NatsServer(directory=directory, port=free_port(), monitoring_port=free_port())
    text = (DEPLOY / "nats" / "nats-server.conf").read_text(encoding="utf-8")
    for deployed, here in {
        "0.0.0.0:4222": f"{HOST}:{server.port}",
        "127.0.0.1:8222": f"{HOST}:{server.monitoring_port}",
        "/var/lib/carebus/nats": str(directory / "jetstream"),
    }.items():
        assert text.count(deployed) == 1
        text = text.replace(deployed, here)
    (directory / "nats.conf").write_text(text, encoding="utf-8")
    shutil.copy(DEPLOY / "nats" / "secrets.conf.example", directory / "secrets.conf")
    server.start_again()
    yield server
    server.stop()
    shutil.rmtree(directory)


async def connected_as(server: NatsServer, user: str, refused: asyncio.Queue[str] | None = None) -> Client:
    async def remember(error: Exception) -> None:
        if refused is not None:
            refused.put_nowait(str(error).lower())

    prefix = "_INBOX" if user == "service" else f"_INBOX_{user}"
    return await nats.connect(
        server.url, user=user, password=f"change me: {user}", inbox_prefix=prefix, error_cb=remember
    )


async def next_of(refused: asyncio.Queue[str]) -> str:
    async with asyncio.timeout(5):
        return await refused.get()


async def make_log(server: NatsServer) -> None:
    service = await connected_as(server, "service")
    stream = service.jetstream()
    await stream.add_stream(name="EVENTS", subjects=["evt.>"])
    await stream.add_stream(name="INBOX", subjects=["in.>"])
    await stream.publish("evt.0.s1.b1.order", b"event")
    await service.close()


@pytest.mark.parametrize("user", ["erp", "desk", "reader"])
async def test_only_services_write_the_log(deployed_nats: NatsServer, user: str) -> None:
    await make_log(deployed_nats)
    refused: asyncio.Queue[str] = asyncio.Queue()
    outsider = await connected_as(deployed_nats, user, refused)
    await outsider.publish("evt.0.s1.b1.order", b"forged")
    assert 'permissions violation for publish to "evt.0.s1.b1.order"' in await next_of(refused)
    await outsider.close()

    service = await connected_as(deployed_nats, "service")
    assert (await service.jetstream().stream_info("EVENTS")).state.messages == 1
    await service.close()


async def test_a_source_publishes_its_own_facts_and_no_others(deployed_nats: NatsServer) -> None:
    await make_log(deployed_nats)
    refused: asyncio.Queue[str] = asyncio.Queue()
    source = await connected_as(deployed_nats, "erp", refused)
    assert (await source.jetstream().publish("in.erp.s1.order", b"raw")).seq == 1
    await source.publish("in.taobao.s1.order", b"raw")
    assert 'permissions violation for publish to "in.taobao.s1.order"' in await next_of(refused)
    await source.close()


async def test_a_reader_reads_the_log_by_a_consumer(deployed_nats: NatsServer) -> None:
    await make_log(deployed_nats)
    reader = await connected_as(deployed_nats, "reader")
    subscription = await reader.jetstream().pull_subscribe("evt.>", durable="outside", stream="EVENTS")
    [message] = await subscription.fetch(1, timeout=5)
    assert message.data == b"event"
    await reader.close()


async def test_no_one_listens_to_the_answers_meant_for_another(deployed_nats: NatsServer) -> None:
    refused: asyncio.Queue[str] = asyncio.Queue()
    source = await connected_as(deployed_nats, "erp", refused)
    await source.subscribe("_INBOX_desk.>")
    assert 'permissions violation for subscription to "_inbox_desk.>"' in await next_of(refused)
    await source.close()


async def test_postgres_takes_every_deployed_setting(own_postgres_server: PostgresServer) -> None:
    data = own_postgres_server.directory / "data"
    with (data / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write((DEPLOY / "postgres" / "postgresql.conf").read_text(encoding="utf-8"))
    (data / "pg_hba.conf").write_text((DEPLOY / "postgres" / "pg_hba.conf").read_text(encoding="utf-8"))
    own_postgres_server.restart()
    connection = await asyncpg.connect(own_postgres_server.dsn())
    assert await connection.fetch("SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL") == []
    wrong = await connection.fetch("SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL")
    # The wheel's PostgreSQL is built without TLS.
    assert [row["error"] for row in wrong if "SSL is not supported by this build" not in row["error"]] == []
    assert await connection.fetchval("SHOW log_min_error_statement") == "panic"
    await connection.close()
