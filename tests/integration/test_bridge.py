"""Acting on the platform: every requested action is performed once at most, and ends in exactly one event."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas import subjects
from schemas.codec import encode
from schemas.envelope import Event
from schemas.platform import PlatformActionRequested
from services.cli.bridge_simulator import bridges_file
from services.cli.simulated_bridge import Behaviour, Rule, Script, Simulator
from services.cli.simulated_taobao import taobao
from services.kernel import bus
from services.kernel.history import history
from services.kernel.process import process_of
from services.kernel.reader import message_of
from services.kernel.service import Service
from services.trade_ingest import bridge as acting
from services.trade_ingest import bridge_http, bridge_results
from services.trade_ingest.bridge import bridge
from services.trade_ingest.sources import bridge as bridge_source
from tests.databases import Database
from tests.integration.test_care import logged
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration

SHOP = "s1"
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
ENDS = ("platform.action_done", "platform.action_failed", "platform.action_unknown")

SERVICE = Service(
    name="trade_ingest",
    processes=[process_of(bridge_results)],
    sources={"bridge": bridge_source.translate},
    effects=[replace(bridge(), ack_wait_s=5.0)],
    reads_events=False,
)
"""The bridge alone: what it has to do with orders is theirs to test."""


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "BUSY_S", 0.1)
    monkeypatch.setattr(acting, "PAUSE_S", (0.05, 0.1))
    monkeypatch.setattr(bridge_http, "TOTAL_S", 1.0)


@asynccontextmanager
async def desk(
    database: Database, bus_url: str, directory: Path, simulator: Simulator, service: Service = SERVICE
) -> AsyncIterator[Stack]:
    """trade_ingest with the bridge of one shop, which is this simulator."""
    url = await simulator.start()
    try:
        dsn = database.dsn_for("carebus_trade_ingest")
        async with stack_of([service], dsn, bus_url, bridges_file=written(directory, url)) as stack:
            simulator.say = stack.publish
            yield stack
    finally:
        await simulator.stop()


def written(directory: Path, url: str, secret: str = SECRET) -> str:
    (directory / f"bridge-{SHOP}.secret").write_text(secret)
    path = directory / "bridges.toml"
    path.write_text(bridges_file(url, [SHOP]))
    return str(path)


def behaving(behaviour: Behaviour, **more: Any) -> Simulator:
    return Simulator({SHOP: SECRET}, Script(rules=(Rule(behaviour=behaviour),), slow_s=0.3, **more), echo=taobao())


async def ask(stack: Stack, action: str = "a1", *, kind: Any = "close_order", shop: str = SHOP, **more: Any) -> None:
    """A `platform.action_requested` straight into the log; each call is a delivery of its own."""
    buyer = more.pop("buyer", f"buyer-{action}")
    args = {"order_id": f"order-{action}", "reason": "缺货"} | more
    data = PlatformActionRequested(action_id=action, kind=kind, args=args)
    event = Event(data=data, shop=shop, buyer=buyer, time=datetime.now(UTC), id=f"ask-{action}", source="test")
    await stack.nats.jetstream().publish(subjects.event(shop, buyer, "platform"), encode(event))


async def dealt_with(stack: Stack) -> None:
    async def quiet() -> bool:
        last = await bus.last_of(stack.nats, "evt.*.*.*.platform")
        info = await bus.request(stack.nats, f"CONSUMER.INFO.{bus.EVENTS}.trade_ingest-bridge", {})
        return info["delivered"]["stream_seq"] >= last and info["num_ack_pending"] == 0

    await until(quiet, "the bridge has dealt with every request")
    await stack.settled()


async def ends(stack: Stack) -> list[Event[Any]]:
    await dealt_with(stack)
    return [one for one in await logged(stack) if one.data.TYPE in ENDS]


async def inbox(stack: Stack) -> list[tuple[str, dict[str, Any]]]:
    """Source and kind, and the JSON, of everything in INBOX."""
    found = [message_of(bus.INBOX, msg) async for msg in history(stack.nats, bus.INBOX, "inbox.>")]
    places = [subjects.parse_inbox(message.subject) for message in found]
    return [
        (f"{place.source}.{place.kind}", msgspec.json.decode(message.payload))
        for place, message in zip(places, found, strict=True)
    ]


async def statuses(stack: Stack) -> dict[str, str]:
    return {row["action_id"]: row["status"] for row in await stack.rows("SELECT * FROM acting")}


# how a bridge may behave


@pytest.mark.parametrize(
    ("behaviour", "types", "performed"),
    [
        ("done", ["platform.action_done"], 1),
        ("slow", ["platform.action_done"], 1),
        ("twice", ["platform.action_done"], 1),
        ("busy", ["platform.action_done"], 1),
        ("refuse", ["platform.action_failed"], 0),
        ("error", ["platform.action_unknown"], 1),
        ("hang", ["platform.action_unknown"], 1),
        ("reset", ["platform.action_unknown"], 1),
    ],
)
async def test_each_answer_of_a_bridge_ends_in_its_one_event(
    database: Database, bus_url: str, tmp_path: Path, behaviour: Behaviour, types: list[str], performed: int
) -> None:
    simulator = behaving(behaviour)
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        await ask(stack)
        found = await ends(stack)
        assert [one.data.TYPE for one in found] == types
        assert await statuses(stack) == {"a1": types[0].rpartition("_")[2]}
    (end,) = found
    assert (end.data.action_id, end.data.kind, end.buyer) == ("a1", "close_order", "buyer-a1")
    assert (end.source, end.causationid) == ("carebus/bridge", "ask-a1")
    assert end.data.attempts == (2 if behaviour == "busy" else 1)
    assert len(simulator.done) == performed
    assert simulator.refused_signatures == 0


async def test_a_done_action_says_the_platforms_own_number_and_a_refused_one_its_reason(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    simulator = Simulator({SHOP: SECRET}, Script(rules=(Rule(behaviour="refuse", order_id="order-a2"),)))
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        await ask(stack, "a1")
        await ask(stack, "a2")
        found = {one.data.action_id: one.data for one in await ends(stack)}
    assert found["a1"].platform_ref == "sim-1"
    assert found["a2"].error == "the platform does not allow it"


async def test_a_late_result_ends_what_was_unknown_once_however_often_it_comes(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    simulator = behaving("late")
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        await ask(stack)

        async def told() -> bool:
            return len(await ends(stack)) == 2

        await until(told, "the late result is told")
        again = {"action_id": "a1", "status": "done", "platform_ref": "another"}
        await stack.publish("bridge", SHOP, "result", again, again, {"action_id": "a1", "status": "refused"})
        unknown, done = await ends(stack)
    assert (unknown.data.TYPE, done.data.TYPE) == ("platform.action_unknown", "platform.action_done")
    assert (done.buyer, done.data.kind, done.data.platform_ref) == ("buyer-a1", "close_order", "sim-1")
    assert len(simulator.done) == 1


async def test_a_result_of_an_action_that_nobody_asked_for_is_no_event(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    async with desk(database, bus_url, tmp_path, behaving("done")) as stack:
        await stack.publish("bridge", SHOP, "result", {"action_id": "forged", "status": "done"})
        assert await ends(stack) == []


# once


async def test_an_action_delivered_often_is_asked_for_once(database: Database, bus_url: str, tmp_path: Path) -> None:
    simulator = behaving("slow")
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        for _ in range(5):
            await ask(stack)
        assert len(await ends(stack)) == 1
    assert len(simulator.asked) == 1


async def test_an_attempt_that_died_is_unknown_and_never_made_again(
    database: Database, bus_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGKILL between the two transactions: the row says attempting, and nobody works on it."""
    monkeypatch.setattr(acting, "DEAD_S", 1.0)
    simulator = behaving("done")
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        await stack.rows(
            "INSERT INTO acting (shop, action_id, buyer, status, attempt) VALUES ($1, $2, $3, 'attempting', 'x')",
            SHOP,
            "a1",
            "buyer-a1",
        )
        await ask(stack)
        (end,) = await ends(stack)
        await ask(stack)
        assert len(await ends(stack)) == 1
        assert "bridge.unclear" in [kind for kind, _ in await inbox(stack)]
    assert end.data.TYPE == "platform.action_unknown"
    assert simulator.asked == []


