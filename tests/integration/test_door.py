"""The HTTP door on real servers: what is answered 202 is in INBOX byte for byte, and nothing else is."""

import asyncio
import base64
import json
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import nats
import pytest
import uvicorn
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from standardwebhooks.webhooks import Webhook

from schemas import subjects
from services.cli.secret_files import key_files
from services.cli.servers import NatsServer
from services.kernel import bus
from services.kernel.app import application
from services.kernel.metrics import Metrics
from services.kernel.service import Running
from services.kernel.telemetry import configure
from services.trade_ingest.app import SERVICE
from services.trade_ingest.door import DOOR, MAX_BODY
from tests.databases import Database
from tests.stack import settings_for, until

pytestmark = pytest.mark.integration

SECRET_TEXT = base64.b64encode(secrets.token_bytes(32)).decode()
SECRET = Webhook(SECRET_TEXT)
PAID = {
    "specversion": "1.0", "id": "m1", "source": "erp", "type": "order.paid", "time": "2026-03-02T10:00:00Z",
    "buyer": "b1", "data": {"order_id": "4611686018427387905", "paid_fen": 2980},
}  # fmt: skip
BODY = json.dumps(PAID, ensure_ascii=False)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The signals are pytest's."""
        yield


class Shop:
    """An outside system with the secret of the door (canonical, s1), and a look into INBOX."""

    def __init__(self, http: aiohttp.ClientSession, address: str, client: Any, registry: CollectorRegistry) -> None:
        self._http = http
        self.address = address
        self.nats = client
        self._registry = registry

    async def post(
        self,
        body: str = BODY,
        path: str = "/in/canonical/s1/trade",
        id: str = "m1",
        by: Webhook = SECRET,
        ago: timedelta = timedelta(),
        method: str = "POST",
        chunked: bool = False,
    ) -> tuple[int, dict[str, Any], Any]:
        """Status, JSON, headers."""
        time = datetime.now(UTC) - ago
        signed = {
            "webhook-id": id,
            "webhook-timestamp": str(int(time.timestamp())),
            "webhook-signature": by.sign(id, time, body),
        }
        data: Any = _parts(body.encode()) if chunked else body.encode()
        async with self._http.request(method, self.address + path, data=data, headers=signed) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else {}, answer.headers

    def refused(self, code: str) -> float:
        """How many requests were answered with this code."""
        labels = {"service": SERVICE.name, "result": code}
        return self._registry.get_sample_value("carebus_door_seconds_count", labels) or 0.0

    async def stored(self) -> list[tuple[str, bytes]]:
        """Subject and bytes of everything in INBOX."""
        last = (await bus.stream_state(self.nats, bus.INBOX)).last
        js = self.nats.jetstream()
        found = [await js.get_msg(bus.INBOX, seq) for seq in range(1, last + 1)]
        return [(message.subject, message.data) for message in found]


async def _parts(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


def write_doors(folder: Path) -> Path:
    """A door file with two doors, of one secret."""
    (folder / "s1").write_text(f"whsec_{SECRET_TEXT}\n", encoding="utf-8")
    doors = [("canonical", "s1"), ("canonical", "店 铺")]
    entry = '[[door]]\nsource = "{}"\nshop = "{}"\nsecret_file = "s1"\n'
    path = folder / "doors.toml"
    path.write_text("".join(entry.format(*door) for door in doors), encoding="utf-8")
    return path


@pytest.fixture
def door_file(tmp_path: Path) -> Path:
    return write_doors(tmp_path)


@asynccontextmanager
async def shop_of(dsn: str, url: str, door_file: Path, **more: Any) -> AsyncIterator[Shop]:
    """trade_ingest with its doors, served over HTTP on a free port."""
    keys = {name.removeprefix("CAREBUS_").lower(): path for name, path in key_files(door_file.parent).items()}
    settings = settings_for(dsn, url, door_file=str(door_file), **keys, **more)
    service = replace(SERVICE, doors=[DOOR])
    registry = CollectorRegistry()
    log = configure(service.name, level="error", style="json", strict=True)
    running = Running(service, settings, log, Metrics(service.name, registry))
    server = _Server(uvicorn.Config(application(running, settings, registry), log_config=None, lifespan="on"))
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:  # without proto, asyncio leaves Nagle's delay on
        listening.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listening]))

        async def started() -> bool:
            return server.started or serving.done()

        await until(started, "the service serves")
        client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
            yield Shop(http, address, client, registry)
        await client.close()
        server.should_exit = True
        await serving


@pytest.fixture
async def shop(database: Database, bus_url: str, door_file: Path) -> AsyncIterator[Shop]:
    async with shop_of(database.dsn, bus_url, door_file, duplicate_window_s=600) as found:
        yield found


