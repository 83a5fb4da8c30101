"""PostgreSQL: the server, the migrations, and its clock beside this machine's."""

from datetime import datetime
from pathlib import Path

import asyncpg

from services.cli.checks.check import Check, bounded, fail, ok, skipped, warn
from services.cli.external import LEAST_POSTGRES
from services.cli.reach import Unreachable, connect_postgres
from services.cli.servers import MIGRATIONS
from services.kernel.clock import EPOCH, WallClock
from services.kernel.settings import Settings, SettingsError
from services.kernel.telemetry import safe_url

SKEW_S = 1.0

_APPLIED = "SELECT version FROM public.schema_migrations"
_NOW = "SELECT clock_timestamp()"
_DRIVEN = "SELECT now FROM public.driven_clock"
_MIGRATE = "run `carebus up`, or: dbmate --migrations-dir deploy/migrations --no-dump-schema up"


async def look(settings: Settings) -> tuple[list[Check], asyncpg.Connection | None]:
    """The checks, and a connection for those of the services; None where there is none or no migrated database."""
    try:
        connection = await connect_postgres(settings)
    except (Unreachable, SettingsError) as error:
        cure = getattr(error, "cure", "write the password into that file, for your user to read")
        names = ["postgres version", "migrations", "clock", "clock skew"]
        return [fail("postgres", str(error), cure), *skipped(names, "PostgreSQL is not reachable")], None
    checks = [
        ok("postgres", safe_url(settings.postgres_dsn)),
        _version(connection),
        await bounded("migrations", _migrations(connection, _versions(MIGRATIONS))),
        await bounded("clock", _clock(connection, settings)),
        await bounded("clock skew", _skew(connection)),
    ]
    return checks, connection


def _version(connection: asyncpg.Connection) -> Check:
    version = connection.get_server_version()
    found = f"PostgreSQL {version.major}.{version.minor}"
    if version.major < LEAST_POSTGRES:
        return fail("postgres version", found, f"run PostgreSQL {LEAST_POSTGRES} or newer")
    return ok("postgres version", found)


def _versions(directory: Path) -> set[str]:
    return {path.name.partition("_")[0] for path in directory.glob("*.sql")}


async def _migrations(connection: asyncpg.Connection, there: set[str]) -> Check:
    try:
        applied = {row["version"] for row in await connection.fetch(_APPLIED)}
    except asyncpg.UndefinedTableError:
        return fail("migrations", "the database was never migrated", _MIGRATE)
    if pending := sorted(there - applied):
        return fail("migrations", f"not yet applied: {', '.join(pending)}", _MIGRATE)
    if unknown := sorted(applied - there):
        return warn(
            "migrations",
            f"applied, but unknown to this program: {', '.join(unknown)}",
            "this program is older than the database: run the newer one",
        )
    return ok("migrations", f"{len(applied)} applied, none pending")


async def _clock(connection: asyncpg.Connection, settings: Settings) -> Check:
    driven: datetime | None = await connection.fetchval(_DRIVEN)
    if settings.clock == "driven":
        return warn(
            "clock",
            f"driven: the time is {driven.isoformat() if driven else 'not set'}, whatever the machine's clock says",
            "right for tests and the demo; for live data unset CAREBUS_CLOCK and start the services again",
        )
    if driven is not None and driven > EPOCH:
        return warn(
            "clock",
            f"the machine's, but this database was once driven to {driven.isoformat()}",
            "it holds the facts of a test or a demo: use another database and log for live data",
        )
    return ok("clock", "the machine's")


async def _skew(connection: asyncpg.Connection) -> Check:
    before = WallClock().now()
    there: datetime = await connection.fetchval(_NOW)
    after = WallClock().now()
    skew = (there - (before + (after - before) / 2)).total_seconds()
    found = f"PostgreSQL's clock is {abs(skew) * 1000:.0f} ms {'ahead' if skew > 0 else 'behind'}"
    if abs(skew) > SKEW_S:
        return warn("clock skew", found, "set both machines' clocks by NTP: what falls due is judged by the clock")
    return ok("clock skew", found)
