"""The connections of a command: closed at its end; where a server is not reached, the command fails in one line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.cli.reach import Unreachable, connect_nats, connect_postgres
from services.cli.target import failure
from services.kernel.settings import Settings
from services.kernel.store import STATEMENT_S
from services.kernel.telemetry import safe_url

CLOSE_S = 2.0


class Lost(Unreachable):
    """NATS went away under a command."""


@asynccontextmanager
async def connected(settings: Settings, *, again: bool = False) -> AsyncIterator[Client]:
    """A client of the NATS of these settings. again: made anew whenever it is lost. Raises typer.Exit."""
    try:
        async with reached(settings, again=again) as client:
            yield client
    except Unreachable as error:
        raise failure(f"{error}; {error.cure}") from None


@asynccontextmanager
async def reached(settings: Settings, *, again: bool = False) -> AsyncIterator[Client]:
    """The same for a command that has more to say where this fails: raises Unreachable, and Lost.

    Where the connection ends, so does at once what is done with it: nats-py would let a request run into its timeout.
    """
    scope = asyncio.timeout(None)
    over = False

    def lost() -> None:
        if not over:
            scope.reschedule(asyncio.get_running_loop().time())

    client = await connect_nats(settings, again=again, closed=lost)
    try:
        async with scope:
            try:
                yield client
            finally:
                over = True
    except (NatsError, TimeoutError):
        if scope.expired() or client.is_closed:
            where = f"the connection to NATS at {safe_url(settings.nats_url)}"
            raise Lost(f"{where} was lost; what was under way may have arrived or not", "run carebus doctor") from None
        raise
    finally:
        await client.close()


@asynccontextmanager
async def database(settings: Settings, schema: str = "") -> AsyncIterator[asyncpg.Connection]:
    """A connection to PostgreSQL. schema: of the service whose tables are seen by their names. Raises typer.Exit."""
    try:
        connection = await connect_postgres(settings, schema=schema, statement_s=STATEMENT_S)
    except Unreachable as error:
        raise failure(f"{error}; {error.cure}") from None
    try:
        yield connection
    finally:
        await connection.close(timeout=CLOSE_S)
