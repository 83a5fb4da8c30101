"""`carebus verify`: is every stored state the fold of the log?"""

import asyncio
from typing import Annotated

import asyncpg
import msgspec
import typer
from nats.errors import Error as NatsError

from services.cli import registry
from services.cli.client import connected
from services.cli.target import failure, service_named, settings
from services.kernel import bus
from services.kernel.service import Service
from services.kernel.settings import Settings
from services.kernel.store import TRANSIENT, connect_pool
from services.kernel.telemetry import safe_url
from services.kernel.verify import Difference
from services.kernel.verify import verify as differences


def verify(
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Which; all of them if none is named.")
    ] = None,
    repair: Annotated[bool, typer.Option(help="Fold anew from the log what differs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Fold every story anew from the log and compare it with its state row.

    Processes that read INBOX are left out: their inputs are kept for 14 days only. Exit status: 0 all equal or
    repaired, 1 something differs, 2 it could not be verified.
    """
    where, found = settings(), 0
    for service in map(service_named, services or registry.NAMES):
        covered = [process.name for process in service.processes if not process.inbox]
        if not covered:
            continue
        differ = asyncio.run(_verify(service, where, repair=repair, as_json=as_json))
        if not as_json:
            said = f"{differ} differ" if differ else "every state is the fold of the log"
            typer.echo(f"{service.name} ({', '.join(covered)}): {said}")
        found += differ
    raise typer.Exit(1 if found and not repair else 0)


async def _verify(service: Service, where: Settings, *, repair: bool, as_json: bool) -> int:
    found = 0
    async with connected(where) as client:
        try:
            async with await connect_pool(where.dsn(), service.name, f"carebus-verify-{service.name}", 2) as pool:
                async for difference in differences(pool, client, service.processes, repair=repair):
                    found += 1
                    typer.echo(msgspec.json.encode(difference).decode() if as_json else _line(difference))
        except (bus.BusError, NatsError, asyncpg.PostgresError, *TRANSIENT) as error:
            servers = f"{safe_url(where.nats_url)}, {safe_url(where.postgres_dsn)}"
            raise failure(f"{service.name} cannot be verified ({servers}): {type(error).__name__}: {error}") from None
    return found


def _line(difference: Difference) -> str:
    d = difference
    end = "repaired" if d.repaired else "run with --repair"
    return f"partition {d.partition}  {d.process}  shop {d.shop}  buyer {d.buyer}  key {d.key}: {d.what} differs; {end}"
