"""Metrics: what is measured is told, in a bounded number of series."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.kernel.metrics import Metrics
from services.kernel.vocabulary import Log

SERVICE = "care_notifier"


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"carebus_{name}", {"service": SERVICE, **labels})


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(SERVICE, registry, version="1.2.3")


def measure_everything(metrics: Metrics) -> None:
    metrics.lag("EVENTS", 3, 0.5)
    metrics.behind("EVENTS", 20)
    metrics.batch(10, 0.02)
    metrics.outbox(7, 1.5)
    metrics.command("hang_up", "buyer_waiting", 0.01)
    metrics.query("orders.open", "answer", 0.01)
    metrics.door("unauthorized", 0.01)
    metrics.parked.labels(reason="DecodeError").inc()
    metrics.skipped.labels(reason="unknown_type").inc(2)
    metrics.log_field_dropped(Log.OUTBOX_RETRY)


def test_every_measurement_is_told_with_its_labels(metrics: Metrics, registry: CollectorRegistry) -> None:
    measure_everything(metrics)
    assert value(registry, "lag_seconds", stream="EVENTS", partition="3") == 0.5
    assert value(registry, "lag_messages", stream="EVENTS") == 20
    assert value(registry, "messages_handled_total") == 10
    assert value(registry, "batch_messages_sum") == 10
    assert value(registry, "batch_seconds_count") == 1
    assert value(registry, "outbox_rows") == 7
    assert value(registry, "outbox_oldest_seconds") == 1.5
    assert value(registry, "command_seconds_count", endpoint="hang_up", result="buyer_waiting") == 1
    assert value(registry, "query_seconds_count", endpoint="orders.open", result="answer") == 1
    assert value(registry, "door_seconds_count", result="unauthorized") == 1
    assert value(registry, "messages_parked_total", reason="DecodeError") == 1
    assert value(registry, "messages_skipped_total", reason="unknown_type") == 2
    assert value(registry, "log_fields_dropped_total", event="outbox_retry") == 1
    assert value(registry, "build_info", version="1.2.3") == 1


def test_the_lag_of_a_partition_given_away_is_no_longer_told(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.lag("EVENTS", 3, 0.5)
    metrics.released("EVENTS", 3)
    metrics.released("EVENTS", 4)
    assert value(registry, "lag_seconds", stream="EVENTS", partition="3") is None


def test_two_services_in_one_process_each_have_their_own_metrics() -> None:
    registries = [CollectorRegistry(), CollectorRegistry()]
    first, _ = [Metrics(SERVICE, each) for each in registries]
    first.ticks.inc()
    assert [value(each, "ticks_fired_total") for each in registries] == [1, 0]


def test_asking_twice_gives_the_same_page(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.owned.set(4)
    assert generate_latest(registry) == generate_latest(registry)


def test_no_label_holds_an_id_or_a_shop(metrics: Metrics, registry: CollectorRegistry) -> None:
    measure_everything(metrics)
    labels = {label for family in registry.collect() for sample in family.samples for label in sample.labels}
    known = {"service", "stream", "partition", "reason", "endpoint", "result", "event", "version", "le"}
    assert labels == known