async def test_what_is_posted_is_in_inbox_byte_for_byte_and_a_repetition_is_one_message(shop: Shop) -> None:
    body = BODY.replace("{", "{ \r\n", 1)
    for _ in range(3):
        status, answer, _ = await shop.post(body)
        assert (status, answer) == (202, {"stream": "INBOX", "seq": 1})
    partition = subjects.inbox_partition("s1")
    assert await shop.stored() == [(f"inbox.{partition}.canonical.s1.trade", body.encode())]


async def test_the_same_id_with_another_body_or_place_is_another_message(shop: Shop) -> None:
    assert (await shop.post())[1]["seq"] == 1
    assert (await shop.post("[]"))[1]["seq"] == 2
    assert (await shop.post(path="/in/canonical/s1/chat"))[1]["seq"] == 3
    assert (await shop.post(path="/in/canonical/%E5%BA%97%20%E9%93%BA/trade"))[1]["seq"] == 4
    assert [subject.split(".", 2)[2] for subject, _ in await shop.stored()] == [
        "canonical.s1.trade", "canonical.s1.trade", "canonical.s1.chat",
        f"canonical.{subjects.token('店 铺')}.trade",
    ]  # fmt: skip


async def test_what_comes_through_the_door_becomes_an_event_and_its_refusal_a_notice(shop: Shop) -> None:
    notices = await shop.nats.subscribe(subjects.notice("canonical", "s1"))
    await shop.nats.flush()
    await shop.post()
    assert (await shop.post(BODY.replace("2980", '"29.80"')))[0] == 202
    told = json.loads((await notices.next_msg(timeout=10)).data)
    assert (told["inbox_seq"], told["field"]) == (2, "data.paid_fen")

    async def paid() -> bool:
        return bool(await bus.last_of(shop.nats, "evt.*.s1.b1.order"))

    await until(paid, "order.paid is in the log")


async def test_wrong_requests_are_refused_and_leave_nothing(shop: Shop) -> None:
    other = Webhook(secrets.token_bytes(32))
    assert (await shop.post(by=other))[0] == 401
    assert (await shop.post(ago=timedelta(days=1)))[0] == 401
    assert (await shop.post(path="/in/canonical/s2/trade"))[0] == 404
    assert (await shop.post(path="/in/canonical/s1"))[0] == 404
    assert (await shop.post(method="PUT"))[0] == 405
    assert [shop.refused(code) for code in ("unauthorized", "no_door", "not_post")] == [2, 2, 1]
    assert await shop.stored() == []


async def test_a_message_is_as_large_as_inbox_takes_it_and_no_larger(shop: Shop) -> None:
    assert (await shop.post("x" * (MAX_BODY - 256), id="fits"))[0] == 202
    for chunked in (False, True):
        status, answer, _ = await shop.post("x" * (MAX_BODY + 1), chunked=chunked)
        assert (status, answer["code"]) == (413, "too_large")
        assert (await shop.post("x" * MAX_BODY, chunked=chunked))[0] == 413, "with its header it is too large for INBOX"
    assert (await shop.post("x" * 400_000, id="chunks", chunked=True))[0] == 202
    assert [len(payload) for _, payload in await shop.stored()] == [MAX_BODY - 256, 400_000]


async def test_a_full_inbox_is_told_and_nothing_is_lost_in_silence(
    database: Database, bus_url: str, door_file: Path
) -> None:
    async with shop_of(database.dsn, bus_url, door_file, inbox_max_bytes=1_048_576) as shop:
        found = [await shop.post("x" * 400_000, id=f"m{number}") for number in range(4)]
        assert [status for status, _, _ in found] == [202, 202, 503, 503]
        _, answer, headers = found[-1]
        assert (answer["code"], headers["retry-after"]) == ("full", "60")
        assert len(await shop.stored()) == 2


@pytest.mark.faults
async def test_without_nats_it_says_come_again_and_takes_the_repetition_once_nats_is_back(
    database: Database, nats_server: NatsServer, door_file: Path
) -> None:
    async with shop_of(database.dsn, nats_server.url, door_file) as shop:
        assert (await shop.post(id="before"))[0] == 202
        nats_server.kill()
        status, answer, headers = await shop.post(id="m2")
        assert (status, answer["code"]) == (503, "unavailable")
        assert int(headers["retry-after"]) > 0
        nats_server.start_again()

        async def taken() -> bool:
            return (await shop.post(id="m2"))[0] == 202

        await until(taken, "the repetition is taken")
        assert [payload for _, payload in await shop.stored()] == [BODY.encode()] * 2


async def test_garbage_on_the_socket_neither_breaks_the_door_nor_enters(shop: Shop) -> None:
    host, port = shop.address.removeprefix("http://").split(":")
    for garbage in (b"\x00" * 100 + b"\r\n\r\n", b"POST /in/canonical/s1/trade HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(garbage)
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 10)
        writer.close()
    assert (await shop.post())[0] == 202
    assert len(await shop.stored()) == 1
