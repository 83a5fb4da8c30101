"""`carebus run SERVICE`: one service in the foreground, as a supervisor runs it."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from services.cli.registry import NAMES
from services.cli.target import failure, service_named
from services.kernel.app import serve
from services.kernel.settings import SettingsError, read_settings

if sys.platform != "win32":
    import uvloop


def run(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help=f"One of {', '.join(NAMES)}.")],
) -> None:
    """Run one service until it is told to stop (SIGTERM or Ctrl-C).

    Its settings are environment variables, CAREBUS_...; what it logs goes to stdout. Exit status: 0 it was told to
    stop, 1 it could not go on, 2 it could not start.
    """
    found = service_named(service)
    reasons: list[str] = []
    try:
        status = _run(serve(found, read_settings(), reasons.append))
    except SettingsError as error:
        raise failure(f"{found.name}: {error}") from None
    for reason in reasons:
        typer.echo(f"{found.name}: {reason}; `carebus doctor` tells more", err=True)
    raise typer.Exit(status)


def _run(served: Coroutine[Any, Any, int]) -> int:
    """On uvloop, made for many small messages and transactions; there is none for Windows."""
    if sys.platform == "win32":
        return asyncio.run(served)
    return uvloop.run(served)
