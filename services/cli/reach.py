"""Connecting to NATS and PostgreSQL once, and telling apart why it did not work: what was found, and the cure."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import nats
from msgspec import Struct
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.kernel.bus import LEAST_SERVER
from services.kernel.settings import Settings
from services.kernel.telemetry import safe_url

REACH_S = 2.5
"""Longest for one step on the way: the connection and greeting, then the login."""
NATS_PORT = 4222


class Unreachable(Exception):
    """The text says what was found; cure: the command or setting that mends it."""

    def __init__(self, found: str, cure: str) -> None:
        super().__init__(found)
        self.cure = cure


class NoDatabase(Unreachable):
    """PostgreSQL answers and takes the login, but the database is not there."""


class ServerInfo(Struct, frozen=True):
    """What nats-server says of itself before anybody logs in."""

    version: str
    jetstream: bool = False
    auth_required: bool = False

    @property
    def is_too_old(self) -> bool:
        return tuple(int(part) for part in self.version.split("-")[0].split(".")[:2]) < LEAST_SERVER


async def nats_info(settings: Settings) -> ServerInfo | None:
    """The server's greeting; None where it comes only after a TLS handshake. Raises Unreachable."""
    where = f"NATS at {safe_url(settings.nats_url)}"
    try:
        parts = urlsplit(settings.nats_url)
        host, port = parts.hostname, parts.port or NATS_PORT
    except ValueError:
        host, port = None, 0
    if not host:
        raise Unreachable(f"{settings.nats_url!r} is no address", "set CAREBUS_NATS_URL, as in nats://127.0.0.1:4222")
    if parts.scheme not in ("nats", ""):
        return None
    try:
        async with asyncio.timeout(REACH_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                greeting = await reader.readline()
            finally:
                writer.close()
    except TimeoutError:
        raise Unreachable(
            f"{where} does not answer within {REACH_S:g} s",
            "look whether the server is frozen or a firewall drops what is sent; is CAREBUS_NATS_URL right?",
        ) from None
    except (OSError, asyncio.LimitOverrunError, ValueError) as error:
        raise Unreachable(
            f"{where} cannot be connected to: {_why(error)}",
            "start it: `carebus up`; or set CAREBUS_NATS_URL to where it is",
        ) from None
    word, _, rest = greeting.partition(b" ")
    try:
        if word != b"INFO":
            raise ValueError(greeting)
        return msgspec.json.decode(rest, type=ServerInfo)
    except (ValueError, msgspec.MsgspecError):
        raise Unreachable(f"what answers at {safe_url(settings.nats_url)} is no nats-server", _OTHER_PORT) from None


_OTHER_PORT = "set CAREBUS_NATS_URL to the server's client port (4222 by default; 8222 is its monitoring)"


async def connect_nats(settings: Settings) -> Client:
    """A connection that is not made again when it is lost. Raises Unreachable and SettingsError."""
    errors: list[Exception] = []

    async def heard(error: Exception) -> None:
        errors.append(error)

    options: dict[str, Any] = {"allow_reconnect": False, "connect_timeout": REACH_S, "error_cb": heard}
    if settings.nats_credentials_file:
        options["user_credentials"] = settings.nats_credentials_file
    where = f"NATS at {safe_url(settings.nats_url)}"
    try:
        return await nats.connect(settings.nats(), **options)
    except (NatsError, OSError, TimeoutError, ValueError, ImportError) as error:
        reason = errors[-1] if errors else error
        if "authorization" in str(reason).lower() or "authentication" in str(reason).lower():
            raise Unreachable(
                f"{where} refuses the login",
                "set the user in CAREBUS_NATS_URL, its password in the file that CAREBUS_NATS_PASSWORD_FILE names",
            ) from None
        raise Unreachable(
            f"{where} cannot be used: {_why(reason)}", "look at the server's log; is CAREBUS_NATS_URL right?"
        ) from None


async def connect_postgres(settings: Settings) -> asyncpg.Connection:
    """Raises Unreachable and SettingsError."""
    where = f"PostgreSQL at {safe_url(settings.postgres_dsn)}"
    try:
        return await asyncpg.connect(
            settings.dsn(),
            timeout=REACH_S,
            command_timeout=REACH_S,
            server_settings={"application_name": "carebus-cli"},
        )
    except asyncpg.InvalidCatalogNameError:
        raise NoDatabase(
            f"{where}: there is no such database",
            "create and migrate it: `carebus up`, or dbmate with deploy/migrations",
        ) from None
    except asyncpg.InvalidAuthorizationSpecificationError as error:  # a wrong password is one of them
        raise Unreachable(
            f"{where} refuses the login: {_why(error)}",
            "set the role in CAREBUS_POSTGRES_DSN, its password in the file that CAREBUS_POSTGRES_PASSWORD_FILE names",
        ) from None
    except TimeoutError:
        raise Unreachable(
            f"{where} does not answer within {REACH_S:g} s",
            "look whether the server is frozen or a firewall drops what is sent; is CAREBUS_POSTGRES_DSN right?",
        ) from None
    except OSError as error:
        raise Unreachable(
            f"{where} cannot be connected to: {_why(error)}",
            "start it: `carebus up`; or set CAREBUS_POSTGRES_DSN to where it is",
        ) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise Unreachable(
            f"{where} cannot be used: {_why(error)}", "look at the server's log; is CAREBUS_POSTGRES_DSN right?"
        ) from None


def _why(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return safe_url(str(error).partition("\n")[0]) or type(error).__name__
