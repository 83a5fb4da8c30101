"""Starts again what dies: one thread looks after all processes of a stack."""

import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from services.cli.processes import LEAST_FREE_BYTES, Server, ServerError

LOOK_S = 0.05
PAUSE_S = (0.2, 5.0)
"""First and longest pause before a process that died is started again; doubled from one to the next."""
STEADY_S = 10.0
"""A process that lived so long had started well: its next pause is the first again."""
HEALTH_S = 5.0
"""From one question whether a running server can work to the next."""
UNWELL, RECOVERING = 3, 120
"""So many complaints in a row have a server started again; one that was not yet well since its start may recover."""


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
                if charge.look_safely(time.monotonic(), self._tell):
                    self._tell_started()

    def _tell(self, line: str) -> None:
        with suppress(Exception):  # whoever hears it must not end the supervision
            self._say(line)

    def _tell_started(self) -> None:
        try:
            self._started()
        except Exception as error:  # a full disk must not end the supervision
            self._tell(f"what runs could not be written down: {error}")


class _Charge:
    """One process, and when it may be started next."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._since = time.monotonic()
        self._pause = PAUSE_S[0]
        self._again: float | None = None
        self._asked = self._since
        self._complaints = 0
        self._was_well = False
        self._trouble = ""

    def look_safely(self, now: float, say: Callable[[str], None]) -> bool:
        """`look`; what it should raise is said, once in a row, and hinders the care of no other process."""
        try:
            started = self.look(now, say)
        except Exception as error:
            trouble = f"{self._server.name} cannot be looked after: {type(error).__name__}: {error}".partition("\n")[0]
            if trouble != self._trouble:
                say(trouble)
            self._trouble = trouble
            return False
        self._trouble = ""
        return started

    def look(self, now: float, say: Callable[[str], None]) -> bool:
        """Whether it was started at this look."""
        if self._server.running:
            if now - self._asked >= HEALTH_S:
                self._asked = now
                self._ask(now, say)
            return False
        if self._again is None:
            self._plan(now, how_it_ended(self._server), say)
        elif now >= self._again:
            try:
                self._server.spawn()
            except ServerError as error:
                self._plan(now, str(error), say)
                return False
            self._since, self._asked, self._again = now, now, None
            self._complaints, self._was_well = 0, False
            return True
        return False

    def _ask(self, now: float, say: Callable[[str], None]) -> None:
        """End a server that complained often enough, to be started at the next look; on a full disk that is no use."""
        complaint = self._server.complaint()
        if not complaint:
            self._was_well |= complaint == ""
            self._complaints = 0
            return
        self._complaints += 1
        if self._complaints < (UNWELL if self._was_well else RECOVERING):
            return
        if shutil.disk_usage(self._server.directory).free < LEAST_FREE_BYTES:
            return
        say(f"{self._server.name} cannot work ({complaint}); starting it again (log: {self._server.log})")
        self._again = now
        self._server.stop()

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
        return f"{server.name} was killed by {_signal(-status)}"
    return f"{server.name} ended with status {status}: {server.last_words}"


def _signal(number: int) -> str:
    """Its name; real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
