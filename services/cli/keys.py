"""`carebus keys DIRECTORY`: the files with which contact data is sealed and digested."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.secret_files import key_files
from services.cli.target import failure


def keys(
    directory: Annotated[Path, typer.Argument(help="Where the two files are kept; only their owner may read them.")],
) -> None:
    """Make identity.key and vault.keys where they are absent, and say how the services are told of them.

    `carebus up` makes its own. Keep a copy apart from the database's backup: without vault.keys nothing in the vault
    can be read, and with another identity.key no buyer known by a nick is found again.
    """
    try:
        found = key_files(directory.resolve())
    except OSError as error:
        raise failure(f"{directory}: {error.strerror}; name a directory that you may write to") from None
    for variable, path in found.items():
        typer.echo(f"{variable}={path}")
