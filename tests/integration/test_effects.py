"""Effects: performed because an event says so, through faults of the effect itself and of what it needs."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from schemas import subjects
from schemas.care import CareProposed, CareSuppressed
from schemas.envelope import Event
from services.cli.servers import NatsServer
from services.kernel import bus, effects
from services.kernel.effects import Effect, Later, Means, Rest
from services.kernel.service import Service
from tests.databases import Database
from tests.examples.services import REMIND, prepare
from tests.integration.test_poison import paid, put, spoilt
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration

Perform = Callable[[Event[Any], Means], Awaitable[None]]


class Done:
    """What was performed: care id -> how often it was tried. fail: raised at the first tries of each message."""

    def __init__(self, *fail: Exception) -> None:
        self.tries: Counter[str] = Counter()
        self._fail = fail

    async def __call__(self, event: Event[Any], means: Means) -> None:
        assert isinstance(event.data, CareProposed)
        care = event.data.care_id
        self.tries[care] += 1
        if self.tries[care] <= len(self._fail):
            raise self._fail[self.tries[care] - 1]

    def orders(self) -> set[str]:
        return {care.rpartition(":")[2] for care in self.tries}


def doing(perform: Perform, ack_wait_s: float = 2.0) -> Service:
    """The example that thanks for payments, with an effect on the messages that it proposes."""

    async def begin(events: Sequence[Event[Any]], means: Means) -> Sequence[Rest]:
        return [partial(perform, event, means) for event in events]

    probe = Effect(name="probe", types=(CareProposed,), begin=begin, ack_wait_s=ack_wait_s)
    return replace(REMIND, effects=[probe])


async def pay(stack: Stack, orders: range) -> None:
    for number in orders:
        await put(stack, paid(f"o{number}", f"b{number}"))


async def consumer(stack: Stack) -> dict[str, Any]:
    return await bus.request(stack.nats, f"CONSUMER.INFO.{bus.EVENTS}.ex_remind-probe", {})


async def acknowledged(stack: Stack) -> None:
    """Wait until nothing is left to deliver or to acknowledge."""

    async def quiet() -> bool:
        info = await consumer(stack)
        return info["num_pending"] == 0 and info["num_ack_pending"] == 0

    await until(quiet, "every message is acknowledged")


def lines(stack: Stack, event: str) -> list[dict[str, Any]]:
    said = map(msgspec.json.decode, stack.logs["ex_remind"].getvalue().splitlines())
    return [line for line in said if line["event"] == event]


async def test_each_event_of_the_entity_is_performed_and_acknowledged(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    done = Done()
    async with stack_of([doing(done)], database.dsn, bus_url) as stack:
        await pay(stack, range(50))
        await stack.settled()
        await acknowledged(stack)
    assert len(done.tries) == 50
    assert set(done.tries.values()) == {1}


async def test_what_is_told_is_one_event_however_often_it_is_performed(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)

    async def perform(event: Event[Any], means: Means) -> None:
        data = CareSuppressed(care_id=event.data.care_id, kind=event.data.kind, reason="shadow")
        for _ in range(2):
            async with means.transaction() as transaction:
                transaction.tell(event, event.data.care_id, data, 3)

    async with stack_of([doing(perform)], database.dsn, bus_url, duplicate_window_s=60) as stack:
        await put(stack, paid("o1", "b1"))
        await stack.settled()
        await acknowledged(stack)
        await stack.settled()
        told = [event for event in await logged(stack) if event["type"] == "care.suppressed"]
        proposed = [event for event in await logged(stack) if event["type"] == "care.proposed"]
    assert len({event["id"] for event in told}) == 1
    assert (told[0]["source"], told[0]["shop"], told[0]["buyer"]) == ("carebus/probe", "s1", "b1")
    assert (told[0]["causationid"], told[0]["ordinal"]) == (proposed[0]["id"], 3)
    assert told[0]["correlationid"] == proposed[0]["correlationid"]


async def logged(stack: Stack) -> list[dict[str, Any]]:
    info = await bus.request(stack.nats, f"STREAM.INFO.{bus.EVENTS}", {})
    js = stack.nats.jetstream()
    return [
        msgspec.json.decode((await js.get_msg(bus.EVENTS, seq)).data) for seq in range(1, info["state"]["last_seq"] + 1)
    ]


async def test_what_cannot_be_done_now_comes_again_when_it_said(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    done = Done(Later(0.1), Later(0.1))
    async with stack_of([doing(done)], database.dsn, bus_url) as stack:
        await put(stack, paid("o1", "b1"))
        await stack.settled()
        await acknowledged(stack)
    assert list(done.tries.values()) == [3]


async def test_a_database_that_is_away_is_waited_out(
    database: Database, bus_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepare(database.dsn)
    monkeypatch.setattr(effects, "RETRY_S", (0.05, 0.1))
    done = Done(asyncpg.PostgresConnectionError("gone"), bus.BusError("gone"), OSError("gone"))
    async with stack_of([doing(done)], database.dsn, bus_url) as stack:
        await put(stack, paid("o1", "b1"))
        await stack.settled()
        await acknowledged(stack)
        retried = lines(stack, "effect_retried")
    assert list(done.tries.values()) == [4]
    assert [line["process"] for line in retried] == ["probe"] * 3


async def test_a_bug_is_said_kept_and_holds_up_no_other(
    database: Database, bus_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepare(database.dsn)
    done = Done(ZeroDivisionError("13800138000"))
    async with stack_of([doing(done)], database.dsn, bus_url) as stack:
        await put(stack, paid("o1", "b1"))

        async def failed() -> bool:
            return bool(lines(stack, "effect_failed"))

        await until(failed, "the bug is said")
        done._fail = ()
        monkeypatch.setattr(effects, "BUG_S", 0.1)
        await put(stack, paid("o2", "b2"))
        await until(_all_tried(done, {"o1", "o2"}), "the other is performed")
        (line,) = lines(stack, "effect_failed")
        assert (await consumer(stack))["num_ack_pending"] == 1
    assert (line["shop"], line["type"], line["process"]) == ("s1", "care.proposed", "probe")
    assert "13800138000" not in str(line)


def _all_tried(done: Done, orders: set[str]) -> Callable[[], Awaitable[bool]]:
    async def tried() -> bool:
        return done.orders() >= orders

    return tried


async def test_what_does_not_decode_or_is_of_an_unknown_type_is_acknowledged(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    done = Done()
    async with stack_of([doing(done)], database.dsn, bus_url) as stack:
        subject = subjects.event("s1", "b9", "care")
        js = stack.nats.jetstream()
        await js.publish(subject, spoilt(type="care.invented", dataschema="urn:carebus:event:care.invented:1"))
        await js.publish(subject, b"no json")
        await acknowledged(stack)
        (line,) = lines(stack, "effect_skipped")
    assert line["seq"] == 2
    assert not done.tries


async def test_an_event_of_a_newer_version_is_left_to_an_upgraded_replica(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([doing(Done())], database.dsn, bus_url) as stack:
        newer = spoilt(type="care.proposed", dataschema="urn:carebus:event:care.proposed:99")
        await stack.nats.jetstream().publish(subjects.event("s1", "b9", "care"), newer)

        async def retried() -> bool:
            return len(lines(stack, "effect_retried")) > 1

        await until(retried, "it is tried again")
        assert (await consumer(stack))["num_ack_pending"] == 1


async def test_a_message_that_is_not_acknowledged_in_time_is_delivered_to_another_worker(
    database: Database, bus_url: str
) -> None:
    """As it is to another replica when one has died over it."""
    await prepare(database.dsn)
    frozen = asyncio.Event()
    done = Done()

    async def perform(event: Event[Any], means: Means) -> None:
        await done(event, means)
        if list(done.tries.values()) == [1]:
            await frozen.wait()

    async with stack_of([doing(perform, ack_wait_s=1)], database.dsn, bus_url) as stack:
        await put(stack, paid("o1", "b1"))

        async def again() -> bool:
            return list(done.tries.values()) == [2]

        await until(again, "another worker has it")
        await acknowledged(stack)
        frozen.set()


async def test_a_consumer_that_was_deleted_is_made_again_and_nothing_is_missed(
    database: Database, bus_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepare(database.dsn)
    monkeypatch.setattr("services.kernel.service.HOUSE_S", 0.1)
    done = Done()
    async with stack_of([doing(done)], database.dsn, bus_url) as stack:
        await put(stack, paid("o1", "b1"))
        await until(_all_tried(done, {"o1"}), "it works")
        await bus.request(stack.nats, f"CONSUMER.DELETE.{bus.EVENTS}.ex_remind-probe", {})
        await put(stack, paid("o2", "b2"))
        await until(_all_tried(done, {"o1", "o2"}), "it works again")


@pytest.mark.faults
async def test_effects_go_on_after_nats_was_killed(database: Database, nats_server: NatsServer) -> None:
    await prepare(database.dsn)
    done = Done()
    async with stack_of([doing(done)], database.dsn, nats_server.url) as stack:
        await pay(stack, range(20))
        await until(_all_tried(done, {"o0"}), "it works")
        await asyncio.to_thread(nats_server.kill)
        await asyncio.to_thread(nats_server.start_again)

        async def back() -> bool:
            return stack.nats.is_connected and not stack.running["ex_remind"].not_ready

        await until(back, "the service is back")
        await pay(stack, range(20, 40))
        await until(_all_tried(done, {f"o{n}" for n in range(40)}), "all are performed", patience_s=40)
        await acknowledged(stack)
