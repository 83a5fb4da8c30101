"""Asking a shop's bridge over HTTP, and what its answer proves.

    POST <the bridge's URL>
    Idempotency-Key and webhook-id: the action id as a subject token
    webhook-timestamp, webhook-signature: as Standard Webhooks define them
    {"action_id", "shop", "buyer", "kind", "args"}

| what comes back | then |
| --- | --- |
| 200 or 201, `{"status": "done", "platform_ref"?}` | done |
| any status, `{"status": "refused", "error"}` | failed: the platform refused for good |
| any status, `{"status": "not_done", "error"?}`; 429 | again: it was not done, and may be asked for once more |
| any other 4xx | failed: the request is wrong, and stays so |
| no connection, or no trust in its certificate | again: nothing has left |
| anything else: 202, 3xx, 5xx, a body that cannot be read, a time-out or a reset after the request left | unknown |

A request is never repeated by the library: POST is not among what aiohttp repeats. Each has a connection of its own
(`force_close`): one that was kept may have been closed by the other side, which shows only when the request has left,
and would leave actions unknown for nothing. Redirects are not followed: they would carry a signed request elsewhere.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
import msgspec
from msgspec import Struct
from standardwebhooks.webhooks import Webhook

from schemas.platform import ActionArgs, ActionKind
from schemas.subjects import token
from services.kernel.clock import Clock, WallClock
from services.trade_ingest.bridge_file import Bridge

CONNECT_S = 5.0
TOTAL_S = 15.0
"""From asking to the last byte of the answer."""
MAX_ANSWER = 64 * 1024
"""Bytes of an answer; a longer one is not read."""
NOTE = 200
"""Characters of a bridge's own words that are kept."""

Status = Literal["done", "failed", "again", "unknown"]

_UNTOLD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Request(Struct, frozen=True, kw_only=True):
    """The body. The same action_id is the same action: a bridge performs it once, however often it is asked."""

    action_id: str
    shop: str
    buyer: str
    kind: ActionKind
    args: ActionArgs


class Outcome(Struct, frozen=True):
    """What is known of an action. note: the platform's own number if it was done, else what went wrong."""

    status: Status
    note: str = ""


class _Answer(Struct, frozen=True):
    status: Literal["done", "refused", "not_done"]
    platform_ref: str | int | None = None
    error: str | None = None


_decode = msgspec.json.Decoder(_Answer).decode


@asynccontextmanager
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    """One for all bridges of a process. Proxies, cookies and compressed answers are left out."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=TOTAL_S, connect=CONNECT_S)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as opened:
        yield opened


async def ask(client: aiohttp.ClientSession, bridge: Bridge, request: Request, clock: Clock | None = None) -> Outcome:
    """Ask once. clock: of the signature, which a bridge takes for five minutes. Raises nothing that aiohttp raises."""
    body = msgspec.json.encode(request)
    headers = _headers(bridge, request, body, clock or WallClock())
    try:
        async with client.post(bridge.url, data=body, headers=headers, allow_redirects=False) as response:
            return outcome(response.status, await _bounded(response))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        return Outcome("again", f"no connection ({type(error).__name__})")
    except TimeoutError:
        return Outcome("unknown", f"no answer within {client.timeout.total:g} s")
    except aiohttp.ClientError as error:  # it may have left before this was raised: never again by itself
        return Outcome("unknown", f"no whole answer ({type(error).__name__})")


def outcome(http_status: int, body: bytes) -> Outcome:
    """What an answer proves."""
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        answer = None
    said = _line(answer.error or "") if answer else ""
    match answer:
        case _Answer(status="done", platform_ref=reference) if http_status in (200, 201):
            return Outcome("done", _line("" if reference is None else str(reference)))
        case _Answer(status="refused"):
            return Outcome("failed", said or "refused without a reason")
        case _Answer(status="not_done"):
            return Outcome("again", said or f"not done (HTTP {http_status})")
        case _ if http_status == 429:
            return Outcome("again", "too many requests (HTTP 429)")
        case _ if 400 <= http_status < 500:
            return Outcome("failed", said or f"the bridge refused the request (HTTP {http_status})")
        case _:
            return Outcome("unknown", f"the answer (HTTP {http_status}) does not say whether it was done")


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, or nothing where it is longer than MAX_ANSWER."""
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > MAX_ANSWER:
            return b""
    return bytes(found)


def _headers(bridge: Bridge, request: Request, body: bytes, clock: Clock) -> dict[str, str]:
    name, now = token(request.action_id), clock.now()

    def signed(signer: Webhook) -> str:
        return signer.sign(name, now, body.decode())

    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "carebus",
        "Idempotency-Key": name,
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(map(signed, bridge.signers)),
    }


def _line(text: Any) -> str:
    """A bridge's words on one line of bounded length."""
    return _UNTOLD.sub(" ", text).strip()[:NOTE]
