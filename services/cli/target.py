"""What a command of the CLI is pointed at, and how it fails: one line on stderr, exit status 2."""

import importlib

import typer

from services.cli import registry
from services.cli.stackfile import found_settings
from services.kernel.service import Service
from services.kernel.settings import Settings, SettingsError


def service_named(name: str) -> Service:
    """The service of this name, or the Service that MODULE:NAME names. Raises typer.Exit."""
    module, colon, attribute = name.partition(":")
    why = ""
    try:
        service = getattr(importlib.import_module(module), attribute) if colon else registry.service(name)
    except ImportError as error:
        service, why = None, f" ({error})"
    except (AttributeError, LookupError, ValueError):
        service = None
    if not isinstance(service, Service):
        known = ", ".join(registry.NAMES)
        raise failure(f"{name!r} is no service{why}: give one of {known}, or MODULE:NAME of a Service")
    return service


def settings() -> Settings:
    """Where the servers are: as the environment says, else as the local stack does. Raises typer.Exit."""
    try:
        return found_settings()
    except SettingsError as error:
        raise failure(str(error)) from None


def failure(line: str) -> typer.Exit:
    """Say why on one line; to be raised."""
    typer.echo(line, err=True)
    return typer.Exit(2)
