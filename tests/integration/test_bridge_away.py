"""A bridge that cannot be reached, or of which nobody knows: tried again, or given up, and never performed twice."""

import base64
import os
from pathlib import Path

import pytest

from services.cli.simulated_bridge import Simulator
from services.trade_ingest import bridge as acting
from tests.databases import Database
from tests.integration.test_bridge import SHOP, ask, behaving, desk, ends, in_a_hurry, statuses  # noqa: F401 - a fixture of every test
from tests.integration.test_care import logged
from tests.stack import until

pytestmark = pytest.mark.integration


async def test_a_shop_without_a_bridge_fails_at_once(database: Database, bus_url: str, tmp_path: Path) -> None:
    simulator = behaving("done")
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        await ask(stack, shop="s2")
        (end,) = await ends(stack)
        await ask(stack, shop="s2")
        assert len(await ends(stack)) == 1
    assert (end.data.TYPE, end.data.error) == ("platform.action_failed", acting.NO_BRIDGE)
    assert simulator.asked == []


async def test_an_action_whose_bridge_was_taken_away_fails_when_its_attempts_would_be_over(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    """Until then another replica may have the file that it was begun with. Then its buyer is free for another one."""
    assert acting.span_s() > acting.PAUSE_S[1]
    async with desk(database, bus_url, tmp_path, behaving("done")) as stack:
        for action, ago_s in (("a1", acting.span_s() + 1), ("a2", 0.0)):
            await stack.rows(
                "INSERT INTO acting (shop, action_id, buyer, status, attempt, attempts, attempted_at)"
                " VALUES ('s2', $1, 'buyer-' || $1, 'waiting', 'x', 4, now() - make_interval(secs => $2))",
                action,
                ago_s,
            )
        await ask(stack, "a2", shop="s2")
        await ask(stack, "a1", shop="s2")

        async def told() -> bool:
            return bool([one for one in await logged(stack) if one.data.TYPE == "platform.action_failed"])

        await until(told, "the one that is over has failed")
        (end,) = [one for one in await logged(stack) if one.data.TYPE == "platform.action_failed"]
        assert (end.data.action_id, end.data.error, end.data.attempts) == ("a1", acting.NO_BRIDGE, 4)
        assert (await statuses(stack))["a2"] == "waiting"
        (later, end) = await ends(stack)
        assert {later.data.action_id, end.data.action_id} == {"a1", "a2"}


async def test_a_bridge_that_is_away_is_tried_again_until_it_is_back(
    database: Database, bus_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "ATTEMPTS", 1_000)
    simulator = behaving("done")
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        port = simulator.port
        await simulator.stop()
        await ask(stack)

        async def waits() -> bool:
            rows = await stack.rows("SELECT attempts FROM acting WHERE status = 'waiting'")
            return bool(rows) and rows[0]["attempts"] >= 3

        await until(waits, "it was tried three times")
        await simulator.start(port)
        (end,) = await ends(stack)
    assert end.data.TYPE == "platform.action_done"
    assert end.data.attempts > 3
    assert len(simulator.done) == 1


async def test_a_bridge_that_stays_away_is_given_up(
    database: Database, bus_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "ATTEMPTS", 3)
    simulator = behaving("done")
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        await simulator.stop()
        await ask(stack)
        (end,) = await ends(stack)
    assert (end.data.TYPE, end.data.attempts) == ("platform.action_failed", 3)
    assert end.data.error == "given up after 3 attempts: no connection (ClientConnectorError)"


async def test_a_bridge_that_does_not_know_the_secret_refuses_and_performs_nothing(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    simulator = Simulator({SHOP: "whsec_" + base64.b64encode(os.urandom(32)).decode()})
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        await ask(stack)
        (end,) = await ends(stack)
    assert end.data.TYPE == "platform.action_failed"
    assert simulator.refused_signatures == 1
    assert simulator.asked == []