async def test_an_attempt_that_another_has_called_unknown_is_not_settled_twice(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    simulator = behaving("slow")
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        await ask(stack)

        async def under_way() -> bool:
            return bool(simulator.asked)

        await until(under_way, "the request is under way")
        await stack.rows("UPDATE acting SET status = 'unknown'")
        assert await ends(stack) == []
        assert await statuses(stack) == {"a1": "unknown"}


async def test_actions_of_one_buyer_are_asked_for_one_after_the_other(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    simulator = behaving("slow")
    most = 0
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        for number in range(3):
            await ask(stack, f"a{number}", buyer="b1")

        async def all_done() -> bool:
            nonlocal most
            most = max(most, len(simulator.asked) - len(simulator.done))
            return len(simulator.done) == 3

        await until(all_done, "three actions are performed")
        assert len(await ends(stack)) == 3
    assert most == 1


async def test_ids_that_no_header_could_carry_are_carried(database: Database, bus_url: str, tmp_path: Path) -> None:
    simulator = behaving("done")
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        await ask(stack, "改价\n#1", buyer="买家")
        (end,) = await ends(stack)
    assert (end.data.TYPE, end.data.action_id, end.buyer) == ("platform.action_done", "改价\n#1", "买家")
    assert [(one.action_id, one.buyer) for one in simulator.done] == [("改价\n#1", "买家")]


# flags


async def test_a_flag_that_is_asked_for_again_is_said_to_be_pushed_again(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    """What somebody flagged between two attempts has made the first statement out of date."""
    async with desk(database, bus_url, tmp_path, behaving("busy")) as stack:
        await ask(stack, kind="set_flag", colour="purple", memo="加急")
        (end,) = await ends(stack)
        said = [what for kind, what in await inbox(stack) if kind == "bridge.pushed"]
    assert end.data.attempts == len(said) == 2
    assert said[0] == said[1]


async def test_a_flag_is_said_to_be_pushed_before_the_platform_can_tell_of_it(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    simulator = behaving("done")
    async with desk(database, bus_url, tmp_path, simulator) as stack:
        await ask(stack, kind="set_flag", colour="purple", memo="加急")
        (end,) = await ends(stack)
        (pushed_kind, pushed), (echo_kind, echo) = await inbox(stack)
    assert end.data.TYPE == "platform.action_done"
    assert (pushed_kind, echo_kind) == ("bridge.pushed", "taobao.tmc")
    assert pushed == {"order_id": "order-a1", "platform": "taobao", "colour": "purple", "memo": "加急"}
    shown = msgspec.json.decode(echo["content"])
    assert (shown["tid"], shown["seller_flag"], shown["seller_memo"]) == ("order-a1", 5, "加急")
