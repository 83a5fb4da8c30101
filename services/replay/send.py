"""Sending the entries of a stream file: facts with JetStream's acknowledgement, many in flight and in order; commands
by request and reply.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from services.kernel.bus import BusError
from services.kernel.clock import monotonic
from services.replay.stream import Entry

WINDOW = 256
"""Facts that are under way at once."""
ACK_S = 10.0
"""How long without any acknowledgement before JetStream is taken for lost."""
ANSWER_S = 15.0
"""How long a command may take; a service answers earlier, be it with `unavailable`."""

_LOOK_S = 0.2
_FULL = 10077


class Sender:
    """Sends in the order of the calls. stored: facts that are acknowledged; last: INBOX's last sequence among them."""

    def __init__(self, nats: Any, on_stored: Callable[[], None] = lambda: None) -> None:
        self.stored = 0
        self.last = 0
        self._nats = nats
        self._on_stored = on_stored
        self._inbox = nats.new_inbox()
        self._under_way: dict[str, Entry] = {}
        self._changed = asyncio.Event()
        self._fault: BusError | None = None

    async def __aenter__(self) -> Self:
        self._subscription = await self._nats.subscribe(f"{self._inbox}.*", cb=self._acknowledged)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._nats.is_connected:
            with suppress(NatsError):
                await self._subscription.unsubscribe()

    async def publish(self, entry: Entry, headers: Mapping[str, str] | None = None) -> None:
        """Send a fact; returns before it is acknowledged. Raises BusError once JetStream has refused any fact."""
        await self._until(WINDOW - 1)
        number = str(entry.line)
        self._under_way[number] = entry
        try:
            await self._nats.publish(
                entry.subject, entry.data, f"{self._inbox}.{number}", headers=dict(headers) if headers else None
            )
        except NatsError as error:
            del self._under_way[number]
            raise BusError(f"line {entry.line}: {str(error) or type(error).__name__}") from error

    async def settled(self) -> None:
        """Wait until every fact sent is acknowledged. Raises BusError where one was refused or no word came."""
        await self._until(0)

    async def command(self, entry: Entry) -> dict[str, Any]:
        """The answer to a command: `result` is accepted or rejected. Raises BusError where no service answers."""
        try:
            reply = await self._nats.request(entry.subject, entry.data, timeout=ANSWER_S)
        except NoRespondersError:
            raise BusError(f"line {entry.line}: no service answers {entry.subject}: is it running?") from None
        except (NatsError, TimeoutError) as error:
            name = type(error).__name__
            raise BusError(
                f"line {entry.line}: {entry.subject} was not answered within {ANSWER_S:g} s ({name})"
            ) from error
        return msgspec.json.decode(reply.data)

    async def _until(self, most: int) -> None:
        """Wait until at most so many are under way; after a fault until none is. Raises BusError."""
        heard, left = monotonic(), len(self._under_way)
        while len(self._under_way) > (0 if self._fault else most):
            if self._nats.is_closed:
                self._lose("the connection to NATS was lost")
            elif len(self._under_way) != left:
                heard, left = monotonic(), len(self._under_way)
            elif monotonic() - heard > ACK_S:
                self._lose(f"no acknowledgement from JetStream within {ACK_S:g} s")
            else:
                self._changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _LOOK_S)
        if self._fault:
            raise self._fault

    def _lose(self, why: str) -> None:
        lost = list(self._under_way.values())
        self._under_way.clear()
        self._fault = self._fault or BusError(
            f"line {lost[0].line}: {why}; {len(lost)} facts from there on may or may not be stored"
        )

    async def _acknowledged(self, msg: Msg) -> None:
        entry = self._under_way.pop(msg.subject.rpartition(".")[2], None)
        self._changed.set()
        if entry is None:
            return
        if fault := _refusal(entry, msg):
            self._fault = self._fault or fault
            return
        self.stored += 1
        self.last = max(self.last, msgspec.json.decode(msg.data)["seq"])
        self._on_stored()


def _refusal(entry: Entry, msg: Msg) -> BusError | None:
    """Why JetStream did not store a fact."""
    place = f"line {entry.line}: {entry.subject}"
    if not msg.data:
        return BusError(f"{place}: no stream takes it; the services make INBOX when they start (carebus up)")
    try:
        error = msgspec.json.decode(msg.data).get("error")
    except (msgspec.DecodeError, AttributeError):
        return BusError(f"{place}: what answered is not JetStream")
    if error is None:
        return None
    code, said = int(error.get("err_code", 0)), error.get("description", "")
    if code == _FULL:
        said = f"INBOX is full ({said}): raise CAREBUS_INBOX_MAX_BYTES or wait until its oldest messages expire"
    return BusError(f"{place}: {said} (error {code})", code)
