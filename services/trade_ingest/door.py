"""The HTTP door: `POST /in/<source>/<shop>/<kind>` puts the body into INBOX, for systems that cannot speak NATS.

A request is signed after Standard Webhooks (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`; five
minutes of tolerance) with a secret of its source and shop (door_file.py). 202 means that JetStream holds the body, byte
for byte, as if it had been published on `in.<source>.<shop>.<kind>`: what becomes of it is told there (`notice.`).
Whoever is not sure sends again; the same id with the same body is one message within JetStream's duplicate window.

| status | code | |
| --- | --- | --- |
| 202 | | `{"stream": "INBOX", "seq": 17}` |
| 400 | not_utf8 | what is signed is text |
| 401 | unauthorized | no signature, a wrong one, or one of another time: which, only the log says |
| 404 | no_door | not such a path, or a source and shop without a door |
| 405 | not_post | |
| 408 | too_slow | the body did not arrive within BODY_S |
| 413 | too_large | INBOX takes MAX_BODY bytes a message, its header included |
| 503 | busy, full, unavailable | `Retry-After` says when to try again |

Whatever is sent, a request holds MAX_BODY bytes and some, and there are UNDER_WAY of them at most.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from urllib.parse import unquote_to_bytes

import msgspec
from faststream.asgi import AsgiResponse
from msgspec import Struct
from nats.errors import Error as NatsError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from schemas import subjects
from services.kernel import bus
from services.kernel.clock import monotonic
from services.kernel.doors import Answer, Door, DoorMeans, Message, Receive, Send
from services.kernel.inputs import MAX_ID
from services.kernel.telemetry import Log
from services.trade_ingest.door_file import Doors, read_doors

PREFIX = "/in/"
MAX_BODY = 512 * 1024
"""Bytes: what INBOX takes of a message (bus.py)."""
BODY_S = 10.0
"""How long a body may take to arrive."""
UNDER_WAY = 64
"""Requests that are read or published at once; their bodies take 32 MiB at most."""

_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_TOO_LARGE, _FULL = 10054, 10077
"""err_codes of JetStream: the message exceeds the stream's maximum; the stream is at its maximum."""


class Place(Struct, frozen=True):
    """What a path names."""

    source: str
    shop: str
    kind: str

    @property
    def subject(self) -> str:
        return subjects.raw(self.source, self.shop, self.kind)


class Refusal(Exception):
    """An answer other than 202. why: for the log, where it says more than the code may."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None, why: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.why = why or code
        self.response = AsgiResponse(
            msgspec.json.encode({"code": code, "message": message}),
            status,
            {"content-type": "application/json", **(headers or {})},
        )


class Gone(Exception):
    """The sender hung up before its request was whole: there is nobody to answer."""


class _Fault(Struct, frozen=True):
    err_code: int = 0


class _Ack(Struct, frozen=True):
    """What JetStream answers to a publish."""

    stream: str = ""
    seq: int = 0
    error: _Fault | None = None


def open_door(means: DoorMeans) -> Answer:
    """Raises SettingsError where the door file is wrong."""
    return HttpDoor(read_doors(means.settings), means)


DOOR = Door(prefix=PREFIX, open=open_door)


class HttpDoor:
    """Answers every request under PREFIX."""

    def __init__(self, doors: Doors, means: DoorMeans) -> None:
        self._doors = doors
        self._nats = means.nats
        self._log = means.log
        self._metrics = means.metrics
        self._under_way = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        started = monotonic()
        place = place_of(scope)
        if place is not None and (place.source, place.shop) not in self._doors:
            place = None
        named = {"source": place.source, "shop": place.shop} if place else {}
        try:
            ack = await self._taken(place, scope, receive)
        except Gone:
            self._metrics.door("gone", monotonic() - started)
            return
        except Refusal as refusal:
            seconds = monotonic() - started
            self._metrics.door(refusal.code, seconds)
            self._log.say(Log.DOOR_REFUSED, **named, reason=refusal.why, seconds=round(seconds, 4))
            await refusal.response(scope, receive, send)
            return
        seconds = monotonic() - started
        self._metrics.door("accepted", seconds)
        self._log.say(Log.DOOR_ACCEPTED, **named, seq=ack.seq, seconds=round(seconds, 4))
        body = msgspec.json.encode({"stream": ack.stream, "seq": ack.seq})
        await AsgiResponse(body, 202, {"content-type": "application/json"})(scope, receive, send)

    async def _taken(self, place: Place | None, scope: Message, receive: Receive) -> _Ack:
        """JetStream's acknowledgement. Raises Refusal, Gone."""
        if place is None:
            raise Refusal(404, "no_door", f"POST {PREFIX}<source>/<shop>/<kind> of a source and shop that have a door")
        if scope["method"] != "POST":
            raise Refusal(405, "not_post", "only POST", {"allow": "POST"})
        if self._under_way >= UNDER_WAY:
            raise _later("busy", "too many requests are under way", 1)
        self._under_way += 1
        try:
            headers = headers_of(scope["headers"])
            body = await _read(headers.get("content-length", ""), receive)
            if fault := fault_of(self._doors[place.source, place.shop], headers, body):
                raise Refusal(401, "unauthorized", "no valid signature of this time", why=fault)
            return await self._publish(place.subject, headers["webhook-id"], body)
        finally:
            self._under_way -= 1

    async def _publish(self, subject: str, sent_as: str, body: bytes) -> _Ack:
        headers = {"Nats-Msg-Id": message_id(subject, sent_as, body)}
        try:
            reply = await self._nats.request(subject, body, timeout=bus.ANSWER_S, headers=headers)
            ack = msgspec.json.decode(reply.data, type=_Ack)
        except (NatsError, TimeoutError, OSError, msgspec.MsgspecError) as error:
            raise _later("unavailable", "JetStream does not answer", 5, type(error).__name__) from None
        match ack.error:
            case None if ack.seq:
                return ack
            case None:
                raise _later("unavailable", "JetStream does not take it", 5, "what answered is not JetStream")
            case _Fault(err_code=code) if code == _TOO_LARGE:
                raise _too_large()
            case _Fault(err_code=code) if code == _FULL:
                raise _later("full", "INBOX is full", 60)
            case _Fault(err_code=code):
                raise _later("unavailable", "JetStream does not take it", 5, f"JetStream error {code}")


