"""`carebus contract`: JSON Schemas, AsyncAPI document and examples, generated from the Structs."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.generate import files


def contract(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if a file is out of date.")] = False,
    folder: Annotated[Path, typer.Option(help="Where the contract is.")] = files.CONTRACT,
) -> None:
    """Write schemas/contract/ anew. Refused where a published version was changed incompatibly."""
    if found := files.faults(folder):
        _fail("a published version was changed; raise VERSION and add an upcast (schemas/upcasts.py)", found)
    if not check:
        changed = files.write(folder)
        typer.echo(f"{len(changed)} files changed in {folder}")
    elif found := files.drift(folder):
        _fail("the contract is out of date; run: carebus contract", found)


def _fail(message: str, details: list[str]) -> None:
    for line in details:
        typer.echo(f"  {line}", err=True)
    typer.echo(f"carebus contract: {message}", err=True)
    raise typer.Exit(1)
