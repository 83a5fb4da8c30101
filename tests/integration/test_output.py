"""Where a command cannot write, or is interrupted before it has begun, it ends in one line or none: no traceback."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.carebus import ROOT, at, started
from tests.databases import Database
from tests.examples.services import FACTS, REMIND, prepare
from tests.integration.test_poison import paid, placed, put, spoilt
from tests.stack import stack_of

pytestmark = pytest.mark.integration

COMMAND = [sys.executable, "-m", "services.cli.main"]
LIMIT_S = 30.0


def ended(line: str, where: dict[str, str]) -> tuple[int, str]:
    """Exit status (of the last command) and stderr of a line of bash, in which $CAREBUS is the command line."""
    environment = os.environ | where | {"CAREBUS": " ".join(COMMAND)}
    done = subprocess.run(
        ["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", ["--help", "doctor", "doctor --json", "tail --no-follow", "tail"])
@pytest.mark.parametrize(
    ("out", "said"),
    [
        (">/dev/full", "the output cannot be written: No space left on device\n"),
        (">&-", "standard output is closed; for no output: >/dev/null\n"),
    ],
)
async def test_an_output_that_cannot_be_written_is_one_line(
    words: str, out: str, said: str, database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS], database.dsn, bus_url) as stack:
        await put(stack, placed("o1", "b1"))
        outcome = await asyncio.to_thread(ended, f"$CAREBUS {words} {out}", at(database.dsn, bus_url))
    assert outcome == (2, said)


async def test_a_list_of_parked_messages_whose_reader_has_seen_enough_ends_without_a_word(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND], database.dsn, bus_url) as stack:
        for number in range(3):
            event = paid("o1", f"b{number}")
            await put(stack, event, spoilt(buyer=event.buyer, data={"order_id": "o1", "paid_fen": "secret"}))
        await stack.settled()
        line = "$CAREBUS parked list tests.examples.services:REMIND --json | true"
        assert await asyncio.to_thread(ended, line, at(database.dsn, bus_url)) == (0, "")


async def test_tail_ends_when_its_reader_has_gone_though_nothing_happens(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS], database.dsn, bus_url) as stack:
        for event in (placed("o1", "b1"), paid("o1", "b1")):
            await put(stack, event)
        status, err = await asyncio.to_thread(ended, "$CAREBUS tail | head -1", at(database.dsn, bus_url))
    assert (status, err) == (0, "")


async def test_an_interrupt_while_the_modules_are_imported_says_nothing(tmp_path: Path) -> None:
    """A module that is imported tells when it is, and waits: the interrupt comes in the middle of the imports."""
    (tmp_path / "click.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process: Any = await started(["--help"], {"PYTHONPATH": str(tmp_path)})
    assert await asyncio.wait_for(process.stdout.readline(), LIMIT_S) == b"importing\n"
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert (process.returncode, err) == (130, b"")