def place_of(scope: Message) -> Place | None:
    """What the path names; None where it is not of the form. Its parts are ids, percent-encoded as any URL's."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    parts = path.removeprefix(PREFIX.encode()).split(b"/")
    try:
        names = [unquote_to_bytes(part).decode() for part in parts]
    except UnicodeDecodeError:
        return None
    if len(names) != 3 or not all(0 < len(name) <= MAX_ID and "\0" not in name for name in names):
        return None
    return Place(*names)


def headers_of(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Those that the door reads, by their names in lower case."""
    wanted = {*_HEADERS, "content-length"}
    found = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
    return {name: value for name, value in found if name in wanted}


def fault_of(secrets: Sequence[Webhook], headers: Mapping[str, str], body: bytes) -> str:
    """Why none of the secrets vouches for this body, in the library's words; empty: one does. Raises Refusal."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refusal(400, "not_utf8", "the body is no text in UTF-8") from None
    fault = ""
    for secret in secrets:
        try:
            secret.verify(text, {name: headers.get(name, "") for name in _HEADERS}, json_parse=False)
            return ""
        except WebhookVerificationError as error:
            fault = str(error)
        except ValueError:  # the library lets through what it stumbles over: no comma, no base64
            fault = "Malformed signature"
    return fault


def message_id(subject: str, sent_as: str, body: bytes) -> str:
    """What JetStream knows a repetition by. Not the sender's id alone: platforms give one id to several messages
    (feeds.md), and shops share the stream, so that one's message would swallow another's.
    """
    digest = blake2b(digest_size=20)
    for part in (subject.encode(), sent_as.encode(), body):
        digest.update(len(part).to_bytes(8) + part)
    return f"door-{digest.hexdigest()}"


async def _read(declared: str, receive: Receive) -> bytes:
    """The body. Raises Refusal, Gone."""
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > MAX_BODY:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    raise _too_large()
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        slow = f"the body did not arrive within {BODY_S:g} s"
        raise Refusal(408, "too_slow", slow, {"connection": "close"}) from None


def _too_large() -> Refusal:
    return Refusal(413, "too_large", f"a message has at most {MAX_BODY} bytes, its header included")


def _later(code: str, message: str, after_s: int, why: str = "") -> Refusal:
    return Refusal(503, code, message, {"retry-after": str(after_s)}, f"{code}: {why}" if why else "")
