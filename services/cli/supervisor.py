"""Starts again what dies: one thread looks after all processes of a stack."""

import signal
import threading
import time
from collections.abc import Callable, Sequence

from services.cli.processes import Server, ServerError

LOOK_S = 0.05
PAUSE_S = (0.2, 5.0)
"""First and longest pause before a process that died is started again; doubled from one to the next."""
STEADY_S = 10.0
"""A process that lived so long had started well: its next pause is the first again."""


class Supervisor:
    """Looks after processes until `stop`. It does not wait until they are ready: a database may recover for minutes.

    say: hears one line for each death and each failed start. started: is called after each start.
    """

    def __init__(
        self, servers: Sequence[Server], say: Callable[[str], None], started: Callable[[], None] = lambda: None
    ) -> None:
        self._charges = [_Charge(server) for server in servers]
        self._say = say
        self._started = started
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """From here on nothing is started any more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _look_after(self) -> None:
        while not self._stopping.wait(LOOK_S):
            for charge in self._charges:
                if charge.look(time.monotonic(), self._say):
                    self._tell_started()

    def _tell_started(self) -> None:
        try:
            self._started()
        except OSError as error:  # a full disk must not end the supervision
            self._say(f"what runs could not be written down: {error}")


class _Charge:
    """One process, and when it may be started next."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._since = time.monotonic()
        self._pause = PAUSE_S[0]
        self._again: float | None = None

    def look(self, now: float, say: Callable[[str], None]) -> bool:
        """Whether it was started at this look."""
        if self._server.running:
            return False
        if self._again is None:
            self._plan(now, how_it_ended(self._server), say)
        elif now >= self._again:
            try:
                self._server.spawn()
            except ServerError as error:
                self._plan(now, str(error), say)
                return False
            self._since, self._again = now, None
            return True
        return False

    def _plan(self, now: float, why: str, say: Callable[[str], None]) -> None:
        if self._again is None and now - self._since > STEADY_S:
            self._pause = PAUSE_S[0]
        self._again = now + self._pause
        say(f"{why}; starting it again in {self._pause:g} s (log: {self._server.log})")
        self._pause = min(2 * self._pause, PAUSE_S[1])


def how_it_ended(server: Server) -> str:
    """By which signal, or with which exit status and last words."""
    status = server.process.returncode if server.process is not None else None
    if status is None:
        return f"{server.name} is not running"
    if status < 0:
        return f"{server.name} was killed by {signal.Signals(-status).name}"
    return f"{server.name} ended with status {status}: {server.last_words}"
