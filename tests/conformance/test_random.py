"""Random histories mean the same in memory and on real servers: facts late, twice and out of order, commands, ticks
while a service is down.
"""

import random
from datetime import timedelta

import pytest

from services.kernel import loop
from services.replay.given import at
from tests.conformance.cases import said
from tests.conformance.in_memory import in_memory
from tests.conformance.on_servers import on_servers
from tests.conformance.steps import Ask, Case, Push, Start, Step, Stop, Wait
from tests.databases import Database

SEEDS = range(40)
BUYERS = 3
ORDERS = 5


def history(seed: int) -> Case:
    """Some thirty steps of a seed, and a long quiet at the end."""
    chance, now, down = random.Random(seed), at("08:00:00"), False
    steps: list[Step] = []
    for number in range(30):
        now += timedelta(seconds=chance.choice([0, 0, 1, 5, 60, 900, 1800]))
        order = chance.randrange(ORDERS)
        buyer = f"b{order % BUYERS}"
        match chance.randrange(10):
            case 0:
                steps.append(Start("ex_remind") if down else Stop("ex_remind"))
                down = not down
            case 1 | 2 if not down:
                care = chance.choice([f"{buyer}:payment_thanks:o{order}", f"{buyer}:bad_review:r1", "nothing"])
                steps.append(Ask(at=now, id=f"c{chance.randrange(number + 1)}", care=care))
            case _:
                happened = now - timedelta(minutes=chance.choice([0, 0, 0, 29, 30, 31, 200]))
                fact = chance.choice(["placed", "placed", "paid", "shipped", "closed", "reviewed"])
                one = said(fact, f"o{order}", buyer=buyer, id="r1", score=1) | {"time": happened}
                steps.append(Push(at=now, body=[one] * chance.choice([1, 1, 2])))
    if down:
        steps.append(Start("ex_remind"))
    steps.append(Wait(now + timedelta(hours=6)))
    return Case(name=f"seed {seed}", steps=steps)


@pytest.mark.long
@pytest.mark.integration
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_random_history_means_the_same_to_both_runners(
    seed: int, database: Database, bus_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "IDLE_S", 0.005)
    case = history(seed)
    live, memory = await on_servers(case, database.dsn, bus_url), in_memory(case)
    assert live.decided == memory.decided
    assert live == memory


def test_the_histories_are_not_empty_talk() -> None:
    lines = [line for seed in SEEDS for line in in_memory(history(seed)).lines.get("reminder", ())]
    for decided in ("care.proposed unpaid_soft", "payment_thanks", "bad_review", "care.suppressed unpaid_soft"):
        assert sum(decided in line for line in lines) >= 5, decided
