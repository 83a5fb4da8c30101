"""The CLI as a person runs it: a process of its own, with what it says and how it ends."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT_S = 120.0

NOWHERE = {"CAREBUS_POSTGRES_DSN": "postgresql://127.0.0.1:1/none", "CAREBUS_NATS_URL": "nats://u:hidden@127.0.0.1:1"}
"""Settings that lead to servers which are not there."""


def at(dsn: str, bus_url: str) -> dict[str, str]:
    """Settings that lead to these servers."""
    return {"CAREBUS_POSTGRES_DSN": dsn, "CAREBUS_NATS_URL": bus_url}


async def started(
    arguments: Sequence[str],
    variables: Mapping[str, str],
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    out: int = asyncio.subprocess.PIPE,
) -> asyncio.subprocess.Process:
    """A command under way. variables: over those of this process, of whose CAREBUS_* none is taken over.

    out: where stdout and stderr go.
    """
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli.main", *arguments),
        env={name: value for name, value in os.environ.items() if not name.startswith("CAREBUS_")} | dict(variables),
        cwd=ROOT,
        stdin=stdin,
        stdout=out,
        stderr=out,
    )


async def carebus(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command."""
    process = await started(arguments, variables)
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    return process.returncode or 0, out.decode(), err.decode()


def one_line(outcome: tuple[int, str, str]) -> str:
    """The one line on stderr of a command that failed."""
    status, _, err = outcome
    assert (status, err.count("\n")) == (2, 1), err
    return err
