"""What dies is started again, after pauses that grow, and each time is said once."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli import supervisor
from services.cli.processes import Server, ServerError
from services.cli.supervisor import HEALTH_S, PAUSE_S, RECOVERING, STEADY_S, UNWELL, Supervisor, _Charge, how_it_ended


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


def test_an_end_by_a_real_time_signal_is_said_by_its_number(mortal: Mortal) -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 1)"
    mortal.process = subprocess.Popen([sys.executable, "-c", program])
    mortal.process.wait()
    assert how_it_ended(mortal) == "mortal was killed by signal 35"


def test_what_the_look_at_one_raises_is_said_once_and_hinders_no_other(mortal: Mortal, tmp_path: Path) -> None:
    said, started = list[str](), threading.Event()

    class Broken(Mortal):
        @property
        def running(self) -> bool:
            raise ValueError("no such thing")

    looking = Supervisor([Broken(tmp_path), mortal], said.append, started.set)
    looking.start()
    try:
        assert started.wait(10)
    finally:
        looking.stop()
    assert [line for line in said if "looked after" in line] == [
        "mortal cannot be looked after: ValueError: no such thing"
    ]


class Patient(Mortal):
    """A process that runs until it is stopped, and complains as it is told to."""

    says: str | None = ""

    def spawn(self) -> None:
        self.starts += 1
        self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    def complaint(self) -> str | None:
        return self.says


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    server = Patient(tmp_path)
    yield server
    server.kill()


class Looks:
    """Looks at one process, each HEALTH_S after the one before."""

    def __init__(self, server: Server) -> None:
        self.said: list[str] = []
        self._charge = _Charge(server)
        self._now = self._charge._since

    def look(self, times: int = 1) -> bool:
        for _ in range(times):
            self._now += HEALTH_S
            started = self._charge.look(self._now, self.said.append)
        return started


def test_a_server_that_was_well_and_complains_three_times_in_a_row_is_started_again(patient: Patient) -> None:
    looks = Looks(patient)
    looks.look()
    patient.says = "unavailable: no space left on device"
    looks.look(UNWELL - 1)
    patient.says = None  # no answer: it is not known
    looks.look()
    patient.says = "unavailable: no space left on device"
    looks.look(UNWELL - 1)
    assert (patient.starts, looks.said) == (1, [])
    looks.look()
    assert [line.partition(" (log")[0] for line in looks.said] == [
        "mortal cannot work (unavailable: no space left on device); starting it again"
    ]
    assert looks.look()
    assert patient.starts == 2


def test_a_server_that_complains_on_a_full_disk_is_started_again_when_there_is_room(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(patient)
    looks.look()
    patient.says = "unavailable"
    with monkeypatch.context() as full:
        full.setattr(supervisor, "LEAST_FREE_BYTES", 2**80)
        looks.look(2 * UNWELL)
        assert (patient.starts, looks.said) == (1, [])
    looks.look(2)
    assert (patient.starts, len(looks.said)) == (2, 1)


def test_a_server_that_was_not_yet_well_since_its_start_has_time_to_recover(patient: Patient) -> None:
    looks = Looks(patient)
    patient.says = "JetStream has not recovered"
    looks.look(RECOVERING - 1)
    assert (patient.starts, looks.said) == (1, [])
    looks.look(2)
    assert (patient.starts, len(looks.said)) == (2, 1)
