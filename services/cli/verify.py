"""`carebus verify`: is every stored state the fold of the log?"""

import asyncio
from typing import Annotated

import asyncpg
import msgspec
import nats
import typer
from nats.errors import Error as NatsError

from services.cli.target import failure, service_named
from services.kernel import bus
from services.kernel.service import Service
from services.kernel.settings import Settings, SettingsError, read_settings
from services.kernel.store import TRANSIENT, connect_pool
from services.kernel.telemetry import safe_url
from services.kernel.verify import Difference
from services.kernel.verify import verify as differences


def verify(
    service: Annotated[str, typer.Argument(help="The service, as MODULE:NAME of its Service.")],
    repair: Annotated[bool, typer.Option(help="Fold anew from the log what differs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Fold every story of a service anew from the log and compare it with its state row.

    Exit status: 0 all equal or repaired, 1 something differs, 2 it could not be verified.
    """
    try:
        found = asyncio.run(_verify(service_named(service), read_settings(), repair=repair, as_json=as_json))
    except SettingsError as error:
        raise failure(str(error)) from None
    if not as_json:
        typer.echo(f"{found} differ" if found else "every state is the fold of the log")
    raise typer.Exit(1 if found and not repair else 0)


async def _verify(service: Service, settings: Settings, *, repair: bool, as_json: bool) -> int:
    found = 0
    try:
        client = await nats.connect(settings.nats(), connect_timeout=5, max_reconnect_attempts=3)
        try:
            pool = await connect_pool(settings.dsn(), service.name, f"carebus-verify-{service.name}", 2)
            async with pool:
                async for difference in differences(pool, client, service.processes, repair=repair):
                    found += 1
                    typer.echo(msgspec.json.encode(difference).decode() if as_json else _line(difference))
        finally:
            await client.close()
    except (bus.BusError, NatsError, asyncpg.PostgresError, *TRANSIENT) as error:
        servers = f"{safe_url(settings.nats_url)}, {safe_url(settings.postgres_dsn)}"
        raise failure(f"{service.name} cannot be verified ({servers}): {type(error).__name__}: {error}") from None
    return found


def _line(difference: Difference) -> str:
    d = difference
    end = "repaired" if d.repaired else "run with --repair"
    return f"partition {d.partition}  {d.process}  shop {d.shop}  buyer {d.buyer}  key {d.key}: {d.what} differs; {end}"
