"""What a stack asks of its servers before it starts the services, of those that somebody else runs above all."""

import asyncpg

from services.cli.processes import ServerError
from services.cli.reach import NoDatabase, connect_nats, connect_postgres, nats_info
from services.kernel import bus
from services.kernel.settings import Settings
from services.kernel.telemetry import safe_url

LEAST_POSTGRES = 16


async def prepare_nats(settings: Settings) -> None:
    """Make the two streams, once for all services: when several make one at once, its bytes are reserved several
    times over, and one is refused.

    Raises Unreachable, and ServerError where NATS is too old, has no JetStream or no room for the streams.
    """
    greeting = await nats_info(settings)
    where = f"NATS at {safe_url(settings.nats_url)}"
    wanted = ".".join(map(str, bus.LEAST_SERVER))
    if greeting is not None and greeting.is_too_old:
        raise ServerError(f"{where} is nats-server {greeting.version}, too old: install {wanted} or newer")
    client = await connect_nats(settings)
    try:
        await bus.ensure_streams(client, settings)
    except bus.BusError as error:
        raise ServerError(f"{where}: {error}; run `carebus doctor`") from None
    finally:
        await client.close()


async def require_postgres(settings: Settings) -> None:
    """A database that is absent will be created. Raises Unreachable, and ServerError where it is too old."""
    try:
        connection: asyncpg.Connection = await connect_postgres(settings)
    except NoDatabase:
        return
    version = connection.get_server_version()
    await connection.close(timeout=5)
    if version.major < LEAST_POSTGRES:
        where = f"PostgreSQL at {safe_url(settings.postgres_dsn)}"
        raise ServerError(f"{where} is version {version.major}, too old: install {LEAST_POSTGRES} or newer")
