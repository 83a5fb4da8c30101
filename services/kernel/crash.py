"""Named points at which a fault test may kill the process (SIGKILL) or freeze it (SIGSTOP); inert in production."""

import os
import signal

from services.kernel.settings import SettingsError

POINTS = (
    "after_read",
    "mid_batch",
    "before_commit",
    "after_commit",
    "after_ack",
    "command_before_commit",
    "command_after_commit",
)

HOW = {"": signal.SIGKILL, "freeze": signal.SIGSTOP}

_armed: dict[str, tuple[int, signal.Signals]] = {}


def arm(order: str) -> None:
    """Arm one point from `<point>:<n>` or `<point>:<n>:freeze`; the empty string arms nothing.

    Raises SettingsError for another form.
    """
    if not order:
        return
    point, _, rest = order.partition(":")
    count, _, how = rest.partition(":")
    if point not in POINTS or not count.isdecimal() or how not in HOW:
        raise SettingsError(f"CAREBUS_CRASH_AT={order!r}: give <point>:<n>[:freeze], point one of {', '.join(POINTS)}")
    _armed[point] = (int(count), HOW[how])


def point(name: str) -> None:
    """Die or freeze here, once, if this point is armed and its count is used up."""
    if name not in _armed:
        return
    left, number = _armed.pop(name)
    if left > 1:
        _armed[name] = (left - 1, number)
    else:
        os.kill(os.getpid(), number)
