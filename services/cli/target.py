"""What a command of the CLI is pointed at, and how it fails: one line on stderr, exit status 2."""

import importlib

import typer

from services.kernel.service import Service


def service_named(name: str) -> Service:
    """The Service that MODULE:NAME names. Raises typer.Exit."""
    module, _, attribute = name.partition(":")
    try:
        service = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError):
        service = None
    if not isinstance(service, Service):
        raise failure(f"{name!r} is no service: give MODULE:NAME of a Service")
    return service


def failure(line: str) -> typer.Exit:
    """Say why on one line; to be raised."""
    typer.echo(line, err=True)
    return typer.Exit(2)
