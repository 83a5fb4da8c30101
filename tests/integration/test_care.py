"""Care messages on real servers: from a fact of the log to what the buyer is sent, or why not."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas.codec import decode
from schemas.envelope import Event
from schemas.order import OrderLine, OrderPaid, OrderPlaced
from services.care_notifier.app import SERVICE
from services.care_notifier.channels import Message, Transport
from services.care_notifier.sender import sender
from services.cli.servers import NatsServer
from services.kernel import bus
from services.kernel.history import history
from services.kernel.reader import message_of
from services.kernel.service import Service
from services.kernel.telemetry import Logger
from tests.carebus import at, carebus
from tests.databases import Database
from tests.integration.test_poison import put
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration

SHOP = "s1"
ENDS = ("care.sent", "care.failed", "care.unknown", "care.suppressed")


def fact(data: Any, buyer: str, when: datetime | None = None) -> Event[Any]:
    moment = when or datetime.now(UTC)
    return Event(
        data=data, shop=SHOP, buyer=buyer, time=moment, id=f"{buyer}-{data.order_id}-{data.TYPE}", source="test"
    )


async def pay(stack: Stack, order: str, when: datetime | None = None) -> None:
    """The order is placed and paid by a buyer of its own. (The buyer's own act is not held by quiet hours.)"""
    buyer = f"buyer-{order}"
    cup = OrderLine(line_id="1", sku="cup", title="杯子", quantity=1, price_fen=100)
    placed = OrderPlaced(
        order_id=order, platform="taobao", shop_kind="mall", lines=(cup,), total_fen=100, postage_fen=0
    )
    await put(stack, fact(placed, buyer, when))
    await put(stack, fact(OrderPaid(order_id=order, paid_fen=100), buyer, when))


async def logged(stack: Stack) -> list[Event[Any]]:
    return [
        decode(message.payload, seq=message.seq, recordedtime=message.recorded)
        async for msg in history(stack.nats, bus.EVENTS, "evt.>")
        for message in [message_of(bus.EVENTS, msg)]
    ]


async def ended(stack: Stack, orders: int, patience_s: float = 20.0) -> list[Event[Any]]:
    """Wait until the message of each of so many orders has an end; all events that tell of an end."""

    async def all_ended() -> list[Event[Any]]:
        ends = [one for one in await logged(stack) if one.data.TYPE in ENDS]
        return ends if len({one.data.order_id for one in ends}) == orders else []

    return await until(all_ended, f"{orders} messages have an end", patience_s)


def types_of(events: list[Event[Any]], order: str) -> list[str]:
    return [one.data.TYPE for one in events if getattr(one.data, "order_id", None) == order]


async def go_live(stack: Stack) -> None:
    assert (await asked(stack, "switch_live"))["result"] == "accepted"


async def asked(stack: Stack, name: str, **data: Any) -> dict[str, Any]:
    command = f"{name}-{datetime.now(UTC).timestamp()}"
    return await stack.command("care_notifier", name, command_id=command, shop=SHOP, data=data)


async def delivered(stack: Stack) -> None:
    async def quiet() -> bool:
        info = await bus.request(stack.nats, f"CONSUMER.INFO.{bus.EVENTS}.care_notifier-sender", {})
        return info["num_pending"] == 0 and info["num_ack_pending"] == 0

    await until(quiet, "the sender has dealt with every message")
    await stack.settled()


class Recorder:
    """A transport that keeps what it was given. fail: what it raises instead of an answer."""

    def __init__(self, fail: Exception | None = None) -> None:
        self.given: list[Message] = []
        self.fail = fail

    async def __call__(self, message: Message, logger: Logger) -> str:
        self.given.append(message)
        if self.fail is not None:
            raise self.fail
        return "provider-1"


def service_with(platform: Transport, sms: Transport | None = None, *, ack_wait_s: float = 60.0) -> Service:
    effect = sender({"platform": platform, "sms": sms or platform})
    return replace(SERVICE, effects=[replace(effect, ack_wait_s=ack_wait_s)])


# shadow, live, paused, expired


async def test_in_shadow_mode_a_payment_is_proposed_requested_and_held_back(database: Database, bus_url: str) -> None:
    dsn = database.dsn_for("carebus_care_notifier")
    async with stack_of([SERVICE], dsn, bus_url) as stack:
        await pay(stack, "o1")
        (end,) = await ended(stack, 1)
        assert (end.data.TYPE, end.data.reason) == ("care.suppressed", "shadow")
        log = await logged(stack)
        status, _, err = await carebus("verify", "care_notifier", **at(database.dsn, bus_url))
        assert (status, err) == (0, "")
    expected = ["order.placed", "order.paid", "care.proposed", "care.requested", "care.suppressed"]
    assert types_of(log, "o1") == expected
    assert len({one.data.care_id for one in log if one.data.TYPE.startswith("care.")}) == 1
    assert (end.source, end.causationid, end.buyer) == ("carebus/sender", log[3].id, "buyer-o1")


async def test_switched_live_a_new_message_is_sent_once_and_the_backlog_never(database: Database, bus_url: str) -> None:
    async with stack_of([SERVICE], database.dsn, bus_url) as stack:
        await pay(stack, "before")
        await ended(stack, 1)
        await go_live(stack)
        await pay(stack, "after")
        ends = await ended(stack, 2)
        await stack.settled()
        lines = [msgspec.json.decode(line) for line in stack.logs["care_notifier"].getvalue().splitlines()]
    assert types_of(ends, "before") == ["care.suppressed"]
    assert types_of(ends, "after") == ["care.sent"]
    sent = ends[-1].data
    assert (sent.channel, sent.provider_id, sent.attempts) == ("platform", "log", 1)
    (line,) = (line for line in lines if line["event"] == "care_logged")
    assert (line["care"], line["kind"], line["shop"]) == (sent.care_id, "payment_thanks", SHOP)
    assert line["digest"] == sent.text_digest
    assert "杯子" not in str(line)


async def test_a_backlog_that_the_sender_reads_only_after_the_switch_is_not_sent(
    database: Database, bus_url: str
) -> None:
    """The requests lie in the log; the sender, as after an outage, begins when the shop is live already."""
    recorder = Recorder()
    async with stack_of([replace(SERVICE, effects=[])], database.dsn, bus_url) as stack:
        for number in range(5):
            await pay(stack, f"o{number}")
        await stack.settled()
        await go_live(stack)
        await stack.settled()
        await stack.stop("care_notifier")
        await stack.start(service_with(recorder))
        ends = await ended(stack, 5)
    assert {one.data.reason for one in ends} == {"shadow"}
    assert recorder.given == []


async def test_what_falls_due_in_a_pause_is_recorded_and_not_sent_afterwards(database: Database, bus_url: str) -> None:
    async with stack_of([SERVICE], database.dsn, bus_url) as stack:
        await go_live(stack)
        assert (await asked(stack, "pause_sending", reason="stock-taking"))["result"] == "accepted"
        await pay(stack, "o1")
        (end,) = await ended(stack, 1)
        assert end.data.reason == "paused"
        assert (await asked(stack, "resume_sending", reason="done"))["result"] == "accepted"
        await pay(stack, "o2")
        ends = await ended(stack, 2)
    assert types_of(ends, "o1") == ["care.suppressed"]
    assert types_of(ends, "o2") == ["care.sent"]


async def test_facts_of_years_ago_contact_nobody(database: Database, bus_url: str) -> None:
    async with stack_of([SERVICE], database.dsn, bus_url) as stack:
        await go_live(stack)
        for number in range(20):
            await pay(stack, f"o{number}", datetime(2018, 5, 1, 8, number, tzinfo=UTC))
        ends = await ended(stack, 20)
        log = await logged(stack)
    assert {(one.data.TYPE, one.data.reason) for one in ends} == {("care.suppressed", "expired")}
    assert not [one for one in log if one.data.TYPE in ("care.requested", "care.sent")]


# faults


@pytest.mark.faults
async def test_after_nats_was_killed_and_the_service_restarted_each_message_has_one_end(
    database: Database, nats_server: NatsServer
) -> None:
    recorder = Recorder()
    service = service_with(
        recorder, ack_wait_s=3
    )  # when what a dead server or service has not acknowledged comes again
    async with stack_of([service], database.dsn, nats_server.url) as stack:
        await go_live(stack)
        for number in range(10):
            await pay(stack, f"o{number}")
        await asyncio.to_thread(nats_server.kill)
        await asyncio.to_thread(nats_server.start_again)

        async def back() -> bool:
            return stack.nats.is_connected and "nats_reconnected" in stack.logs["care_notifier"].getvalue()

        await until(back, "the service is back")
        for number in range(10, 20):
            await pay(stack, f"o{number}")
        await stack.stop("care_notifier")
        await stack.start(service)
        ends = await ended(stack, 20)
        await delivered(stack)
    by_order = sorted(one.data.order_id for one in ends)
    assert by_order == sorted(f"o{n}" for n in range(20))
    sent = [message.care_id for message in recorder.given]
    assert len(set(sent)) == len(sent)


# carebus live


async def test_carebus_live_switches_a_shop_on_and_off_and_says_what_that_means(
    database: Database, bus_url: str
) -> None:
    async with stack_of([SERVICE], database.dsn, bus_url) as stack:
        await pay(stack, "o0")
        await ended(stack, 1)

        async def live(*arguments: str) -> str:
            status, out, err = await carebus("live", *arguments, **at(database.dsn, bus_url))
            assert (status, err, out.count("\n")) == (0, "", 1), (status, out, err)
            return out

        assert f"{SHOP} is live: what falls due from now on is sent" in await live("on", SHOP)
        assert f"{SHOP} is live already" in await live("on", SHOP)
        assert f"nothing is sent until `carebus live on {SHOP}`" in await live("off", SHOP)
        assert f"{SHOP} is paused already" in await live("off", SHOP)
        assert f"{SHOP} sends again" in await live("on", SHOP)
        status, out, _ = await carebus("live", "on", "s2", **at(database.dsn, bus_url))
        assert (status, "the log has nothing else of s2 yet" in out) == (0, True)
        await pay(stack, "o1")
        assert types_of(await ended(stack, 2), "o1") == ["care.sent"]


async def test_carebus_live_says_in_one_line_that_the_service_does_not_run(database: Database, bus_url: str) -> None:
    status, out, err = await carebus("live", "on", SHOP, **at(database.dsn, bus_url))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "care_notifier is not running" in err
