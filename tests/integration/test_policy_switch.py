"""`policy.changed` in the log: every service switches, open dues move, decisions carry the new digest."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from schemas import subjects
from schemas.codec import encode
from schemas.envelope import Event
from services.kernel import policy
from services.kernel.parked import ask_retry
from tests.databases import Database
from tests.examples.services import REMIND, prepare
from tests.integration.test_poison import paid, placed, put
from tests.integration.test_versions import settled_state
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration


def switched(after_s: int, version: int) -> Event[Any]:
    layer = f"[care.kinds.unpaid_soft]\nafter_s = {after_s}\n".encode()
    data = policy.changed("s1", policy.load([("test.toml", layer)]), None, version)
    assert data is not None
    return Event(data=data, shop="s1", time=datetime.now(UTC), id=f"policy-{version}", source="test")


async def due(stack: Stack) -> timedelta:
    (row,) = await stack.rows("SELECT due FROM ex_remind.state")
    return row["due"]


async def test_an_open_due_moves_and_later_decisions_carry_the_digest(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        now = datetime.now(UTC)
        await put(stack, msgspec.structs.replace(placed("o1", "b1"), time=now))
        row = await settled_state(stack, "b1", 1)
        default = policy.default_policy()
        assert row["due"] == now + timedelta(seconds=default.care.kinds.unpaid_soft.after_s)

        longer = switched(7200, 1)
        await put(stack, longer)

        async def moved() -> bool:
            return await due(stack) == now + timedelta(seconds=7200)

        await until(moved, "the due has moved")
        await put(stack, switched(60, 1))  # not newer: the version is the same
        await put(stack, paid("o2", "b1"))
        await settled_state(stack, "b1", 3)
        assert await due(stack) == now + timedelta(seconds=7200)
        (decided,) = await _decided(stack)
        assert decided["policy"] == longer.data.digest
        (told,) = await stack.rows("SELECT shop, version, digest FROM ex_remind.policy")
        assert tuple(told) == ("s1", 1, longer.data.digest)


async def _decided(stack: Stack) -> list[dict[str, Any]]:
    subject = subjects.event("s1", "b1", "care")
    reply = await stack.nats.jetstream().get_last_msg("EVENTS", subject)
    return [msgspec.json.decode(reply.data)]


async def test_a_policy_that_cannot_be_used_is_parked_and_the_one_before_stays(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        good = switched(7200, 1)
        await put(stack, good)
        values = {"care": {"kinds": {"unpaid_soft": {"after_s": "soon"}}}}
        bad = msgspec.structs.replace(good, id="bad", data=msgspec.structs.replace(good.data, version=2, values=values))
        payload = encode(bad)
        await stack.nats.jetstream().publish(subjects.event("s1", "-", "policy"), payload)
        await put(stack, paid("o1", "b1"))
        await settled_state(stack, "b1", 2)
        rows = await stack.rows("SELECT reason FROM ex_remind.parked")
        assert len(rows) == 1, "the policy is parked"
        assert "PolicyError" in rows[0]["reason"]
        (told,) = await stack.rows("SELECT version FROM ex_remind.policy")
        assert told["version"] == 1

        await stack.rows("SET search_path = ex_remind")
        mended = encode(switched(3600, 2))
        (row,) = await stack.rows("UPDATE parked SET payload = $1 RETURNING id", mended)
        assert await ask_retry(stack.connection, row["id"])

        async def in_force() -> bool:
            return (await stack.rows("SELECT version FROM policy"))[0]["version"] == 2

        await until(in_force, "the mended policy is in force")
        assert await stack.rows("SELECT 1 FROM parked") == []


async def test_a_switch_leaves_a_state_that_does_not_decode_for_verify_to_repair(
    database: Database, bus_url: str
) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        await put(stack, placed("o1", "b1"))
        await settled_state(stack, "b1", 1)
        await stack.rows("UPDATE ex_remind.state SET state = '{'")
        await put(stack, switched(7200, 1))

        async def in_force() -> bool:
            return bool(await stack.rows("SELECT 1 FROM ex_remind.policy"))

        await until(in_force, "the policy is in force")
        (row,) = await stack.rows("SELECT state FROM ex_remind.state")
        assert row["state"] == b"{"
