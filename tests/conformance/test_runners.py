"""Every case means the same in memory and on real servers, and what the case says."""

from collections.abc import Awaitable, Callable

import pytest

from services.kernel import loop
from tests.conformance.cases import CASES
from tests.conformance.in_memory import in_memory
from tests.conformance.on_servers import on_servers
from tests.conformance.steps import Case, Seen
from tests.databases import Database

Run = Callable[[Case], Awaitable[Seen]]


@pytest.fixture(params=["memory", pytest.param("servers", marks=pytest.mark.integration)])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    if request.param == "memory":

        async def here(case: Case) -> Seen:
            return in_memory(case)

        return here
    monkeypatch.setattr(loop, "IDLE_S", 0.005)
    database: Database = request.getfixturevalue("database")
    bus_url: str = request.getfixturevalue("bus_url")
    return lambda case: on_servers(case, database.dsn, bus_url)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_case_means_what_it_says_and_the_same_to_both_runners(case: Case, run: Run) -> None:
    seen = await run(case)
    assert list(seen.lines.get("reminder", ())) == list(case.reminders)
    if case.facts:
        assert list(seen.lines.get("order_facts", ())) == list(case.facts)
    assert [kept[4:] for kept in seen.parked] == list(case.parked)
    assert [answer.get("code", answer["result"]) for answer in seen.answers] == list(case.answers)
    other = in_memory(case)
    assert seen.decided == other.decided
    assert seen.states == other.states
    assert seen == other


def test_no_two_cases_have_one_name() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
