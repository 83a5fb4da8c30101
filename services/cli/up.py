"""`carebus up`: NATS, PostgreSQL and all services on this machine, until Ctrl-C."""

import os
import signal
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from services.cli import stackfile
from services.cli.local import LocalStack, Ports, interruptible, stack
from services.cli.processes import ServerError
from services.cli.target import failure
from services.kernel.telemetry import safe_url

Port = Annotated[int, typer.Option(min=1, max=65_535)]


def up(
    directory: Annotated[
        Path | None,
        typer.Option(help="Where data, logs and passwords are kept. Default: CAREBUS_DIRECTORY, else .carebus."),
    ] = None,
    nats_port: Port = Ports.nats,
    postgres_port: Port = Ports.postgres,
    http_port: Annotated[
        int, typer.Option(min=1, max=65_500, help="Of the first service; then one each.")
    ] = Ports.http,
) -> None:
    """Start NATS, PostgreSQL and all services here, keep them running, stop them at Ctrl-C. The data stays.

    A server that CAREBUS_NATS_URL or CAREBUS_POSTGRES_DSN names is used and not started.
    """
    folder = directory or stackfile.directory()
    variables = {name: value for name, value in os.environ.items() if name.startswith("CAREBUS_")}
    variables.pop(stackfile.DIRECTORY, None)
    began = time.monotonic()
    try:
        with interruptible():
            typer.echo(f"CareBus is starting in {folder} ...")
            ports = Ports(nats=nats_port, postgres=postgres_port, http=http_port)
            with stack(folder, ports, variables=variables, say=_say) as local:
                _tell(local, folder, time.monotonic() - began)
                while True:
                    signal.pause()
    except ServerError as error:
        raise failure(str(error)) from None
    except KeyboardInterrupt:
        typer.echo("CareBus has stopped; `carebus up` goes on with the same data.")


def _say(line: str) -> None:
    with suppress(OSError):  # whoever read it has gone; the stack goes on
        typer.echo(f"{datetime.now():%H:%M:%S} {line}")


def _tell(local: LocalStack, folder: Path, seconds: float) -> None:
    settings = local.settings
    rows = [("NATS", safe_url(settings.nats_url), ""), ("PostgreSQL", safe_url(settings.postgres_dsn), "")]
    if not local.is_external[1]:
        rows[1] = ("PostgreSQL", settings.postgres_dsn, f"password in {settings.postgres_password_file}")
    rows += [(name, f"{service.url}/health/ready", str(service.log)) for name, service in local.services.items()]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    typer.echo(f"CareBus is ready after {seconds:.1f} s:\n")
    for name, where, more in rows:
        typer.echo(f"  {name:<{first}}  {where:<{second}}  {more}".rstrip())
    here = "" if folder == stackfile.directory({}) else f"{stackfile.DIRECTORY}={folder} "
    typer.echo(
        f"\nIn another terminal: `{here}carebus doctor` looks whether all is well, `carebus --help` tells what else"
        " there is.\nStop with Ctrl-C; the data stays."
    )
