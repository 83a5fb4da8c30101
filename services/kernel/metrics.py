"""Metrics of a service for Prometheus. No label holds an id or a shop: the number of series is bounded.

Every series carries the label `service`. Names, units and labels are in the constructor; the rules
and dashboards in `deploy/` use them.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.kernel.vocabulary import Log

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COUNTS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000)


class Metrics:
    """One service's metrics, registered in `registry`, which is this service's alone.

    version: of the program. Labels: stream is EVENTS or INBOX; reason, result, endpoint are words of code.
    """

    def __init__(self, service: str, registry: CollectorRegistry, version: str = "") -> None:
        own = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"carebus_{name}", text, labels, registry=own)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"carebus_{name}", text, labels, registry=own)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"carebus_{name}", text, labels, buckets=buckets, registry=own)

        self._lag_messages = gauge("lag_messages", "Messages not yet handled.", "stream")
        self._lag_seconds = gauge("lag_seconds", "Age of the last one handled.", "stream", "partition")
        self._batch_messages = histogram("batch_messages", "Messages in one transaction.", _COUNTS)
        self._batch_seconds = histogram("batch_seconds", "From reading a batch to its commit.", _SECONDS)
        self.commit_seconds = histogram("commit_seconds", "The COMMIT of a batch.", _SECONDS)
        self.handled = counter("messages_handled", "Messages handled.")
        self.skipped = counter("messages_skipped", "Messages skipped.", "reason")
        self.parked = counter("messages_parked", "Messages and ticks parked.", "reason")
        self.waiting = gauge("keys_waiting", "Lanes and keys that wait behind a parked message.")
        self._outbox_rows = gauge("outbox_rows", "Decided events not yet in the log.")
        self._outbox_seconds = gauge("outbox_oldest_seconds", "Age of the oldest of them.")
        self.relayed = histogram("relay_batch_events", "Events in one publication.", _COUNTS)
        self.reconciled = counter("outbox_reconciled", "Outbox rows found in the log already.")
        self.ticks = counter("ticks_fired", "Ticks fired.")
        self.late_ticks = counter("ticks_late", "Of these, fired over 1 s after their instant by the clock.")
        self._commands = histogram("command_seconds", "Commands answered.", _SECONDS, "endpoint", "result")
        self._queries = histogram("query_seconds", "Queries answered.", _SECONDS, "endpoint", "result")
        self._doors = histogram("door_seconds", "Requests at the HTTP door answered.", _SECONDS, "result")
        self.owned = gauge("partitions_owned", "Partitions that this replica works on.")
        self.takeovers = counter("partition_takeovers", "Partitions taken over.")
        self.reopened = counter("reader_reopened", "Times that the reader opened again.", "stream")
        self._log_dropped = counter("log_fields_dropped", "Log fields left out, not being allowed.", "event")
        gauge("build_info", "Always 1.", "version").labels(version=version).set(1)
        registry.register(_Labelled(own, service))

    def lag(self, stream: str, partition: int, seconds: float) -> None:
        """How old the last message handled was when it was handled."""
        self._lag_seconds.labels(stream, str(partition)).set(seconds)

    def behind(self, stream: str, messages: int) -> None:
        """How many messages of the stream wait, those of other replicas' partitions included."""
        self._lag_messages.labels(stream).set(messages)

    def released(self, stream: str, partition: int) -> None:
        """The partition is another replica's: its lag is no longer told here."""
        self._lag_seconds.remove(stream, str(partition))

    def batch(self, messages: int, seconds: float) -> None:
        """A batch was committed."""
        self._batch_messages.observe(messages)
        self._batch_seconds.observe(seconds)
        self.handled.inc(messages)

    def outbox(self, rows: int, oldest_s: float) -> None:
        """What waits to be published, and how long its oldest row has waited, in seconds."""
        self._outbox_rows.set(rows)
        self._outbox_seconds.set(oldest_s)

    def command(self, endpoint: str, result: str, seconds: float) -> None:
        """result: `accepted` or the code of the rejection."""
        self._commands.labels(endpoint, result).observe(seconds)

    def query(self, endpoint: str, result: str, seconds: float) -> None:
        """result: `answer` or the code of the rejection."""
        self._queries.labels(endpoint, result).observe(seconds)

    def door(self, result: str, seconds: float) -> None:
        """result: `accepted`, or the code of the refusal."""
        self._doors.labels(result).observe(seconds)

    def log_field_dropped(self, event: Log) -> None:
        self._log_dropped.labels(event.name.lower()).inc()


class _Labelled(Collector):
    """The metrics of a registry, each sample with the label `service`."""

    def __init__(self, inner: CollectorRegistry, service: str) -> None:
        self._inner = inner
        self._service = service

    def collect(self) -> Iterable[Metric]:
        for metric in self._inner.collect():
            metric.samples = [
                sample._replace(labels={"service": self._service, **sample.labels}) for sample in metric.samples
            ]
            yield metric
