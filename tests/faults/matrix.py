"""The matrix that a run of the fault tests prints: fault x crash point x seeds."""

from collections.abc import Iterable
from typing import NamedTuple

PROPERTY = "fault_run"


class Entry(NamedTuple):
    """One run of one fault. point: the crash point or the moment."""

    fault: str
    point: str
    seed: int
    ok: bool
    facts: int = 0
    restarts: int = 0
    seconds: float = 0.0


def table(entries: Iterable[Entry]) -> list[str]:
    """One line a fault and point, in the order in which they ran."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.fault, entry.point), []).append(entry)
    rows = [("fault", "point", "seeds", "ok", "failed", "facts", "restarts", "seconds")]
    for (fault, point), runs in groups.items():
        failed = [str(entry.seed) for entry in runs if not entry.ok]
        rows.append(
            (
                fault,
                point,
                " ".join(str(entry.seed) for entry in runs),
                str(len(runs) - len(failed)),
                f"seeds {' '.join(failed)}" if failed else "0",
                str(sum(entry.facts for entry in runs)),
                str(sum(entry.restarts for entry in runs)),
                f"{sum(entry.seconds for entry in runs):.1f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
