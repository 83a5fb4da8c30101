"""The feeds on real servers: what comes in raw ends in the log, contact data in the vault, what waits in view."""

import copy
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from schemas import subjects
from schemas.buyer import BuyerContactStored
from schemas.codec import decode
from schemas.envelope import Event
from services.cli.secret_files import key_files
from services.kernel import bus
from services.kernel.history import history
from services.kernel.reader import message_of
from services.kernel.settings import Settings
from services.kernel.vault import read_keys
from services.trade_ingest.app import SERVICE
from tests.databases import Database
from tests.stack import Stack, stack_of
from tests.unit.trade_ingest.douyin_messages import AT, ID, detail, push
from tests.unit.trade_ingest.test_jd import ORDER

pytestmark = pytest.mark.integration

SAMPLES = Path(__file__).parents[1] / "samples" / "taobao"
NAME, PHONE, STREET = "王小明", "13912342211", "松陵镇人民路8号"


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    return {name.removeprefix("CAREBUS_").lower(): path for name, path in key_files(tmp_path).items()}


def taobao_order() -> dict[str, Any]:
    """The sample with a receiver whom the platform does not hide."""
    order = json.loads((SAMPLES / "order.json").read_text(encoding="utf-8"))
    receiver = {"receiver_name": NAME, "receiver_mobile": PHONE, "receiver_address": STREET}
    order["trade_fullinfo_get_response"]["trade"] |= receiver
    return order


async def test_contact_data_is_sealed_in_the_vault_and_stands_nowhere_else(
    database: Database, bus_url: str, keys: dict[str, Any]
) -> None:
    async with stack_of([SERVICE], database.dsn, bus_url, **keys) as stack:
        await stack.publish("taobao", "s1", "order", taobao_order())
        await stack.settled()
        events = await _log(stack)
        (stored,) = [event.data for event in events if isinstance(event.data, BuyerContactStored)]
        rows = await stack.connection.fetch("SELECT buyer, vault_ref, sealed FROM vault.contact")
        assert [(row["buyer"], row["vault_ref"]) for row in rows] == [("AAEhQkXnAAdr4nUdEm2pTgXq", stored.vault_ref)]
        contact = read_keys(Settings(**keys)).open(rows[0]["sealed"].decode())
        assert (contact.name, contact.phone) == (NAME, PHONE)
        everywhere = [repr(event) for event in events] + await _all_rows(stack.connection)
        secrets = [form for text in (NAME, PHONE, STREET) for form in (text, text.encode().hex())]
        assert not [text for text in everywhere for secret in secrets if secret in text]


async def _all_rows(connection: asyncpg.Connection) -> list[str]:
    """Every row of the service as text; bytes are in hex."""
    named = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'trade_ingest'"
    tables = [row["table_name"] for row in await connection.fetch(named)]
    return [
        row["line"]
        for table in tables
        for row in await connection.fetch(f'SELECT t::text AS line FROM trade_ingest."{table}" t')
    ]


async def _log(stack: Stack) -> list[Event[Any]]:
    messages = [message_of(bus.EVENTS, msg) async for msg in history(stack.nats, bus.EVENTS, "evt.>")]
    return [decode(message.payload, seq=message.seq) for message in messages]


async def test_pushes_without_a_buyer_wait_in_view_until_the_order_is_known(
    database: Database, bus_url: str, keys: dict[str, Any]
) -> None:
    async with stack_of([SERVICE], database.dsn, bus_url, **keys) as stack:
        await stack.publish("douyin", "s1", "push", [push(103, complete_time=AT + 86_400, order_status=5)])
        await stack.settled()
        assert await _log(stack) == []
        state = await stack.connection.fetchval("SELECT state FROM trade_ingest.state WHERE key = $1", ID)
        assert b"order.completed" in state
        await stack.publish("douyin", "s1", "order", detail())
        await stack.settled()
        events = await _log(stack)
        assert {"order.placed", "order.paid", "order.completed"} <= {event.data.TYPE for event in events}
        owner = detail()["shop_order_detail"]["doudian_open_id"]
        assert {event.buyer for event in events if event.data.TYPE.startswith("order.")} == {owner}


async def test_what_waited_for_a_buyer_assigned_by_hand_is_told_and_its_contact_is_in_the_vault(
    database: Database, bus_url: str, keys: dict[str, Any]
) -> None:
    nobodys = {name: value for name, value in ORDER.items() if name not in ("pin", "open_id_buyer")}
    async with stack_of([SERVICE], database.dsn, bus_url, **keys) as stack:
        await stack.publish("jd", "s1", "order", nobodys)
        await stack.settled()
        assert await _log(stack) == []
        wish = {"order_id": ORDER["orderId"], "open_id": "b7"}
        actor = {"id": "lin", "role": "supervisor"}
        asked = {"command_id": "c1", "shop": "s1", "actor": actor, "data": wish}
        answer = await stack.ask(subjects.command("trade_ingest", "assign_buyer"), asked)
        assert answer["result"] == "accepted"
        await stack.settled()
        events = await _log(stack)
        assert {"order.assigned", "order.placed", "order.paid"} <= {event.data.TYPE for event in events}
        assert {event.buyer for event in events} == {"b7"}
        (stored,) = [event.data for event in events if isinstance(event.data, BuyerContactStored)]
        sealed = await stack.connection.fetchval(
            "SELECT sealed FROM vault.contact WHERE vault_ref = $1", stored.vault_ref
        )
        assert read_keys(Settings(**keys)).open(sealed.decode()).name == ORDER["consigneeInfo"]["fullname"]


async def test_the_same_messages_again_add_nothing(database: Database, bus_url: str, keys: dict[str, Any]) -> None:
    envelopes = json.loads((SAMPLES / "tmc.json").read_text(encoding="utf-8"))
    async with stack_of([SERVICE], database.dsn, bus_url, **keys) as stack:
        counts: list[int] = []
        for _ in range(2):
            await stack.publish("taobao", "s1", "order", copy.deepcopy(taobao_order()))
            await stack.publish("taobao", "s1", "tmc", envelopes)
            await stack.settled()
            counts.append(len(await _log(stack)))
        assert counts[0] > 5
        assert counts[1] == counts[0]
