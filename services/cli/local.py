"""The local stack: NATS, PostgreSQL and every service on this machine, in one directory, kept running.

    with stack(directory, Ports.free(), variables={"CAREBUS_CLOCK": "driven"}) as local:
        ... local.settings ...

`carebus up` is this and a wait for Ctrl-C. What the directory holds stays when the stack stops:

| path | what |
| --- | --- |
| `nats/`, `postgres/` | the servers' data, configuration and `server.log` |
| `logs/<service>.log` | what each service says |
| `secrets/<service>.password` | the password of its role (mode 0600) |
| `stack.json` | where everything is, for the other commands; no secret |
| `processes.json` | what runs, so that an `up` after one that was killed can end what that left behind |
| `up.lock` | held while a stack runs here |
"""

import asyncio
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from services.cli import external, leftovers, roles
from services.cli.processes import (
    HOST,
    LEAST_FREE_BYTES,
    LOW_FREE_BYTES,
    Server,
    ServerError,
    free_port,
    port_is_free,
)
from services.cli.reach import Unreachable
from services.cli.registry import NAMES
from services.cli.secret_files import key_files
from services.cli.servers import NatsServer, PostgresServer, migrate
from services.cli.service_process import ServiceProcess
from services.cli.stackfile import Place, Stack, absolute, clear_of_secrets, write_stack
from services.cli.supervisor import Supervisor
from services.kernel.settings import Settings, SettingsError, read_settings

DATABASE = "carebus"
SEALING = {"chat_ingest", "trade_ingest", "care_notifier"}
"""The services that digest, seal or open contact data."""
_KEY_FILES = {"CAREBUS_IDENTITY_KEY_FILE", "CAREBUS_VAULT_KEYS_FILE"}
READY_LIMIT_S = 60.0
RECOVERY_LIMIT_S = 600.0
"""PostgreSQL may have much to recover after a crash."""
STORE_BYTES = 96 * 1024**3
"""What the streams of a local NATS may reserve together; more where their settings ask for more."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """On 127.0.0.1. http: of the first service; each other has the next one."""

    nats: int = 14222
    postgres: int = 15432
    http: int = 18080

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody listens on now. Raises ServerError."""
        for _ in range(100):
            http = free_port()
            services = range(http, http + len(NAMES))
            if all(map(port_is_free, services)):
                nats = free_port(services)
                return cls(nats=nats, postgres=free_port([nats, *services]), http=http)
        raise ServerError(f"no {len(NAMES)} free ports in a row on {HOST}")

    @property
    def all(self) -> list[int]:
        return [self.nats, self.postgres, *range(self.http, self.http + len(NAMES))]


