"""A bridge that cannot be reached, or of which nobody knows: tried again, or given up, and never performed twice."""

import base64
import os
from pathlib import Path

import pytest

from services.cli.simulated_bridge import Simulator
from services.trade_ingest import bridge as acting
from tests.databases import Database
from tests.integration.test_bridge import SHOP, ask, behaving, desk, ends, in_a_hurry  # noqa: F401 - a fixture of every test
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
