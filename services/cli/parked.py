"""`carebus parked`: messages that could not be handled, and playing them again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import asyncpg
import msgspec
import typer

from services.cli.target import failure, service_named
from services.kernel.parked import ask_retry
from services.kernel.settings import SettingsError, read_settings
from services.kernel.store import TRANSIENT, connect_pool
from services.kernel.telemetry import safe_url

app = typer.Typer(help="Messages that could not be handled.", no_args_is_help=True)

Target = Annotated[str, typer.Argument(metavar="SERVICE", help="The service, as MODULE:NAME of its Service.")]

_LIST = """
SELECT id, status, shop, buyer, key, stream, seq, parked, split_part(reason, ':', 1) AS reason, code FROM parked
WHERE status <> 'waiting' OR $1 ORDER BY id LIMIT 1000
"""


@app.command(name="list")
def list_(
    service: Target,
    waiting: Annotated[bool, typer.Option(help="Also those that only wait behind a failed one.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List parked messages, the oldest first; never their contents."""

    async def told(pool: asyncpg.Pool) -> None:
        rows = await pool.fetch(_LIST, waiting)
        for row in rows:
            typer.echo(msgspec.json.encode(dict(row)).decode() if as_json else _line(row))
        if not rows and not as_json:
            typer.echo("nothing is parked")

    _run(service, told)


@app.command()
def retry(service: Target, row: Annotated[int, typer.Argument(help="The id that `list` shows.")]) -> None:
    """Have the owner of the partition play a failed message and those behind it again, in order."""

    async def asked(pool: asyncpg.Pool) -> None:
        async with pool.acquire() as connection:
            if not await ask_retry(connection, row):
                raise failure(f"{row} is no failed message of {service}; see `carebus parked list {service}`")
        typer.echo(f"{row} will be played again by the running service; `list` shows whether it failed once more")

    _run(service, asked)


def _run(name: str, work: Callable[[asyncpg.Pool], Awaitable[None]]) -> None:
    service = service_named(name)

    async def connected() -> None:
        settings = read_settings()
        try:
            async with await connect_pool(settings.dsn(), service.name, "carebus-cli", 1) as pool:
                await work(pool)
        except (asyncpg.PostgresError, *TRANSIENT) as error:
            raise failure(
                f"{service.name} ({safe_url(settings.postgres_dsn)}): {type(error).__name__}: {error}"
            ) from None

    try:
        asyncio.run(connected())
    except SettingsError as error:
        raise failure(str(error)) from None


def _line(row: Any) -> str:
    place = f"shop {row['shop']}  buyer {row['buyer']}" + (f"  key {row['key']}" if row["key"] else "")
    when = row["parked"].isoformat(sep=" ", timespec="seconds")
    return f"{row['id']}  {row['status']}  {place}  {row['stream']} {row['seq']}  since {when}  {row['reason']}"
