"""The proxy of the fault tests does to connections what it says."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from services.cli.processes import HOST
from tests.proxy import READY_FOR_QUERY, Proxy

LIMIT_S = 5
POLL_S = 0.001


@dataclass
class EchoServer:
    """Answers each message with itself and remembers what it received."""

    port: int = 0
    received: list[bytes] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    suffix: bytes = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self.received.append(data)
                writer.write(data + self.suffix)
        except ConnectionError:
            pass
        finally:
            self.ended.set()
            writer.close()


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[EchoServer]:
    echo = EchoServer()
    server = await asyncio.start_server(echo.serve, HOST, 0)
    echo.port = server.sockets[0].getsockname()[1]
    yield echo
    server.close()


@pytest_asyncio.fixture
async def proxy(echo: EchoServer) -> AsyncIterator[Proxy]:
    async with Proxy(echo.port) as proxy:
        yield proxy


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, words: bytes) -> bytes:
        self.writer.write(words)
        async with asyncio.timeout(LIMIT_S):
            return await self.reader.readexactly(len(words))

    async def expect_reset(self) -> None:
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(LIMIT_S):
                await self.reader.read(1)


@pytest_asyncio.fixture
async def client(proxy: Proxy) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection(HOST, proxy.port))
    yield client
    client.writer.close()


async def swallowed(proxy: Proxy, bytes_: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while proxy.swallowed_bytes < bytes_:
            await asyncio.sleep(POLL_S)


async def happens(event: asyncio.Event) -> None:
    async with asyncio.timeout(LIMIT_S):
        await event.wait()


async def test_bytes_pass_both_ways(client: Client, echo: EchoServer, proxy: Proxy) -> None:
    assert await client.ask(b"ping") == b"ping"
    assert echo.received == [b"ping"]
    assert proxy.connections == 1


async def test_more_bytes_than_a_chunk_arrive_whole(client: Client) -> None:
    words = bytes(range(256)) * 4096
    assert await client.ask(words) == words


async def test_an_end_of_file_is_passed_on_as_one_after_the_last_bytes(client: Client, echo: EchoServer) -> None:
    client.writer.write(b"last")
    client.writer.close()
    await happens(echo.ended)
    assert echo.received == [b"last"]


async def test_cut_to_the_server_swallows_what_the_client_sends(client: Client, echo: EchoServer, proxy: Proxy) -> None:
    proxy.cut("to_server")
    client.writer.write(b"ping")
    await swallowed(proxy, len(b"ping"))
    assert echo.received == []
    assert proxy.connections == 1


async def test_cut_to_the_client_swallows_the_answer_to_what_did_arrive(
    client: Client, echo: EchoServer, proxy: Proxy
) -> None:
    proxy.cut("to_client")
    client.writer.write(b"ping")
    await swallowed(proxy, len(b"ping"))
    assert echo.received == [b"ping"]
    assert proxy.connections == 1


async def test_cut_both_swallows_new_connections_too(echo: EchoServer, proxy: Proxy) -> None:
    proxy.cut("both")
    late = Client(*await asyncio.open_connection(HOST, proxy.port))
    late.writer.write(b"ping")
    await swallowed(proxy, len(b"ping"))
    assert echo.received == []
    late.writer.close()


async def test_healed_a_connection_that_lost_nothing_goes_on(client: Client, proxy: Proxy) -> None:
    assert await client.ask(b"before") == b"before"
    proxy.cut("both")
    proxy.heal()
    assert await client.ask(b"after") == b"after"


async def test_healed_a_connection_that_lost_bytes_is_reset(client: Client, proxy: Proxy) -> None:
    proxy.cut("to_server")
    client.writer.write(b"ping")
    await swallowed(proxy, len(b"ping"))
    proxy.heal()
    await client.expect_reset()


async def test_drop_resets_open_connections_and_takes_new_ones(client: Client, proxy: Proxy) -> None:
    assert await client.ask(b"ping") == b"ping"
    proxy.drop()
    await client.expect_reset()
    new = Client(*await asyncio.open_connection(HOST, proxy.port))
    assert await new.ask(b"ping") == b"ping"
    new.writer.close()


async def test_refusing_resets_new_connections_and_keeps_open_ones(client: Client, proxy: Proxy) -> None:
    assert await client.ask(b"ping") == b"ping"
    proxy.refuse(True)
    refused = Client(*await asyncio.open_connection(HOST, proxy.port))
    await refused.expect_reset()
    assert await client.ask(b"still") == b"still"
    proxy.refuse(False)
    taken = Client(*await asyncio.open_connection(HOST, proxy.port))
    assert await taken.ask(b"ping") == b"ping"
    taken.writer.close()


async def test_a_client_is_reset_when_the_target_does_not_listen(echo: EchoServer) -> None:
    async with Proxy(target_port=1) as proxy:
        client = Client(*await asyncio.open_connection(HOST, proxy.port))
        await client.expect_reset()


@pytest.mark.parametrize("chunks", [[b"Q..COMMIT;"], [b"Q..COM", b"MIT;"]])
async def test_a_lost_answer_is_to_a_message_that_did_arrive(
    client: Client, echo: EchoServer, proxy: Proxy, chunks: list[bytes]
) -> None:
    assert await client.ask(b"BEGIN") == b"BEGIN"
    echo.suffix = READY_FOR_QUERY + b"I"
    lost = proxy.lose_next_answer_to(b"COMMIT")
    for chunk in chunks[:-1]:
        assert await client.ask(chunk) == chunk
        await client.reader.readexactly(len(echo.suffix))
    client.writer.write(chunks[-1])
    await happens(lost)
    assert b"".join(echo.received) == b"BEGIN" + b"".join(chunks)
    await client.expect_reset()


async def test_only_the_next_answer_is_lost(echo: EchoServer, client: Client, proxy: Proxy) -> None:
    echo.suffix = READY_FOR_QUERY + b"I"
    lost = proxy.lose_next_answer_to(b"COMMIT")
    client.writer.write(b"COMMIT")
    await happens(lost)
    again = Client(*await asyncio.open_connection(HOST, proxy.port))
    assert await again.ask(b"COMMIT") == b"COMMIT"
    again.writer.close()
