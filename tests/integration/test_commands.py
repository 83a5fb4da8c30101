"""Commands: one effect for each id, one winner for each story, and always an answer."""

import asyncio
from typing import Any

import msgspec
import pytest

from tests.databases import Database
from tests.examples import reminder
from tests.examples.services import ENDS, FACTS, REMIND, prepare
from tests.integration.test_flow import said
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration

RACES = 200


async def cancel(stack: Stack, command: str, care: str, **more: Any) -> dict[str, Any]:
    return await stack.command("ex_remind", "cancel_care", command_id=command, data={"care_id": care}, **more)


async def paid_orders(stack: Stack, orders: int) -> list[str]:
    """Orders of as many buyers, paid; the ids of the messages that were proposed for them."""
    await stack.publish("shop", "s1", "order", *(said("paid", f"o{n}", f"b{n}") for n in range(orders)))
    await stack.settled()
    return [f"b{n}:payment_thanks:o{n}" for n in range(orders)]


async def test_of_two_clients_on_one_story_one_wins_and_the_other_is_told(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND, ENDS], database.dsn, bus_url) as stack:
        for number, care in enumerate(await paid_orders(stack, RACES)):
            answers = await asyncio.gather(cancel(stack, f"a{number}", care), cancel(stack, f"b{number}", care))
            results = sorted(answer.get("code", "accepted") for answer in answers)
            assert results == ["accepted", "already_requested"], (number, answers)
        await stack.settled()
        rows = await stack.rows("SELECT about, count(*) FROM ex_ends.seen WHERE type = 'care.suppressed' GROUP BY 1")
        assert sorted(row["count"] for row in rows) == [1] * RACES


async def test_the_same_command_ten_times_has_one_effect_and_equal_answers(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND, ENDS], database.dsn, bus_url) as stack:
        (care,) = await paid_orders(stack, 1)
        answers = await asyncio.gather(*(cancel(stack, "c1", care) for _ in range(10)))
        assert answers[0]["result"] == "accepted"
        assert all(answer == answers[0] for answer in answers)
        assert await cancel(stack, "c1", care, correlation_id="another try") == answers[0]
        await stack.settled()
        rows = await stack.rows("SELECT id FROM ex_ends.seen WHERE type = 'care.suppressed'")
        assert [row["id"] for row in rows] == answers[0]["events"]


async def test_the_same_id_with_other_content_is_an_error(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND], database.dsn, bus_url) as stack:
        one, two = await paid_orders(stack, 2)
        assert (await cancel(stack, "c1", one))["result"] == "accepted"
        told = await cancel(stack, "c1", two)
        assert (told["code"], told["field"]) == ("command_conflict", "command_id")
        told = await cancel(stack, "c1", one, actor={"id": "a2", "role": "agent"})
        assert told["code"] == "command_conflict"


async def test_a_rejection_is_the_first_answer_too(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, REMIND], database.dsn, bus_url) as stack:
        first = await cancel(stack, "c1", "b0:payment_thanks:o0")
        assert first["code"] == "already_requested"
        (care,) = await paid_orders(stack, 1)
        assert await cancel(stack, "c1", care) == first
        assert (await cancel(stack, "c2", care))["result"] == "accepted"


async def test_a_handler_that_crashes_gives_an_answer_and_changes_nothing(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)

    def decide(state: Any, cause: Any, now: Any, policy: Any) -> Any:
        yield from reminder.decide(state, cause, now, policy)
        if getattr(cause, "command_id", "") == "crash":
            raise ZeroDivisionError("secret 13800000000")

    process = msgspec.structs.replace(REMIND.processes[0], decide=decide)
    service = msgspec.structs.replace(REMIND, processes=[process])
    async with stack_of([FACTS, service, ENDS], database.dsn, bus_url) as stack:
        (care,) = await paid_orders(stack, 1)
        told = await cancel(stack, "crash", care)
        assert (told["result"], told["code"]) == ("rejected", "internal_error")
        assert "Zero" not in str(told)
        log = stack.logs["ex_remind"].getvalue()
        assert "command_failed" in log
        assert "13800000000" not in log
        assert (await cancel(stack, "c2", care))["result"] == "accepted"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
        (b'{"shop": "s1", "actor": {"id": "a", "role": "agent"}}', "command_id"),
        (b'{"command_id": "c", "shop": "s1", "actor": {"id": "a", "role": "king"}}', "actor.role"),
        (b'{"command_id": "c", "shop": "s1", "actor": {"id": "a", "role": "agent"}, "data": {}}', "data.care_id"),
        (b'{"command_id": "c", "shop": "s1", "actor": {"id": "a", "role": "agent"}, "data": {"care_id": 1}}',
         "data.care_id"),
        (b'{"command_id": "c\\u0000", "shop": "s1", "actor": {"id": "a", "role": "agent"}, "data": {"care_id": "x"}}',
         "command_id"),
        (b'{"command_id": "c", "shop": "s1", "actor": {"id": "a", "role": "agent"}, "data": {"care_id": "\\u0000"}}',
         "data.care_id"),
        (b'"' + b"x" * 600_000 + b'"', ""),
    ],
)  # fmt: skip
async def test_rubbish_is_answered_with_the_field_at_fault(
    database: Database, bus_url: str, body: bytes, field: str
) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        told = await stack.ask("cmd.ex_remind.cancel_care", body)
        assert (told["code"], told["field"]) == ("invalid_field", field), told


async def test_a_command_that_names_nothing_known_is_told_so(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([REMIND], database.dsn, bus_url) as stack:
        assert (await cancel(stack, "c1", "no-such-care"))["code"] == "unknown_id"


async def test_a_query_reads_what_was_written_before_it(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, ENDS], database.dsn, bus_url) as stack:
        for n in range(20):
            await stack.publish("shop", "s1", "order", said("paid", f"o{n}", "b1"))
            seq = n + 1
            body = {"shop": "s1", "data": {"buyer": "b1"}, "at_least_seq": seq}

            async def logged(seq: int = seq) -> bool:
                return (await stack.nats.jetstream().stream_info("EVENTS")).state.last_seq >= seq

            await until(logged, f"the log has {seq} events")
            told = await stack.ask("query.order_ends.of_buyer", body)
            assert (told["result"], len(told["rows"])) == ("answer", n + 1), told
        told = await stack.ask("query.order_ends.of_buyer", {"shop": "s1", "data": {"buyer": 7}})
        assert (told["code"], told["field"]) == ("invalid_field", "buyer")
