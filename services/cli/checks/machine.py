"""This machine: Python, the packages, the disk."""

import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

from services.cli.checks.check import Check, fail, ok, warn
from services.cli.processes import LEAST_FREE_BYTES, LOW_FREE_BYTES

LEAST_PYTHON = (3, 11)
_TOLD = ("carebus", "faststream", "nats-py", "asyncpg", "msgspec")


def python() -> Check:
    found = "Python " + ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < LEAST_PYTHON:
        return fail("python", found, f"run carebus with Python {'.'.join(map(str, LEAST_PYTHON))} or newer")
    return ok("python", found)


def packages() -> Check:
    """Whether everything is installed that this version of carebus needs."""
    needed = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in metadata.requires("carebus") or ()]
    absent = [name for name in needed if _version(name) is None]
    if absent:
        return fail("packages", f"not installed: {', '.join(absent)}", "pip install -r requirements.lock")
    return ok("packages", ", ".join(f"{name} {_version(name)}" for name in _TOLD))


def disk(directory: Path) -> Check:
    """Room below the local stack's directory, where JetStream and PostgreSQL write."""
    if not directory.is_dir():
        return ok("disk", f"no local stack in {directory}")
    free = shutil.disk_usage(directory).free
    found = f"{free / 1024**3:.1f} GiB free below {directory}"
    if free < LEAST_FREE_BYTES:
        return fail("disk", found, "make room now: a full disk stops both servers, and nothing is accepted any more")
    if free < LOW_FREE_BYTES:
        return warn("disk", found, "make room, or move the directory (stop the stack first) and set CAREBUS_DIRECTORY")
    return ok("disk", found)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
