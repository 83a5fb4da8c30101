"""Least privilege: a service runs under its own role, which sees no other service's rows."""

import asyncpg
import pytest
from msgspec.structs import replace

from tests.databases import Database
from tests.examples.services import REMIND
from tests.integration.test_poison import paid, put
from tests.stack import stack_of, until

pytestmark = pytest.mark.integration

SERVICES = ("chat_ingest", "trade_ingest", "care_notifier", "aftersales", "projections")


async def test_a_service_does_its_whole_work_under_its_own_role(database: Database, bus_url: str) -> None:
    service = replace(REMIND, name="aftersales")
    async with stack_of([service], database.dsn_for("carebus_aftersales"), bus_url) as stack:
        await put(stack, paid("o1", "b1"))

        async def decided() -> bool:
            return (await stack.nats.jetstream().stream_info("EVENTS")).state.messages == 2

        await until(decided, "the decision is in the log")
        care = {"care_id": "b1:payment_thanks:o1"}
        answer = await stack.command("aftersales", "cancel_care", command_id="c1", data=care)
        assert answer["result"] == "accepted"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_role_reads_and_writes_its_own_schema_alone(database: Database, service: str) -> None:
    connection = await asyncpg.connect(database.dsn_for(f"carebus_{service}"))
    try:
        await connection.execute(f"SELECT * FROM {service}.state")
        for other in SERVICES:
            if other != service:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(f"SELECT * FROM {other}.outbox")
        for forbidden in (
            f"CREATE TABLE {service}.mine (x int)",
            "CREATE TABLE public.mine (x int)",
            "UPDATE public.driven_clock SET now = now()",
            "CALL public.create_service('another')",
            f"TRUNCATE {service}.state",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)
    finally:
        await connection.close()
