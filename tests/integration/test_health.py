"""The HTTP door: alive, ready or why not, and the metrics that really moved."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.cli.servers import NatsServer
from tests.databases import Database
from tests.examples.services import ENDS, FACTS, prepare
from tests.integration.test_flow import said
from tests.stack import Stack, stack_of, until

pytestmark = pytest.mark.integration


async def samples(stack: Stack, name: str) -> dict[str, float]:
    """The sum over the labels of each sample that a service exposes."""
    status, text = await stack.get(name, "/metrics")
    assert status == 200
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels["service"] == name
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return totals


async def test_a_service_that_works_is_alive_and_ready_and_its_metrics_move(database: Database, bus_url: str) -> None:
    await prepare(database.dsn)
    async with stack_of([FACTS, ENDS], database.dsn, bus_url) as stack:
        assert await stack.get(FACTS.name, "/health/live") == (204, "")
        assert await stack.get(FACTS.name, "/health/ready") == (200, "")
        assert (await stack.get(FACTS.name, "/secret"))[0] == 404
        await stack.publish("shop", "s1", "order", *(said("paid", f"o{n}") for n in range(10)), b"{")
        await stack.settled()
        facts, ends = await samples(stack, FACTS.name), await samples(stack, ENDS.name)
        assert facts["carebus_messages_handled_total"] == 11
        assert facts["carebus_messages_parked_total"] == 1
        assert facts["carebus_relay_batch_events_sum"] == 11
        assert facts["carebus_partitions_owned"] == ends["carebus_partitions_owned"] == 16
        assert facts["carebus_partition_takeovers_total"] == 16
        assert ends["carebus_messages_handled_total"] == 11
        assert ends["carebus_commit_seconds_count"] >= 1
        assert ends["carebus_lag_messages"] == 0


async def test_a_service_without_nats_is_alive_but_says_why_it_is_not_ready(
    database: Database, nats_server: NatsServer
) -> None:
    await prepare(database.dsn)
    async with stack_of([ENDS], database.dsn, nats_server.url) as stack:
        nats_server.kill()

        async def not_ready() -> bool:
            return (await stack.get(ENDS.name, "/health/ready"))[0] == 503

        await until(not_ready, "it says that it is not ready")
        _, reason = await stack.get(ENDS.name, "/health/ready")
        assert reason
        assert "\n" not in reason
        assert await stack.get(ENDS.name, "/health/live") == (204, "")
        nats_server.start_again()

        async def ready() -> bool:
            return (await stack.get(ENDS.name, "/health/ready"))[0] == 200

        await until(ready, "it is ready again")
