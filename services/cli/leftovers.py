"""Processes that a killed `carebus up` left behind: recorded while they run, recognised and ended by the next one.

A process id is used again by the system sooner or later, so one counts as ours only if it was created at the
recorded instant and has the recorded command line.
"""

import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from services.cli.processes import POLL_S, Server, ServerError
from services.cli.registry import NAMES

PROCESSES = "processes.json"
END_S = 20.0
CREATED_WITHIN_S = 2.0
"""psutil derives the instant from the boot time, which moves when the machine's clock is set."""


class Trace(Struct, frozen=True):
    """A process as it was started. created: seconds since 1970."""

    name: str
    pid: int
    created: float
    command: list[str]


def record(directory: Path, servers: Iterable[Server]) -> None:
    """Write down which processes run for this directory, the last started last."""
    traces = [trace for server in servers if server.process is not None and (trace := _trace(server)) is not None]
    unfinished = directory / f"{PROCESSES}.unfinished"
    unfinished.write_bytes(msgspec.json.encode(traces))
    unfinished.rename(directory / PROCESSES)


def end_leftovers(directory: Path, say: Callable[[str], None]) -> None:
    """End what was recorded and still runs: the services, then the servers. Raises ServerError."""
    try:
        traces = msgspec.json.decode((directory / PROCESSES).read_bytes(), type=list[Trace])
    except (OSError, msgspec.MsgspecError):
        return
    _end([trace for trace in traces if trace.name in NAMES], say)
    _end([trace for trace in traces if trace.name not in NAMES], say)


def _end(traces: Sequence[Trace], say: Callable[[str], None]) -> None:
    for trace in traces:
        if process := _still_running(trace):
            say(f"ending {trace.name} (pid {trace.pid}), which an earlier `carebus up` here left behind")
            # To PostgreSQL SIGTERM means to wait for its clients; SIGINT ends all of them in good order.
            _send(process, signal.SIGINT)
    for number in (signal.SIGKILL, None):
        end = time.monotonic() + END_S
        while (alive := list(filter(None, map(_still_running, traces)))) and time.monotonic() < end:
            time.sleep(POLL_S)
        for process in alive:
            if number is None:
                raise ServerError(f"pid {process.pid}, left behind by an earlier `carebus up` here, cannot be ended")
            _send(process, number)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    """It may have ended meanwhile. Raises ServerError."""
    try:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    except psutil.AccessDenied:
        raise ServerError(
            f"pid {process.pid}, left behind by an earlier `carebus up` here, is another user's: end it yourself"
        ) from None


def _trace(server: Server) -> Trace | None:
    try:
        process = psutil.Process(server.pid)
        return Trace(server.name, process.pid, process.create_time(), process.cmdline())
    except psutil.Error:
        return None


def _still_running(trace: Trace) -> psutil.Process | None:
    """None where it has ended, be it that nobody has asked how (a zombie), or its number is another's."""
    try:
        process = psutil.Process(trace.pid)
        same = abs(process.create_time() - trace.created) < CREATED_WITHIN_S and process.cmdline() == trace.command
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None
