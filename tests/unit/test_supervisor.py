"""What dies is started again, after pauses that grow, and each time is said once."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.processes import Server, ServerError
from services.cli.supervisor import PAUSE_S, STEADY_S, _Charge


class Mortal(Server):
    """A process that ends at once; its starts are counted, and refused while the port is taken."""

    def __init__(self, directory: Path) -> None:
        super().__init__(name="mortal", directory=directory, port=1)
        self.starts = 0
        self.refused = False
        self.spawn()

    def spawn(self) -> None:
        if self.refused:
            raise ServerError("mortal cannot start: port 1 is in use")
        self.log.write_bytes(b"its last words\n")
        self.starts += 1
        self.process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
        self.process.wait()

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _ready(self) -> bool:
        raise NotImplementedError


@pytest.fixture
def mortal(tmp_path: Path) -> Mortal:
    return Mortal(tmp_path)


def test_each_pause_is_twice_the_one_before_up_to_the_longest(mortal: Mortal) -> None:
    said: list[str] = []
    charge, now = _Charge(mortal), 0.0
    charge._since = now
    for pause in (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0):
        starts = mortal.starts
        assert not charge.look(now, said.append)
        assert said[-1].startswith(f"mortal ended with status 3: its last words; starting it again in {pause:g} s")
        assert not charge.look(now + pause - 0.01, said.append)
        assert mortal.starts == starts
        now += pause
        assert charge.look(now, said.append)
    assert len(said) == 7


def test_one_that_ran_well_for_a_while_gets_the_first_pause_again(mortal: Mortal) -> None:
    said: list[str] = []
    charge, now = _Charge(mortal), 0.0
    charge._since = now
    for lived in (0.0, 0.0, STEADY_S + 1):
        now += lived
        charge.look(now, said.append)
        now += PAUSE_S[1]
        charge.look(now, said.append)
    assert ["in 0.2 s" in line for line in said] == [True, False, True]


def test_a_start_that_is_refused_is_said_and_tried_again(mortal: Mortal) -> None:
    said: list[str] = []
    charge = _Charge(mortal)
    charge._since = 0.0
    charge.look(1.0, said.append)
    mortal.refused = True
    assert not charge.look(2.0, said.append)
    assert said[-1].startswith("mortal cannot start: port 1 is in use; starting it again in 0.4 s")
    mortal.refused = False
    assert charge.look(3.0, said.append)
