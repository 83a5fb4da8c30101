"""Reading a stream in order: one ephemeral pull consumer over the owned partitions, and what can go wrong with it.

Acknowledgements are never relied on; the checkpoints in PostgreSQL say where to go on. Anything odd (a gap, a
heartbeat ahead of what arrived, silence, a reconnect) raises ReaderLost: open again from the checkpoints.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from nats.aio.msg import Msg

from schemas.subjects import partition_filter, stored_partition
from services.kernel import bus
from services.kernel.clock import from_nanoseconds, from_rfc3339, monotonic
from services.kernel.ids import unique

PULL = 1_000
"""Messages asked for in one pull request; the next goes out when half of it has come."""
BUFFER = 8_000
"""Messages held in memory before no more are asked for."""
HEARTBEAT_S = 1
SILENCE_S = 3.5
"""Without a word for this long while a pull is open, the consumer is taken for lost."""
RECORDED_HEADER = "Carebus-Recorded"


class ReaderLost(Exception):
    """The consumer can no longer be trusted; the text says why. Open again."""

    def __init__(self, stream: str, why: str) -> None:
        super().__init__(f"{stream}: {why}")
        self.stream = stream


class Message(Struct, frozen=True):
    """One stored message. recorded: when the stream took it (UTC, microseconds)."""

    stream: str
    seq: int
    subject: str
    recorded: datetime
    payload: bytes


class Reader:
    """Messages of one stream, of the owned partitions, in stream order.

    driven: recordedtime comes from the header `Carebus-Recorded` (tests and demo only).
    """

    def __init__(self, nats: bus.Nats, stream: str, wake: asyncio.Event, *, driven: bool = False) -> None:
        self._nats = nats
        self._stream = stream
        self._wake = wake
        self._driven = driven
        self._positions: dict[int, int] = {}
        self._buffer: deque[Message] = deque()
        self._subscription: Any = None
        self._consumer = ""
        self._inbox = ""
        self._asked = 0
        self._arrived: int = 0
        self._pending: int = 0
        self._heard = 0.0
        self._reconnects = 0
        self._lost = "not open"

    @property
    def waiting(self) -> int:
        """Messages that have arrived or, as the server said with the last of them, are still to come."""
        return len(self._buffer) + self._pending

    async def open(self, positions: Mapping[int, int]) -> None:
        """Read the partitions from behind the given sequences. Raises BusError where JetStream does not answer."""
        await self.close()
        self._positions = dict(positions)
        self._buffer.clear()
        self._asked = 0
        self._arrived = 0
        self._pending = 0
        self._reconnects = self._nats.stats["reconnects"]
        if not positions:
            self._lost = ""
            return
        self._consumer = f"carebus-{unique()}"
        await bus.request(
            self._nats,
            f"CONSUMER.CREATE.{self._stream}.{self._consumer}",
            {
                "stream_name": self._stream,
                "config": {
                    "name": self._consumer,
                    "deliver_policy": "by_start_sequence",
                    "opt_start_seq": min(positions.values()) + 1,
                    "ack_policy": "none",
                    "mem_storage": True,
                    "num_replicas": 1,
                    "max_waiting": 16,
                    "inactive_threshold": 30_000_000_000,
                    "filter_subject": partition_filter(bus.ROOTS[self._stream], positions),
                },
            },
        )
        self._inbox = self._nats.new_inbox()
        self._subscription = await self._nats.subscribe(
            self._inbox, cb=self._arrive, pending_msgs_limit=0, pending_bytes_limit=0
        )
        self._lost = ""
        self._heard = monotonic()
        await self._ask()

    async def close(self) -> None:
        """Stop reading; the server forgets the consumer by itself."""
        subscription, self._subscription = self._subscription, None
        self._lost = self._lost or "closed"
        if subscription is not None and self._nats.is_connected:
            await subscription.unsubscribe()

    async def take(self, limit: int) -> list[Message]:
        """Up to `limit` messages that are there now, perhaps none. Raises ReaderLost."""
        if not self._positions:
            return []
        self._check()
        taken: list[Message] = []
        while self._buffer and len(taken) < limit:
            taken.append(self._buffer.popleft())
        await self._ask()
        return taken

    async def caught_up(self) -> datetime | None:
        """An instant of the log's clock before which nothing is left to read; None: there is more.

        Raises ReaderLost, BusError.
        """
        if not self._positions:
            return None
        self._check()
        if self._buffer:
            return None
        info = await bus.request(self._nats, f"CONSUMER.INFO.{self._stream}.{self._consumer}", {})
        if self._buffer or info["num_pending"] or info["delivered"]["consumer_seq"] != self._arrived:
            return None
        return from_rfc3339(info["ts"])

    def _check(self) -> None:
        if self._nats.stats["reconnects"] != self._reconnects:
            self._lost = "the connection was made anew"
        elif self._asked > 0 and monotonic() - self._heard > SILENCE_S:
            self._lost = self._lost or f"no word from the consumer for {SILENCE_S} s"
        if self._lost:
            raise ReaderLost(self._stream, self._lost)

    async def _ask(self) -> None:
        if self._asked > PULL // 2 or len(self._buffer) > BUFFER or not self._nats.is_connected:
            return
        if self._asked <= 0:
            self._heard = monotonic()
        self._asked += PULL
        body = {"batch": PULL, "expires": 30_000_000_000, "idle_heartbeat": HEARTBEAT_S * 1_000_000_000}
        await self._nats.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}",
            msgspec.json.encode(body),
            self._inbox,
        )

    async def _arrive(self, msg: Msg) -> None:
        self._heard = monotonic()
        if msg.reply.startswith("$JS.ACK."):
            _, seq, consumed, nanoseconds, pending = _fields(msg.reply)
            number = int(consumed)
            if number != self._arrived + 1:
                self._lost = f"gap: message {number} came after {self._arrived}"
            self._arrived = number
            self._asked -= 1
            self._pending = int(pending)
            stored = int(seq)
            position = self._positions.get(stored_partition(msg.subject))
            if position is not None and stored > position:  # else another replica's, or handled before
                recorded = _recorded(msg, int(nanoseconds), driven=self._driven)
                self._buffer.append(Message(self._stream, stored, msg.subject, recorded, msg.data))
        else:
            self._status(msg.headers or {})
        if len(self._buffer) < 2 or self._lost:
            self._wake.set()

    def _status(self, headers: Mapping[str, str]) -> None:
        status = headers.get("Status", "")
        if status == "100":
            if int(headers.get("Nats-Last-Consumer", "0")) > self._arrived:
                self._lost = "the server has sent more than arrived"
        elif status in ("404", "408"):
            self._asked -= int(headers.get("Nats-Pending-Messages", PULL))
            self._wake.set()
        else:
            self._lost = f"status {status} {headers.get('Description', '').strip()}"


def message_of(stream: str, msg: Msg, *, driven: bool = False) -> Message:
    """A JetStream delivery as a stored message."""
    _, seq, _, nanoseconds, _ = _fields(msg.reply)
    return Message(stream, int(seq), msg.subject, _recorded(msg, int(nanoseconds), driven=driven), msg.data)


def stored_message(stream: str, told: Mapping[str, Any], *, driven: bool = False) -> Message:
    """A message as STREAM.MSG.GET tells it."""
    headers = base64.b64decode(told.get("hdrs", "")).decode()
    said = next((line for line in headers.splitlines() if line.startswith(f"{RECORDED_HEADER}:")), "")
    recorded = from_rfc3339(told["time"])
    if driven and said:
        recorded = datetime.fromisoformat(said.partition(":")[2].strip())
    return Message(stream, told["seq"], told["subject"], recorded, base64.b64decode(told.get("data", "")))


def _recorded(msg: Msg, nanoseconds: int, *, driven: bool) -> datetime:
    if driven and msg.headers and (said := msg.headers.get(RECORDED_HEADER)):
        return datetime.fromisoformat(said)
    return from_nanoseconds(nanoseconds)


def _fields(reply: str) -> list[str]:
    """delivered, stream sequence, consumer sequence, nanoseconds, pending - of either form of an ack subject."""
    tokens = reply.split(".")
    start = 4 if len(tokens) == 9 else 6
    return tokens[start : start + 5]
