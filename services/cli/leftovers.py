"""Processes that a killed `carebus up` left behind: recorded while they run, recognised and ended by the next one.

A process id is used again by the system sooner or later, so one counts as ours only if it was created at the
recorded instant and has the recorded command line.
"""

import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from services.cli.processes import Server

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
    """End what was recorded and still runs, what was started last first."""
    try:
        traces = msgspec.json.decode((directory / PROCESSES).read_bytes(), type=list[Trace])
    except (OSError, msgspec.MsgspecError):
        return
    for trace in reversed(traces):
        process = _still_running(trace)
        if process is None:
            continue
        say(f"ending {trace.name} (pid {trace.pid}), which an earlier `carebus up` here left behind")
        # To PostgreSQL SIGTERM means to wait for its clients; SIGINT ends all of them in good order.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(END_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(END_S)


def _trace(server: Server) -> Trace | None:
    try:
        process = psutil.Process(server.pid)
        return Trace(server.name, process.pid, process.create_time(), process.cmdline())
    except psutil.Error:
        return None


def _still_running(trace: Trace) -> psutil.Process | None:
    try:
        process = psutil.Process(trace.pid)
        same = abs(process.create_time() - trace.created) < CREATED_WITHIN_S and process.cmdline() == trace.command
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None
