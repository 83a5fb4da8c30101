"""The matrix that a run of the fault tests prints: fault x crash point x seeds."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.faults.harness import Run

PROPERTY = "fault_run"


@dataclass(frozen=True)
class Entry:
    """One run of one fault. point: the crash point or the moment; run: None where it failed."""

    fault: str
    point: str
    seed: int
    run: Run | None


def table(entries: Iterable[Entry]) -> list[str]:
    """One line a fault and point, in the order in which they ran."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.fault, entry.point), []).append(entry)
    rows = [("fault", "point", "seeds", "ok", "failed", "facts", "restarts", "seconds")]
    for (fault, point), runs in groups.items():
        done = [entry.run for entry in runs if entry.run is not None]
        failed = [str(entry.seed) for entry in runs if entry.run is None]
        rows.append(
            (
                fault,
                point,
                " ".join(str(entry.seed) for entry in runs),
                str(len(done)),
                f"seeds {' '.join(failed)}" if failed else "0",
                str(sum(run.feed.facts for run in done)),
                str(sum(run.restarts for run in done)),
                f"{sum(run.seconds for run in done):.1f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
