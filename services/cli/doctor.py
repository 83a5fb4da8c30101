"""`carebus doctor`: is all well, and if not, what mends it?"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from services.cli import stackfile
from services.cli.checks import effects, machine, nats, postgres, services
from services.cli.checks.check import Check, Status, fail, ok
from services.kernel.settings import Settings, SettingsError

_WORDS: dict[Status, tuple[str, str]] = {
    "ok": ("OK", "green"),
    "warn": ("WARN", "yellow"),
    "fail": ("FAIL", "bold red"),
}
_SUMS: dict[Status, str] = {"ok": "ok", "warn": "to look at", "fail": "failed", "skipped": "skipped"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Look at settings, servers, streams and services, and say what mends whatever is not well.

    Exit status: 0 nothing fails, 1 something does.
    """
    checks = asyncio.run(examine())
    well = not any(check.status == "fail" for check in checks)
    if as_json:
        typer.echo(msgspec.json.encode({"ok": well, "checks": checks}).decode())
    else:
        _tell(checks)
    raise typer.Exit(0 if well else 1)


async def examine(environment: Mapping[str, str] | None = None) -> list[Check]:
    """All checks, by the settings of this environment (default: the process's) over those of the local stack."""
    folder = stackfile.directory(environment)
    checks = [machine.python(), machine.packages(), machine.disk(folder)]
    try:
        stack = stackfile.read_stack(folder)
        settings = stackfile.found_settings(environment)
    except SettingsError as error:
        cure = "correct or unset it; services/kernel/settings.py tells what each may be. Nothing else can be looked at"
        return [fail("settings", str(error), cure), *checks]
    source = f"the environment over {folder / stackfile.STACK}" if stack else "the environment over the defaults"
    return [ok("settings", source), *checks, *await _servers_and_services(settings, stack)]


async def _servers_and_services(settings: Settings, stack: stackfile.Stack | None) -> list[Check]:
    (nats_checks, client), (postgres_checks, connection) = await asyncio.gather(
        nats.look(settings), postgres.look(settings)
    )
    try:
        return [
            *nats_checks,
            await nats.health(settings, stack),
            *postgres_checks,
            *await services.look(settings, stack, connection, client),
            *await effects.look(client),
        ]
    finally:
        if client is not None:
            await client.close()
        if connection is not None:
            connection.terminate()


def _tell(checks: list[Check]) -> None:
    """A line for each check that was made, with its cure below it; then what was skipped, by the reason."""
    console = Console(highlight=False, soft_wrap=True)
    made = [check for check in checks if check.status != "skipped"]
    width = max(len(check.name) for check in made)
    for check in made:
        word, style = _WORDS[check.status]
        console.print(Text.assemble((f"{word:<4}", style), f"  {check.name:<{width}}  {check.found}"))
        if check.cure:
            console.print(Text(f"{'':<{width + 8}}-> {check.cure}", style="cyan"))
    for reason, names in _skipped(checks).items():
        console.print(Text(f"\n{reason}: {', '.join(names)}", style="dim"))
    counts = Counter(check.status for check in checks)
    console.print("\n" + ", ".join(f"{counts[status]} {word}" for status, word in _SUMS.items() if counts[status]))


def _skipped(checks: list[Check]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for check in checks:
        if check.status == "skipped":
            names.setdefault(check.found, []).append(check.name)
    return names
