"""A server as a process that belongs to one directory: start it, wait until it is ready, kill it, stop it."""

import random
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
START_LIMIT_S = 30.0
STOP_LIMIT_S = 20.0
POLL_S = 0.01
LEAST_FREE_BYTES, LOW_FREE_BYTES = 256 * 1024**2, 1024**3
"""Free disk below which nothing is started, and below which a line is said: JetStream and PostgreSQL stop at 0."""
# Below the range that the system takes ports of outgoing connections from (Linux: 32768 and up): while a
# server is down no client can take its port, nor connect to itself on it.
PORTS = range(15_000, 32_000)


class ServerError(Exception):
    """A local server could not be started or migrated; the message is one line for the person who asked."""


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(other_than: Collection[int] = ()) -> int:
    """A port that nobody listens on, drawn at random so that test workers side by side do not collide."""
    for port in random.sample(PORTS, 200):
        if port not in other_than and port_is_free(port):
            return port
    raise ServerError(f"no free port found on {HOST} in {PORTS.start}-{PORTS.stop - 1}")


@dataclass(kw_only=True)
class Server(ABC):
    """One server process; `directory` holds its data and its `server.log`."""

    name: str
    directory: Path
    port: int
    start_limit_s: float = START_LIMIT_S
    process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _said_from: int = field(default=0, init=False, repr=False)

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    @property
    def pid(self) -> int:
        if self.process is None:
            raise ServerError(f"{self.name} in {self.directory} is not running")
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start_again(self) -> None:
        """Start on the same directory and port after `stop` or `kill`; raises ServerError."""
        deadline = time.monotonic() + self.start_limit_s
        self.spawn()
        while not self.wait_until_ready(deadline):
            time.sleep(POLL_S)
            self.spawn()

    def spawn(self) -> None:
        """Start the process without waiting until it is ready; raises ServerError."""
        if self.running:
            raise ServerError(f"{self.name} in {self.directory} is already running (pid {self.pid})")
        if not port_is_free(self.port):
            raise ServerError(f"{self.name} cannot start: port {self.port} on {HOST} is in use by another process")
        try:
            with self.log.open("ab") as log:
                self._said_from = log.tell()
                self.process = self._spawn(log.fileno())
        except OSError as error:
            raise ServerError(f"{self.name} cannot start: {error}") from None

    def wait_until_ready(self, deadline: float) -> bool:
        """Wait until the spawned process takes work. False: it ended, for a reason that passes by itself.

        deadline: of `time.monotonic`. Whatever else ends the wait kills the process. Raises ServerError.
        """
        try:
            return self._wait_until_ready(deadline)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL to this server's own process, as a crash would end it; returns when it is gone."""
        if self.process is not None:
            self.process.kill()
            self._forget_process()

    @property
    def last_words(self) -> str:
        """What the process that was started last had to say when it ended, on one line."""
        return " | ".join(self._said()[-2:]) or "it said nothing"

    def stop(self) -> None:
        """Ask the server to end in good order, and kill it if it takes longer than STOP_LIMIT_S."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._forget_process()

    def complaint(self) -> str | None:
        """What a running server says keeps it from its work: empty when nothing does, None when it says nothing."""
        return None

    def restart(self) -> None:
        self.stop()
        self.start_again()

    def _forget_process(self) -> None:
        if self.process is not None:
            self.process.wait()
            self.process = None

    def _wait_until_ready(self, deadline: float) -> bool:
        while not self._ready():
            if not self.running:
                self._forget_process()
                if time.monotonic() < deadline and any(map(self._passes_by_itself, self._said())):
                    return False
                raise ServerError(f"{self.name} ended while starting: {self.last_words} (log: {self.log})")
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{self.name} was not ready on {HOST}:{self.port} within {self.start_limit_s:g} s (log: {self.log})"
                )
            time.sleep(POLL_S)
        return True

    def _said(self) -> list[str]:
        try:
            with self.log.open("rb") as log:
                log.seek(self._said_from)
                return log.read().decode(errors="replace").splitlines()
        except OSError:  # somebody has removed it
            return []

    @abstractmethod
    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        """Start the process, its output going to the file descriptor `log`."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether the process that `_spawn` started takes work."""

    def _passes_by_itself(self, line: str) -> bool:
        """Whether a line of the log of a failed start names a cause that goes away without doing anything."""
        return False
