"""Commands on the in-memory runner: what its callers must say, and what a broken one does."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest
from msgspec import structs

from schemas.commands.care_notifier import CancelCare
from schemas.envelope import Accepted, Actor, Command, Rejected
from schemas.order import OrderPaid
from services.kernel.commands import CommandSpec
from services.kernel.process import process_of
from services.replay.given import event
from services.replay.memory import Memory
from services.replay.worker import NeedsDatabase
from tests.examples import reminder
from tests.examples.services import REMIND

CARE = "b1:payment_thanks:o1"


def cancel(care: str = CARE, command_id: str = "c1") -> Command[CancelCare]:
    return Command(command_id=command_id, shop="s1", actor=Actor(id="a1", role="agent"), data=CancelCare(care_id=care))


def test_a_command_whose_story_only_a_database_knows_must_name_it() -> None:
    async def asks(connection: Any, command: Any) -> Any:
        return await connection.fetchval("SELECT 1")

    async def waits(connection: Any, command: Any) -> Any:
        await Later()

    for locate in (asks, waits):
        spec = CommandSpec(name="cancel_care", data=CancelCare, process="reminder", locate=locate)
        memory = Memory([REMIND])
        memory.append(event(OrderPaid(order_id="o1", paid_fen=1)))
        with pytest.raises(NeedsDatabase, match=r"cancel_care: .*; say story="):
            memory.command("ex_remind", spec, cancel())
        assert isinstance(memory.command("ex_remind", spec, cancel(), story=("s1", "b1", "b1")), Accepted)


class Later:
    def __await__(self) -> Any:
        yield


def test_a_command_of_an_unknown_name_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError, match=r"ex_remind\.dream"):
        Memory([REMIND]).command("ex_remind", "dream", cancel())


def test_a_command_that_is_not_of_the_contract_is_rejected_with_its_field() -> None:
    answer = Memory([REMIND]).command("ex_remind", "cancel_care", cancel(command_id=""))
    assert isinstance(answer, Rejected)
    assert (answer.code, answer.field) == ("invalid_field", "command_id")


def test_a_command_that_breaks_is_answered_and_may_come_again() -> None:
    broken: list[Exception] = [LookupError("no such rung")]

    def decide(state: Any, cause: Any, now: datetime, policy: Any) -> Iterable[Any]:
        if isinstance(cause, Command) and broken:
            raise broken.pop()
        return reminder.decide(state, cause, now, policy)

    process = structs.replace(process_of(reminder), decide=decide)
    memory = Memory([structs.replace(REMIND, processes=[process])])
    memory.append(event(OrderPaid(order_id="o1", paid_fen=1)))
    first, second = (memory.command("ex_remind", "cancel_care", cancel()) for _ in range(2))
    assert (getattr(first, "code", ""), type(second)) == ("internal_error", Accepted)
    assert [str(error) for error in memory.errors] == ["no such rung"]
