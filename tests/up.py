"""`carebus up` as a person runs it: a process in a directory, with what it says."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import nats
import psutil

from services.cli.leftovers import PROCESSES, Trace
from services.cli.local import Ports
from services.cli.stackfile import DIRECTORY, Stack, found_settings, read_stack
from services.kernel.settings import Settings
from tests.carebus import carebus, started
from tests.stack import until

READY_S = 90.0
END_S = 60.0


class Up:
    """One `carebus up` of a directory, on ports of its own."""

    def __init__(self, directory: Path, ports: Ports | None = None, **variables: str) -> None:
        self.directory = directory
        self.ports = ports or Ports.free()
        self.variables = variables
        self._log = directory.with_name(f"{directory.name}.up.log")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def arguments(self) -> Sequence[str]:
        pairs = {
            "--directory": self.directory,
            "--nats-port": self.ports.nats,
            "--postgres-port": self.ports.postgres,
            "--http-port": self.ports.http,
        }
        return ["up", *(str(part) for pair in pairs.items() for part in pair)]

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def settings(self) -> Settings:
        """Those of a command in another terminal."""
        return found_settings({DIRECTORY: str(self.directory)})

    @property
    def stack(self) -> Stack:
        found = read_stack(self.directory)
        assert found is not None
        return found

    def running(self) -> dict[str, psutil.Process]:
        """The processes that `up` has written down and that live, by name."""
        traces = msgspec.json.decode((self.directory / PROCESSES).read_bytes(), type=list[Trace])
        return {trace.name: psutil.Process(trace.pid) for trace in traces if _lives(trace.pid)}

    async def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        with self._log.open("wb") as log:
            self._process = await started(self.arguments, self.variables, out=log.fileno())

        async def ready() -> bool:
            assert self._process is not None
            assert self._process.returncode is None, self.said
            return "Stop with Ctrl-C" in self.said

        await until(ready, f"`up` is ready; it said {self.said!r}", READY_S)

    async def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it by a signal; its exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await asyncio.wait_for(self._process.wait(), END_S)

    async def dispose(self) -> None:
        """End whatever still runs of it, however the test went."""
        if self._process is not None:
            await self.end()
        for process in self.running().values() if (self.directory / PROCESSES).exists() else ():
            process.kill()

    async def doctor(self, **variables: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Exit status of `carebus doctor --json`, and its checks by name."""
        status, out, err = await carebus("doctor", "--json", **{DIRECTORY: str(self.directory)}, **variables)
        assert err == ""
        return status, {check["name"]: check for check in msgspec.json.decode(out)["checks"]}

    async def postgres(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.settings.dsn(), timeout=10)

    async def nats(self) -> Any:
        return await nats.connect(self.settings.nats(), max_reconnect_attempts=-1, reconnect_time_wait=0.1)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