@contextmanager
def stack(
    directory: Path,
    ports: Ports | None = None,
    *,
    variables: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator["LocalStack"]:
    """Start everything, wait until every service is ready, keep it running, and stop it at the end.

    variables: the `CAREBUS_*` of the services; those of this process are not taken over. A server that
    `CAREBUS_NATS_URL` or `CAREBUS_POSTGRES_DSN` among them names is used and not started. say: hears one line for
    whatever does not go as planned (a leftover, little space, a process that died and when it is started again).
    Raises ServerError, whose text is one line.
    """
    directory = directory.absolute()
    with _locked(directory):
        local = LocalStack(directory, ports or Ports(), absolute(variables or {}), say)
        try:
            with _told_in_one_line(directory):
                local.start()
            yield local
        finally:
            local.stop()


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP (the terminal was closed) raise KeyboardInterrupt, once.

    The clean-up that follows is not interrupted in turn.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class LocalStack:
    """A running stack; made by `stack`. settings: a client's, as the superuser of a local PostgreSQL."""

    settings: Settings

    def __init__(self, directory: Path, ports: Ports, variables: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.directory = directory
        self.servers: list[Server] = []
        self.services: dict[str, ServiceProcess] = {}
        self._ports = ports
        self._variables = variables
        self._say = say
        self._supervisor: Supervisor | None = None

    def start(self) -> None:
        """Raises ServerError, OSError, SettingsError and Unreachable."""
        given = read_settings(self._variables)
        self._require_space()
        leftovers.end_leftovers(self.directory, self._say)
        self._require_ports()
        client = dict(self._variables)
        client |= self._use_nats(given)
        client |= self._use_postgres(given)
        self.settings = read_settings(client)
        self._start_services(client)
        told = clear_of_secrets(client)
        for name in sorted(client.keys() - told.keys()):
            self._say(f"{name} may hold a secret and is not written down: give it to every other command too")
        places = {name: Place(url=service.url, log=str(service.log)) for name, service in self.services.items()}
        found = Stack(variables=told, services=places, nats_monitoring=self._nats_monitoring)
        write_stack(self.directory, found)
        self._supervisor = Supervisor([*self.servers, *self.services.values()], self._say, self._record)
        self._supervisor.start()

    def stop(self) -> None:
        """Services first, so that they can say goodbye to the servers; then NATS, then PostgreSQL."""
        if self._supervisor is not None:
            self._supervisor.stop()
        with ThreadPoolExecutor(len(NAMES)) as threads:
            list(threads.map(ServiceProcess.stop, self.services.values()))
        for server in self.servers:
            server.stop()

    @property
    def is_external(self) -> tuple[bool, bool]:
        """Whether NATS, and whether PostgreSQL, is somebody else's."""
        return "CAREBUS_NATS_URL" in self._variables, "CAREBUS_POSTGRES_DSN" in self._variables

    @property
    def _nats_monitoring(self) -> str:
        return next((server.monitoring_url for server in self.servers if isinstance(server, NatsServer)), "")

    def _use_nats(self, given: Settings) -> dict[str, str]:
        """What leads to NATS, which is started here unless the settings name one."""
        if self.is_external[0]:
            asyncio.run(external.prepare_nats(given))
            return {}
        reserved = given.log_max_bytes + given.inbox_max_bytes
        server = NatsServer.start(
            self.directory / "nats",
            self._ports.nats,
            monitoring_port=free_port(self._ports.all),
            max_file_store=str(max(STORE_BYTES, reserved * 5 // 4)),
        )
        self._started(server)
        found = {"CAREBUS_NATS_URL": server.url}
        asyncio.run(external.prepare_nats(read_settings({**self._variables, **found})))
        return found

    def _use_postgres(self, given: Settings) -> dict[str, str]:
        """What leads to the migrated database, as one who may do everything in it."""
        if self.is_external[1]:
            asyncio.run(external.require_postgres(given))
            migrate(given.dsn(), wait_s=5)
            return {}
        server = PostgresServer.start(self.directory / "postgres", self._ports.postgres, limit_s=RECOVERY_LIMIT_S)
        self._started(server)
        migrate(server.dsn(DATABASE))
        secrets = self.directory / "secrets"
        asyncio.run(roles.set_passwords(server.dsn(), {name: roles.password_file(secrets, name) for name in NAMES}))
        return {
            "CAREBUS_POSTGRES_DSN": f"postgresql://postgres@{HOST}:{server.port}/{DATABASE}",
            "CAREBUS_POSTGRES_PASSWORD_FILE": str(server.password_file),
        }

    def _start_services(self, client: Mapping[str, str]) -> None:
        (self.directory / "logs").mkdir(exist_ok=True)
        keys = {} if _KEY_FILES & self._variables.keys() else key_files(self.directory / "secrets")
        for number, name in enumerate(NAMES):
            port = self._ports.http + number
            variables = {
                **client,
                **(keys if name in SEALING else {}),
                "CAREBUS_HTTP_HOST": HOST,
                "CAREBUS_HTTP_PORT": str(port),
            }
            if not self.is_external[1]:
                address = f"{HOST}:{self._ports.postgres}/{DATABASE}"
                variables["CAREBUS_POSTGRES_DSN"] = f"postgresql://{roles.role_of(name)}@{address}"
                variables["CAREBUS_POSTGRES_PASSWORD_FILE"] = str(roles.password_file(self.directory / "secrets", name))
            service = ServiceProcess(name=name, directory=self.directory / "logs", port=port, variables=variables)
            self.services[name] = service
            service.spawn()
            self._record()
        deadline = time.monotonic() + READY_LIMIT_S
        for service in self.services.values():
            service.wait_until_ready(deadline)

    def _started(self, server: Server) -> None:
        self.servers.append(server)
        self._record()

    def _record(self) -> None:
        leftovers.record(self.directory, [*self.servers, *self.services.values()])

    def _require_space(self) -> None:
        free = shutil.disk_usage(self.directory).free
        if free < LEAST_FREE_BYTES:
            raise ServerError(f"only {free >> 20} MiB are free below {self.directory}: make room, or choose another")
        if free < LOW_FREE_BYTES:
            self._say(f"only {free >> 20} MiB are free below {self.directory}: the servers stop when it is full")

    def _require_ports(self) -> None:
        """Before anything is started, so that a port that is taken costs nothing. Raises ServerError."""
        wanted = [("--http-port", name, self._ports.http + number) for number, name in enumerate(NAMES)]
        nats_is_external, postgres_is_external = self.is_external
        if not postgres_is_external:
            wanted.insert(0, ("--postgres-port", "PostgreSQL", self._ports.postgres))
        if not nats_is_external:
            wanted.insert(0, ("--nats-port", "NATS", self._ports.nats))
        owners = dict[int, str]()
        for option, name, port in wanted:
            if port in owners:
                raise ServerError(f"port {port} is meant for {owners[port]} and for {name}: give {option} another one")
            owners[port] = name
            if not port_is_free(port):
                raise ServerError(f"port {port} on {HOST}, for {name}, is in use: end what has it or give {option}")


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One stack a directory. The system gives the lock back however its holder ends. Raises ServerError."""
    with _told_in_one_line(directory):
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / "up.lock").open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise ServerError(
                f"a stack already runs in {directory} (pid {holder}); stop it with: kill {holder}"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def _told_in_one_line(directory: Path) -> Iterator[None]:
    """Raises ServerError for whatever else goes wrong while a stack starts."""
    try:
        yield
    except Unreachable as error:
        raise ServerError(f"{error}; {error.cure}") from None
    except SettingsError as error:
        raise ServerError(str(error)) from None
    except OSError as error:
        raise ServerError(f"{error.filename or directory} cannot be used: {error.strerror or error}") from None
