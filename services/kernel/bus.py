"""The bus: the two streams, and JetStream's API as plain requests."""

from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from schemas.subjects import PARTITIONS
from services.kernel.clock import from_rfc3339
from services.kernel.settings import Settings

EVENTS = "EVENTS"
INBOX = "INBOX"
ROOTS = {EVENTS: "evt", INBOX: "inbox"}
"""Stream -> first token of its subjects."""

LEAST_SERVER = (2, 12)
"""The first nats-server with atomic batches."""

ANSWER_S = 5.0
"""How long JetStream may take to answer a request."""

_NO_MESSAGE = 10037
"""err_code of JetStream: no message found."""
_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND


class Nats(Protocol):
    """What the kernel uses of `nats.aio.client.Client`."""

    @property
    def is_connected(self) -> bool: ...
    @property
    def stats(self) -> dict[str, int]: ...
    def new_inbox(self) -> str: ...
    async def publish(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> None: ...
    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,  # noqa: ASYNC109 - nats-py's own signature
        old_style: bool = False,
        headers: dict[str, Any] | None = None,
    ) -> Msg: ...
    async def subscribe(self, subject: str, *args: Any, **options: Any) -> Any: ...


class BusError(Exception):
    """JetStream refused a request. `code` is its err_code (0: no answer came)."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class StreamState(Struct, frozen=True):
    """created tells one log from another; first and last are sequences."""

    created: datetime
    first: int
    last: int


async def request(nats: Nats, subject: str, body: Any) -> dict[str, Any]:
    """One JetStream API call. Raises BusError with the server's reason, or with code 0 where none came."""
    try:
        answer = await nats.request(f"$JS.API.{subject}", msgspec.json.encode(body), timeout=ANSWER_S)
    except (NatsError, TimeoutError, OSError) as error:
        raise BusError(f"{subject}: no answer from JetStream ({type(error).__name__})") from error
    reply: dict[str, Any] = msgspec.json.decode(answer.data)
    if error := reply.get("error"):
        raise BusError(f"{subject}: {error.get('description')}", int(error.get("err_code", 0)))
    return reply


async def publish(nats: Nats, subject: str, payload: bytes, headers: dict[str, str]) -> int:
    """Have a stream store a message; its sequence there. Raises BusError (code 0: it may be stored) and NatsError."""
    try:
        reply = await nats.request(subject, payload, timeout=ANSWER_S, headers=headers)
    except (TimeoutError, OSError) as error:
        raise BusError(f"publish: no acknowledgement ({type(error).__name__})") from error
    answer: dict[str, Any] = msgspec.json.decode(reply.data)
    if error := answer.get("error"):
        raise BusError(f"publish: {error.get('description')}", int(error.get("err_code", 0)))
    return answer["seq"]


async def stream_state(nats: Nats, stream: str) -> StreamState:
    """Raises BusError, code 10059 where the stream does not exist."""
    info = await request(nats, f"STREAM.INFO.{stream}", {})
    state = info["state"]
    return StreamState(from_rfc3339(info["created"]), state["first_seq"], state["last_seq"])


async def stored(nats: Nats, stream: str, seq: int) -> dict[str, Any] | None:
    """A message as STREAM.MSG.GET tells it; None where there is none of this sequence. Raises BusError."""
    try:
        reply = await request(nats, f"STREAM.MSG.GET.{stream}", {"seq": seq})
    except BusError as error:
        if error.code == _NO_MESSAGE:
            return None
        raise
    return reply["message"]


async def last_of(nats: Nats, subject: str) -> int:
    """The last sequence of EVENTS that this filter matches; 0 if there is none. Raises BusError."""
    try:
        reply = await request(nats, f"STREAM.MSG.GET.{EVENTS}", {"last_by_subj": subject})
    except BusError as error:
        if error.code == _NO_MESSAGE:
            return 0
        raise
    return int(reply["message"]["seq"])


async def ensure_streams(nats: Nats, settings: Settings) -> None:
    """Create both streams, or bring them to this configuration. Raises BusError."""
    for wanted in configurations(settings):
        name = wanted["name"]
        found = await stream_configuration(nats, name)
        if found is None:
            try:
                await request(nats, f"STREAM.CREATE.{name}", wanted)
                continue
            except BusError:  # another service may have made it meanwhile
                found = await stream_configuration(nats, name)
                if found is None:
                    raise
        if differing(found, wanted):
            await request(nats, f"STREAM.UPDATE.{name}", wanted)


async def stream_configuration(nats: Nats, stream: str) -> dict[str, Any] | None:
    """How the stream is configured; None where it does not exist. Raises BusError.

    To be asked before a stream is created: a server refuses what would not fit beside what it has reserved (10047),
    even the same stream once more.
    """
    try:
        return (await request(nats, f"STREAM.INFO.{stream}", {}))["config"]
    except BusError as error:
        if error.code == 10059:  # stream not found
            return None
        raise


def configurations(settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """How EVENTS and INBOX are to be configured, as JetStream's API takes it."""
    return _events(settings), _inbox(settings)


def differing(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """The fields of a wanted configuration that a stream has otherwise; the server adds fields of its own."""
    return [name for name, value in wanted.items() if found.get(name) != value]


def check_server(major: int, minor: int) -> None:
    """Raises BusError where the server is too old for atomic batches."""
    if (major, minor) < LEAST_SERVER:
        wanted = ".".join(map(str, LEAST_SERVER))
        raise BusError(f"nats-server {major}.{minor} is too old: CareBus needs {wanted} or newer (atomic batches)")


def _events(settings: Settings) -> dict[str, Any]:
    return {
        "name": EVENTS,
        "description": "CareBus: the log",
        "subjects": ["evt.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_bytes": settings.log_max_bytes,
        "max_msg_size": 1024 * 1024,
        "duplicate_window": settings.duplicate_window_s * _SECOND,
        "allow_atomic": True,
        "allow_direct": True,
    }


def _inbox(settings: Settings) -> dict[str, Any]:
    wildcards = ".".join(f"{{{{wildcard({n})}}}}" for n in (1, 2, 3))
    return {
        "name": INBOX,
        "description": "CareBus: raw facts, as outside systems publish them",
        "subjects": ["in.*.*.*"],
        "subject_transform": {
            "src": "in.*.*.*",
            "dest": f"inbox.{{{{partition({PARTITIONS},2)}}}}.{wildcards}",
        },
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_age": 14 * _DAY,
        "max_bytes": settings.inbox_max_bytes,
        "max_msg_size": 512 * 1024,
        "duplicate_window": settings.duplicate_window_s * _SECOND,
        "allow_direct": True,
    }
