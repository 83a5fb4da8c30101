"""What was measured, as one table for people: printed, and kept in RESULTS.md beside this file."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"

measured: list[tuple[str, str, str]] = []
"""(what, figure, wanted), in the order in which it was measured."""


def quantiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return f"p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms (n {len(seconds):,})"


def write(conditions: str) -> None:
    lines = [
        "# Measured",
        "",
        f"`make bench`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({_processor()}), "
        f"Python {platform.python_version()}, nats-server and PostgreSQL on the same machine, "
        "`sync_interval: always`, fsync on.",
        conditions,
        "",
        "| what | measured | wanted |",
        "| --- | --- | --- |",
        *(f"| {what} | {figure} | {wanted} |" for what, figure, wanted in measured),
        "",
    ]
    print("\n" + "\n".join(lines))
    RESULTS.write_text("\n".join(lines), encoding="utf-8")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.processor())
