"""A TCP proxy on 127.0.0.1 that swallows, resets and refuses on demand, for tests of faults on the wire."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Literal, Self

from services.cli.processes import HOST

Direction = Literal["to_server", "to_client"]

CHUNK_BYTES = 64 * 1024
# PostgreSQL ends each answer with ReadyForQuery: 'Z', its length (5), one byte of state.
READY_FOR_QUERY = b"Z\x00\x00\x00\x05"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Passes bytes between its clients and `target_port`, until told otherwise.

    async with Proxy(server.port) as proxy:
        connection = await connect(port=proxy.port)
        proxy.cut("to_client")
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.swallowed_bytes = 0
        self._server: asyncio.Server | None = None
        self._links: dict[_Link, asyncio.Task[None]] = {}
        self._cut: set[Direction] = set()
        self._refusing = False
        self._awaited: _LostAnswer | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        tasks = list(self._links.values())
        self.drop()
        await asyncio.gather(*tasks)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._links)

    def cut(self, direction: Direction | Literal["both"]) -> None:
        """Swallow the bytes of this direction from now on; connections stay open, new ones are accepted."""
        self._cut |= {"to_server", "to_client"} if direction == "both" else {direction}

    def heal(self) -> None:
        """Pass bytes again. Connections that lost some are reset: TCP never delivers a stream with a hole."""
        self._cut.clear()
        for link in self._links:
            if link.lost_bytes:
                link.reset()

    def forget(self) -> None:
        """Swallow, for good, what goes over the connections that are open now; new ones pass.

        A router that lost its table: neither side hears of it.
        """
        for link in self._links:
            link.forgotten = True

    def drop(self) -> None:
        """Reset all connections now."""
        for link in self._links:
            link.reset()

    def refuse(self, refusing: bool) -> None:
        """Whether new connections are reset as soon as they are made; open ones stay."""
        self._refusing = refusing

    def lose_next_answer_to(self, words: bytes) -> asyncio.Event:
        """PostgreSQL: pass on the next message with these words, swallow its answer, reset the connection.

        What the server did stays done, and the client cannot know: a COMMIT whose answer was lost. The event
        is set when that has happened.
        """
        self._awaited = _LostAnswer(words)
        return self._awaited.happened

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        link = _Link(writer)
        self._links[link] = task
        try:
            if self._refusing:
                link.reset()
                return
            try:
                server_reader, server_writer = await asyncio.open_connection(HOST, self.target_port)
            except OSError:
                link.reset()  # The target does not listen: the client learns it so.
                return
            link.server = server_writer
            await _until_first_ends(
                _pump(reader, server_writer, lambda data: self._to_server(link, data)),
                _pump(server_reader, writer, lambda data: self._to_client(link, data)),
            )
        finally:
            link.close()
            del self._links[link]

    def _to_server(self, link: "_Link", data: bytes) -> bytes:
        """What is left to pass on of what the client sent."""
        if "to_server" in self._cut or link.forgotten:
            return self._swallow(link, data)
        if self._awaited is not None and self._awaited.is_asked_for(link, data):
            link.losing, self._awaited = self._awaited, None
        return data

    def _to_client(self, link: "_Link", data: bytes) -> bytes:
        """What is left to pass on of what the server sent."""
        if link.losing is not None:
            if link.losing.is_whole(data):
                link.losing.happened.set()
                link.reset()
            return b""
        if "to_client" in self._cut or link.forgotten:
            return self._swallow(link, data)
        return data

    def _swallow(self, link: "_Link", data: bytes) -> bytes:
        link.lost_bytes = True
        self.swallowed_bytes += len(data)
        return b""


class _Link:
    """One client's connection and, once it is made, the one to the server for it."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.lost_bytes = False
        self.forgotten = False
        self.losing: _LostAnswer | None = None

    def close(self) -> None:
        """Close in good order: what was passed on still arrives, then an end of file."""
        for writer in self._writers():
            writer.close()

    def reset(self) -> None:
        """Close at once with RST, so that both sides see an error and no end of file."""
        for writer in self._writers():
            if not writer.transport.is_closing():
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                writer.transport.abort()

    def _writers(self) -> list[asyncio.StreamWriter]:
        return [self.client] if self.server is None else [self.client, self.server]


class _LostAnswer:
    """The wish to lose the answer to the next message that has these words."""

    def __init__(self, words: bytes) -> None:
        self.happened = asyncio.Event()
        self._words = words
        self._sent: dict[_Link, bytes] = {}
        self._answer = b""

    def is_asked_for(self, link: _Link, data: bytes) -> bool:
        """Whether the link's client has sent the words, be it in two chunks."""
        sent = self._sent.get(link, b"") + data
        self._sent[link] = sent[-len(self._words) :]
        return self._words in sent

    def is_whole(self, data: bytes) -> bool:
        """Whether the answer, of which `data` is the next part, has arrived to its end."""
        self._answer += data
        return READY_FOR_QUERY in self._answer


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, judge: Callable[[bytes], bytes]) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(judge(data))
            await writer.drain()


async def _until_first_ends(*pumps: Coroutine[None, None, None]) -> None:
    tasks = [asyncio.ensure_future(pump) for pump in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
