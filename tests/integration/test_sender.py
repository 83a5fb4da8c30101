"""The sender: each `care.requested` leaves once or is held back, by the channels of its kind."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas import subjects
from schemas.care import CareRequested
from schemas.codec import encode
from schemas.envelope import Event
from services.care_notifier import sender as sending_out
from services.care_notifier.app import SERVICE
from services.care_notifier.channels import Message, NotSent
from services.kernel.telemetry import Logger
from tests.databases import Database
from tests.integration.test_care import ENDS, SHOP, Recorder, delivered, ended, go_live, logged, service_with
from tests.stack import Stack, stack_of

pytestmark = pytest.mark.integration


async def test_a_request_that_waited_beyond_its_expiry_is_not_sent(database: Database, bus_url: str) -> None:
    recorder = Recorder()
    async with stack_of([service_with(recorder)], database.dsn, bus_url) as stack:
        await go_live(stack)
        await request_again(stack, expires=datetime.now(UTC) - timedelta(seconds=1))
        (end,) = await ended(stack, 1)
    assert (end.data.TYPE, end.data.reason) == ("care.suppressed", "expired")
    assert recorder.given == []


async def request_again(stack: Stack, care: str = "c1", *, expires: datetime | None = None, **more: Any) -> None:
    """A `care.requested` straight into the log; each call is a delivery of its own."""
    channel = {"channel": "platform", "address_ref": "platform:buyer", "text": "#收件人姓名#您好"}
    data = {"care_id": care, "kind": "signed", "order_id": "o1", "channels": [channel], **more}
    request = msgspec.convert(data, CareRequested)
    moment = datetime.now(UTC)
    request = replace(request, expires_at=expires or moment + timedelta(hours=1))
    event = Event(data=request, shop=SHOP, buyer="b1", time=moment, id=f"request-{care}", source="carebus/contact")
    await stack.nats.jetstream().publish(subjects.event(SHOP, "b1", "care"), encode(event))


# once


async def test_a_message_delivered_often_is_sent_once(
    database: Database, bus_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_out, "BUSY_S", 0.2)
    recorder = Recorder()
    async with stack_of([service_with(recorder)], database.dsn, bus_url) as stack:
        await go_live(stack)
        for _ in range(5):
            await request_again(stack)
        await ended(stack, 1)
        await delivered(stack)
        ends = [one for one in await logged(stack) if one.data.TYPE in ENDS]
    assert len(recorder.given) == 1
    assert [one.data.TYPE for one in ends] == ["care.sent"]
    assert recorder.given[0].text == "亲您好"


async def test_an_attempt_that_died_is_unknown_and_never_made_again(
    database: Database, bus_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGKILL between the two transactions: the row says attempting, and nobody works on it."""
    monkeypatch.setattr(sending_out, "DEAD_S", 1.0)
    monkeypatch.setattr(sending_out, "BUSY_S", 0.2)
    recorder = Recorder()
    async with stack_of([service_with(recorder)], database.dsn, bus_url) as stack:
        await go_live(stack)
        await stack.rows(
            "INSERT INTO care_notifier.sending (care_id, shop, buyer, status) VALUES ('c1', $1, 'b1', 'attempting')",
            SHOP,
        )
        await request_again(stack)
        (end,) = await ended(stack, 1)
        await request_again(stack)
        await delivered(stack)
        assert len([one for one in await logged(stack) if one.data.TYPE in ENDS]) == 1
    assert (end.data.TYPE, end.data.channel) == ("care.unknown", "platform")
    assert recorder.given == []


async def test_an_attempt_that_another_has_called_unknown_is_not_settled_twice(
    database: Database, bus_url: str
) -> None:
    async with stack_of([replace(SERVICE, effects=[])], database.dsn, bus_url) as stack:
        await go_live(stack)
        await stack.stop("care_notifier")

        async def frozen(message: Message, logger: Logger) -> str:
            await stack.rows("UPDATE care_notifier.sending SET status = 'unknown' WHERE care_id = $1", message.care_id)
            return "late"

        await stack.start(service_with(frozen))
        await request_again(stack)
        await delivered(stack)
        assert not [one for one in await logged(stack) if one.data.TYPE in ENDS]
        assert await statuses(stack) == {"c1": "unknown"}


async def statuses(stack: Stack) -> dict[str, str]:
    return {row["care_id"]: row["status"] for row in await stack.rows("SELECT * FROM care_notifier.sending")}


# channels


SMS = {"channel": "sms", "address_ref": "v1", "text": "您好"}
CHAT = {"channel": "platform", "address_ref": "platform:buyer", "text": "您好"}
REFUSED = NotSent("blocked")
LOST = ConnectionResetError()


@pytest.mark.parametrize(
    ("mode", "chat", "sms", "told", "status"),
    [
        ("fallback", None, None, ["care.sent platform"], "sent"),
        ("fallback", REFUSED, None, ["care.failed platform", "care.sent sms"], "sent"),
        ("fallback", REFUSED, REFUSED, ["care.failed platform", "care.failed sms"], "failed"),
        ("fallback", LOST, None, ["care.unknown platform"], "unknown"),
        ("all", None, None, ["care.sent platform", "care.sent sms"], "sent"),
        ("all", REFUSED, None, ["care.failed platform", "care.sent sms"], "sent"),
        ("all", None, LOST, ["care.sent platform", "care.unknown sms"], "sent"),
        ("all", LOST, REFUSED, ["care.unknown platform", "care.failed sms"], "unknown"),
    ],
)
async def test_fallback_takes_the_first_channel_that_works_and_all_takes_each(
    database: Database, bus_url: str, mode: str, chat: Any, sms: Any, told: list[str], status: str
) -> None:
    async with stack_of([service_with(Recorder(chat), Recorder(sms))], database.dsn, bus_url) as stack:
        await go_live(stack)
        await request_again(stack, channels=[CHAT, SMS], mode=mode)
        await ended(stack, 1)
        await delivered(stack)
        ends = [one for one in await logged(stack) if one.data.TYPE in ENDS]
        assert [f"{one.data.TYPE} {one.data.channel}" for one in ends] == told
        assert await statuses(stack) == {"c1": status}


async def test_a_channel_that_does_not_answer_leaves_it_unknown(
    database: Database, bus_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_out, "ATTEMPT_S", 0.1)

    async def silent(message: Message, logger: Logger) -> str:
        await asyncio.Event().wait()
        return ""

    async with stack_of([service_with(silent)], database.dsn, bus_url) as stack:
        await go_live(stack)
        await request_again(stack)
        (end,) = await ended(stack, 1)
    assert (end.data.TYPE, end.data.error) == ("care.unknown", "no answer within 0.1 s")
