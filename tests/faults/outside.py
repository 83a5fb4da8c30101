"""The outside world of a run: a platform that pushes facts and a desk that sends commands, both until answered."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec
import nats
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from schemas import subjects
from tests.faults.feed import Cancel, Feed, Push

AGAIN_S = 0.05
PUBLISH_S = 1.0
ANSWER_S = 2.0

AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What asyncpg raises while the server is away."""

Fetch = Callable[[str], Awaitable[list[Any]]]

_PROPOSED = "SELECT about FROM ex_ends.seen WHERE type = 'care.proposed'"


async def connect(url: str) -> Any:
    """A client that outlives every restart of the server and says nothing about it."""

    async def quiet(_: Exception) -> None:
        return None

    return await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.05, pending_size=0, error_cb=quiet)


@dataclass
class Outside:
    """answers: command id -> the distinct answers it got; odd: what no client should ever see."""

    client: Any
    fetch: Fetch
    answers: dict[str, set[bytes]] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    published: int = 0

    async def feed(self, feed: Feed, rate: float) -> None:
        """Publish every push in order, `rate` a second, each until INBOX has acknowledged it."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number, push in enumerate(feed.pushes):
            await asyncio.sleep(max(0.0, start + number / rate - loop.time()))
            await self._publish(push)
            self.published += 1

    async def cancel_all(self, feed: Feed) -> None:
        """Send each cancel when the desk can see its care; each command twice at once, as an impatient client does."""
        waiting = list(feed.cancels)
        while waiting:
            seen = {row["about"] for row in await self._seen()}
            for cancel in [cancel for cancel in waiting if cancel.care_id in seen]:
                waiting.remove(cancel)
                await asyncio.gather(self._send(cancel, cancel.first), self._send(cancel, cancel.first))
                await self._send(cancel, cancel.second)
            await asyncio.sleep(AGAIN_S)

    async def cancel_all_again(self, feed: Feed) -> None:
        """Repeat every command: the answers must be the first ones."""
        for cancel in feed.cancels:
            await self._send(cancel, cancel.first)
            await self._send(cancel, cancel.second)

    async def _seen(self) -> list[Any]:
        try:
            return await self.fetch(_PROPOSED)
        except AWAY:
            return []

    async def _publish(self, push: Push) -> None:
        while True:
            try:
                subject = subjects.raw("shop", push.shop, "order")
                await self.client.jetstream().publish(subject, push.payload, timeout=PUBLISH_S)
                return
            except (NatsError, APIError, TimeoutError, OSError):
                await asyncio.sleep(AGAIN_S)

    async def _send(self, cancel: Cancel, command_id: str) -> None:
        body = {
            "command_id": command_id,
            "shop": cancel.shop,
            "actor": {"id": "a1", "role": "agent"},
            "data": {"care_id": cancel.care_id},
        }
        while True:
            answer = await self._ask(subjects.command("ex_remind", "cancel_care"), msgspec.json.encode(body))
            code = msgspec.json.decode(answer).get("code", "") if answer else "unavailable"
            if code in ("internal_error", "command_conflict", "invalid_field", "lane_blocked"):
                self.odd.append(f"command {command_id}: {answer.decode()}")
            if code != "unavailable":
                self.answers.setdefault(command_id, set()).add(answer)
                return
            await asyncio.sleep(AGAIN_S)

    async def _ask(self, subject: str, payload: bytes) -> bytes:
        """The answer; empty where none came."""
        try:
            return (await self.client.request(subject, payload, timeout=ANSWER_S)).data
        except (NatsError, TimeoutError, OSError):
            return b""
