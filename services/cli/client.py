"""The connection of a command of the CLI to NATS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.cli.target import failure
from services.kernel.settings import Settings, SettingsError
from services.kernel.telemetry import safe_url

CONNECT_S = 5


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Client]:
    """A client of the NATS of these settings, closed at the end. Raises typer.Exit where it cannot be reached."""
    try:
        client = await nats.connect(
            settings.nats(),
            name="carebus-cli",
            user_credentials=settings.nats_credentials_file or None,
            connect_timeout=CONNECT_S,
            allow_reconnect=True,
            max_reconnect_attempts=2,
            reconnect_time_wait=0.2,
            error_cb=_quiet,
        )
    except SettingsError as error:
        raise failure(str(error)) from None
    except (NatsError, OSError, TimeoutError) as error:
        raise failure(not_reached(settings, error)) from None
    try:
        yield client
    finally:
        await client.close()


def not_reached(settings: Settings, error: Exception) -> str:
    """Why NATS was not reached, and what to do."""
    where, text = safe_url(settings.nats_url), f"{error}".strip()
    if "authorization" in text.lower():
        return f"NATS {where} refused the login: set CAREBUS_NATS_URL (user) and CAREBUS_NATS_PASSWORD_FILE"
    return (
        f"NATS {where} was not reached ({text or type(error).__name__}): start it (carebus up) or set CAREBUS_NATS_URL"
    )


async def _quiet(error: Exception) -> None:
    """nats-py would write every failed attempt to stderr with a traceback; the one line at the end says it."""
