"""A process of a new version folds its stories anew; one that meets a newer state gives the partition up."""

from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from schemas.care import CareSuppressed
from schemas.order import OrderPaid
from schemas.subjects import partition
from services.kernel.parked import ask_retry
from services.kernel.process import Tick
from tests.databases import Database
from tests.examples.services import REMIND, prepare
from tests.integration.test_poison import NOW, paid, put
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration


class Counted(Struct, frozen=True):
    """The state of version 2: another shape altogether."""

    orders: tuple[str, ...] = ()
    proposed: int = 0


def evolve(state: Counted, event: Any) -> Counted:
    if isinstance(event.data, OrderPaid):
        return replace(state, orders=(*state.orders, event.data.order_id))
    return replace(state, proposed=state.proposed + 1)


def decide(state: Counted, cause: Any, now: Any, policy: Any) -> Any:
    return ()


SECOND = replace(
    REMIND,
    processes=[
        replace(
            REMIND.processes[0],
            version=2,
            state=Counted,
            evolve=evolve,
            decide=decide,
            due=lambda state, policy: None,
        )
    ],
    commands=[],
)


async def settled_state(stack: Stack, key: str, inputs: int) -> Any:
    async def there() -> Any:
        rows = await stack.rows("SELECT * FROM ex_remind.state WHERE key = $1 AND inputs >= $2", key, inputs)
        return rows and not await stack.rows("SELECT 1 FROM ex_remind.outbox") and rows[0]

    return await until(there, f"{key} has {inputs} inputs")


async def test_a_new_version_folds_the_story_anew_from_the_log(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        for order in ("o1", "o2"):
            await put(stack, paid(order, "b1"))
        await settled_state(stack, "b1", 4)
        await stack.settled()
        await stack.stop(REMIND.name)
        await stack.start(SECOND)
        await put(stack, paid("o3", "b1"))
        row = await settled_state(stack, "b1", 5)
        assert (row["version"], row["decided"], row["reread"]) == (2, 2, 2)
        assert row["state"] == b'{"orders":["o1","o2","o3"],"proposed":2}'
        assert "state_refolded" in stack.logs[REMIND.name].getvalue()


async def test_a_story_that_nobody_touches_is_folded_anew_and_has_its_tick(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        for number in range(120):
            await put(stack, paid("o1", f"b{number}"))
        await stack.settled()
        await stack.stop(REMIND.name)
        soon = replace(SECOND.processes[0], due=lambda state, policy: NOW, decide=once)
        await stack.start(replace(SECOND, processes=[soon]))

        async def all_ticked() -> bool:
            rows = await stack.rows("SELECT version, inputs FROM ex_remind.state")
            return {tuple(row) for row in rows} == {(2, 3)}

        await until(all_ticked, "every story is of version 2, and its tick has decided once more")


def once(state: Counted, cause: Any, now: Any, policy: Any) -> Any:
    if isinstance(cause, Tick) and state.proposed < 2:
        yield CareSuppressed(care_id="late", kind="unpaid_soft", reason="expired")


async def test_a_story_that_no_longer_folds_is_parked_and_all_others_go_on(database: Database, bus_url: str) -> None:
    def fails_for_b1(state: Counted, event: Any) -> Counted:
        if event.buyer == "b1":
            raise ZeroDivisionError("a bug")
        return evolve(state, event)

    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        await put(stack, paid("o1", "b1"))
        await put(stack, paid("o1", "b2"))
        await stack.settled()
        await stack.stop(REMIND.name)
        await stack.start(replace(SECOND, processes=[replace(SECOND.processes[0], evolve=fails_for_b1)]))
        await put(stack, paid("o2", "b1"))
        await put(stack, paid("o2", "b2"))
        row = await settled_state(stack, "b2", 3)
        assert row["version"] == 2

        async def waits() -> bool:
            return bool(await stack.rows("SELECT 1 FROM ex_remind.blocked WHERE buyer = 'b1'"))

        await until(waits, "the buyer waits")
        assert not stack.running[REMIND.name].failed
        await stack.stop(REMIND.name)
        await stack.start(SECOND)
        await stack.rows("SET search_path = ex_remind")
        (failed,) = await stack.rows("SELECT id FROM parked WHERE status = 'failed'")
        assert await ask_retry(stack.connection, failed["id"])
        row = await settled_state(stack, "b1", 3)
        assert row["state"] == b'{"orders":["o1","o2"],"proposed":1}', "a parked message is folded once"


async def test_a_newer_state_makes_a_replica_give_the_partition_up(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        await put(stack, paid("o1", "b1"))
        row = await settled_state(stack, "b1", 2)
        await stack.settled()
        await stack.rows("UPDATE ex_remind.state SET version = 9")
        await put(stack, paid("o2", "b1"))

        async def given_up() -> bool:
            return "state_newer" in stack.logs[REMIND.name].getvalue()

        await until(given_up, "the partition is given up")
        (kept,) = await stack.rows("SELECT state, inputs FROM ex_remind.state")
        assert (kept["state"], kept["inputs"]) == (row["state"], row["inputs"])
        told = await stack.command(
            "ex_remind", "cancel_care", command_id="c1", data={"care_id": "b1:payment_thanks:o1"}
        )
        assert told["code"] == "unavailable"
        other = next(f"x{n}" for n in range(100) if _partition(f"x{n}") != row["partition"])
        await put(stack, paid("o9", other))
        await settled_state(stack, other, 2)


def _partition(buyer: str) -> int:
    return partition("s1", buyer)
