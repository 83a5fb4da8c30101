"""Connecting to NATS and PostgreSQL once, and telling apart why it did not work: what was found, and the cure."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import nkeys
from msgspec import Struct
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.kernel.bus import LEAST_SERVER
from services.kernel.settings import Settings, SettingsError
from services.kernel.telemetry import safe_url

REACH_S = 2.5
"""Longest for one step on the way: the connection and greeting, then the login."""
NATS_PORT = 4222
NAME = "carebus-cli"
"""What the servers call these connections."""


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
    host, port = _address(settings)
    if urlsplit(settings.nats_url).scheme not in ("nats", ""):
        return None
    try:
        async with asyncio.timeout(REACH_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                greeting = await reader.readline()
            finally:
                writer.close()
    except (OSError, asyncio.LimitOverrunError, ValueError) as error:  # a TimeoutError is an OSError
        raise _no_nats(settings, error) from None
    word, _, rest = greeting.partition(b" ")
    try:
        if word != b"INFO":
            raise ValueError(greeting)
        return msgspec.json.decode(rest, type=ServerInfo)
    except (ValueError, msgspec.MsgspecError):
        raise Unreachable(f"what answers at {safe_url(settings.nats_url)} is no nats-server", _OTHER_PORT) from None


_OTHER_PORT = "set CAREBUS_NATS_URL to the server's client port (4222 by default; 8222 is its monitoring)"


async def connect_nats(settings: Settings, *, again: bool = False, closed: Callable[[], None] = lambda: None) -> Client:
    """A connection of which nats-py writes nothing to stderr. Raises Unreachable.

    again: once it stands, it is made anew whenever it is lost. closed: called when it has ended for good.
    """
    _address(settings)
    url = _with_secret(settings.nats)
    connecting, stands = True, False

    async def heard(error: Exception) -> None:
        """Ends the first attempt, which nats-py would otherwise repeat for ever, whatever it was told."""
        if connecting:
            raise error

    async def ended() -> None:
        if stands:
            closed()

    options: dict[str, Any] = {"error_cb": heard, "closed_cb": ended, "name": NAME, "connect_timeout": REACH_S}
    options |= {"allow_reconnect": True, "max_reconnect_attempts": -1} if again else {"allow_reconnect": False}
    if settings.nats_credentials_file:
        _require_credentials(settings.nats_credentials_file)
        options["user_credentials"] = settings.nats_credentials_file
    client = Client()
    try:
        async with asyncio.timeout(2 * REACH_S):
            await client.connect(url, **options)
    except (NatsError, OSError, ValueError) as error:
        connecting = False
        await client.close()
        raise _no_nats(settings, error) from None
    connecting, stands = False, True
    return client


def _address(settings: Settings) -> tuple[str, int]:
    """Host and port of NATS. Raises Unreachable."""
    try:
        parts = urlsplit(settings.nats_url)
        host, port = parts.hostname, parts.port or NATS_PORT
    except ValueError:
        host, port = None, 0
    if not host:
        raise Unreachable(
            f"{safe_url(settings.nats_url)!r} is no address", "set CAREBUS_NATS_URL, as in nats://127.0.0.1:4222"
        )
    return host, port


def _no_nats(settings: Settings, error: Exception) -> Unreachable:
    where, said = f"NATS at {safe_url(settings.nats_url)}", str(error).lower()
    if isinstance(error, TimeoutError):
        return Unreachable(f"{where} does not answer within {REACH_S:g} s", _FROZEN.format("CAREBUS_NATS_URL"))
    if "authorization" in said or "authentication" in said:
        cure = "set the user in CAREBUS_NATS_URL, its password in the file that CAREBUS_NATS_PASSWORD_FILE names"
        if settings.nats_credentials_file:
            cure = f"have {settings.nats_credentials_file} (CAREBUS_NATS_CREDENTIALS_FILE) written anew"
        return Unreachable(f"{where} refuses the login", cure)
    if isinstance(error, OSError):
        return Unreachable(
            f"{where} cannot be connected to: {_why(error)}",
            "start it: `carebus up`; or set CAREBUS_NATS_URL to where it is",
        )
    return Unreachable(f"{where} cannot be used: {_why(error)}", "look at the server's log; is CAREBUS_NATS_URL right?")


_FROZEN = "look whether the server is frozen or a firewall drops what is sent; is {} right?"
_SEED = re.compile(rb"BEGIN NATS USER JWT-+\r?\n\S+.*BEGIN USER NKEY SEED-+\r?\n(\S+)", re.DOTALL)


def _require_credentials(path: str) -> None:
    """Raises Unreachable. nats-py fails on a wrong file in ways of its own: it reads on for ever, or says nothing."""
    try:
        seed = _SEED.search(Path(path).read_bytes())
    except OSError as error:
        raise Unreachable(
            f"CAREBUS_NATS_CREDENTIALS_FILE: cannot read {path}: {error.strerror}", "set it to the user's .creds file"
        ) from None
    try:
        if seed is None:
            raise ValueError
        nkeys.from_seed(bytearray(seed[1])).wipe()
    except (nkeys.NkeysError, ValueError):
        raise Unreachable(
            f"CAREBUS_NATS_CREDENTIALS_FILE: {path} does not hold a user's JWT and seed",
            "have it written anew by who runs NATS (nsc generate creds)",
        ) from None


async def connect_postgres(settings: Settings, *, schema: str = "", statement_s: float = REACH_S) -> asyncpg.Connection:
    """A connection that sees a service's tables by their names. statement_s: longest statement. Raises Unreachable."""
    where = f"PostgreSQL at {safe_url(settings.postgres_dsn)}"
    server_settings = {"application_name": NAME} | ({"search_path": schema} if schema else {})
    dsn = _with_secret(settings.dsn)
    try:
        return await asyncpg.connect(dsn, timeout=REACH_S, command_timeout=statement_s, server_settings=server_settings)
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
            f"{where} does not answer within {REACH_S:g} s", _FROZEN.format("CAREBUS_POSTGRES_DSN")
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


def _with_secret(address: Callable[[], str]) -> str:
    """A server's address with the password from its file. Raises Unreachable where that cannot be read."""
    try:
        return address()
    except SettingsError as error:
        raise Unreachable(str(error), "correct or unset it") from None


def _why(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return safe_url(str(error).partition("\n")[0]) or type(error).__name__
