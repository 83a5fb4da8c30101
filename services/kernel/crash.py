"""Named points at which a fault test may kill the process by SIGKILL; inert in production."""

import os
import signal

POINTS = (
    "after_read",
    "mid_batch",
    "before_commit",
    "after_commit",
    "after_ack",
    "command_before_commit",
    "command_after_commit",
)

_armed: dict[str, int] = {}


def arm(order: str) -> None:
    """Arm one point from `<point>:<n>`; the empty string arms nothing. Raises ValueError for another form."""
    if not order:
        return
    point, _, count = order.partition(":")
    if point not in POINTS or not count.isdecimal():
        raise ValueError(f"CAREBUS_CRASH_AT={order!r}: give <point>:<n>, point one of {', '.join(POINTS)}")
    _armed[point] = int(count)


def point(name: str) -> None:
    """Die here if this point is armed and its count is used up."""
    if not _armed:
        return
    left = _armed.get(name)
    if left is None:
        return
    _armed[name] = left - 1
    if left <= 1:
        os.kill(os.getpid(), signal.SIGKILL)
