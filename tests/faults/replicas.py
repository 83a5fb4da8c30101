"""Service processes as `carebus up` runs them: one that dies is started again, until it is asked to end."""

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import msgspec

from tests.stack import until

AGAIN_S = 0.05
STOP_S = 15.0

_numbers = count(1)


class Replica:
    """One process of an example service; what it says goes to `log`.

    supervised: it is started again when it ends unasked, after `again_s`. exits: how it ended each time (negative: by
    which signal).
    """

    def __init__(self, service: str, environment: Mapping[str, str], directory: Path) -> None:
        self.service = service
        self.log = directory / f"{service}-{next(_numbers)}.log"
        self.exits: list[int] = []
        self.supervised = True
        self.again_s = AGAIN_S
        self._environment = dict(environment)
        self._armed: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.service} was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, armed: Sequence[str] = ()) -> None:
        """Start the process. armed: `<point>:<n>` for its first life, its second ..; later ones are not armed."""
        self._armed = list(armed)
        await self._spawn()
        self._task = asyncio.create_task(self._supervise())

    @property
    def is_frozen(self) -> bool:
        """Whether the process has been stopped (Linux)."""
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    def send(self, number: signal.Signals) -> None:
        """A signal to the process of this moment, if there is one."""
        if self._process is not None and self.is_running:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def stop(self) -> int:
        """End it in good order and for good; its exit code. One that does not end within STOP_S fails the test."""
        self.supervised = False
        self.send(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self._ended(), STOP_S)
        except TimeoutError:
            await self.kill()
            raise AssertionError(f"{self.service} did not end within {STOP_S} s (log: {self.log})") from None

    async def kill(self) -> None:
        """End it for good, by SIGKILL."""
        self.supervised = False
        self.send(signal.SIGKILL)
        await self._ended()

    async def died(self, patience_s: float = 30.0) -> int:
        """Wait until it has ended once more; how."""
        before = len(self.exits)

        async def more() -> bool:
            return len(self.exits) > before

        await until(more, f"{self.service} ends (log: {self.log})", patience_s)
        return self.exits[-1]

    async def owns(self, count: int = 1) -> None:
        """Wait until it has said that it owns at least so many partitions."""

        async def enough() -> bool:
            lines = map(msgspec.json.decode, self.log.read_text().splitlines())
            return any(line["count"] >= count for line in lines if line["event"] == "partitions_owned")

        await until(enough, f"{self.service} owns {count} partitions (log: {self.log})")

    async def says(self, event: str) -> None:
        """Wait until the log has a line of this log event."""

        async def told() -> bool:
            return self.said(event)

        await until(told, f"{self.service} says {event} (log: {self.log})")

    def said(self, event: str) -> bool:
        """Whether the log has a line of this log event."""
        return f'"event":"{event}"' in self.log.read_text()

    async def _ended(self) -> int:
        if self._task is not None:
            await self._task
        return self.exits[-1]

    async def _spawn(self) -> None:
        environment = self._environment | ({"CAREBUS_CRASH_AT": self._armed.pop(0)} if self._armed else {})
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.examples.serve", self.service,
                env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    async def _supervise(self) -> None:
        pause = self.again_s
        while True:
            assert self._process is not None
            began = asyncio.get_running_loop().time()
            self.exits.append(await self._process.wait())
            if not self.supervised:
                return
            lived = asyncio.get_running_loop().time() - began
            pause = self.again_s if lived > 2 else max(self.again_s, min(pause * 2, 1.0))
            await asyncio.sleep(pause)
            if not self.supervised:
                return
            await self._spawn()
