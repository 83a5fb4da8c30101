"""The judge itself: it accepts an undisturbed run, and sees every kind of harm done to its traces."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed

from services.cli.servers import NatsServer
from tests.databases import Database
from tests.faults.conftest import Record
from tests.faults.feed import make_feed
from tests.faults.harness import World, run, world_of
from tests.faults.verdict import Traces, differences

pytestmark = [pytest.mark.integration, pytest.mark.faults]


def lost(traces: Traces) -> Traces:
    return replace(traces, log=traces.log[:-1])


def doubled(traces: Traces) -> Traces:
    return replace(traces, log=[*traces.log, changed(traces.log[0], seq=len(traces.log) + 1)])


def doubled_under_another_id(traces: Traces) -> Traces:
    return replace(traces, log=[*traces.log, changed(traces.log[0], seq=len(traces.log) + 1, id="another")])


def out_of_order(traces: Traces) -> Traces:
    """Two facts of one order change places."""
    log = list(traces.log)
    first = next(n for n, event in enumerate(log) if event.data.TYPE == "order.placed" and event.buyer[0] == "b")
    order = log[first].data.order_id
    second = next(n for n, event in enumerate(log) if n > first and getattr(event.data, "order_id", "") == order)
    log[first], log[second] = changed(log[second], seq=first + 1), changed(log[first], seq=second + 1)
    return replace(traces, log=log)


def decided_at_another_time(traces: Traces) -> Traces:
    log = list(traces.log)
    place = next(n for n, event in enumerate(log) if event.data.TYPE == "care.proposed")
    log[place] = changed(log[place], time=log[place].time + timedelta(microseconds=1))
    return replace(traces, log=log)


def a_row_lost(traces: Traces) -> Traces:
    return replace(traces, seen=traces.seen[:-1])


def a_row_doubled(traces: Traces) -> Traces:
    return replace(traces, seen=[*traces.seen, traces.seen[-1]])


def rows_out_of_order(traces: Traces) -> Traces:
    return replace(traces, seen=traces.seen[::-1])


def an_order_miscounted(traces: Traces) -> Traces:
    first: Mapping[str, Any] = dict(traces.ends[0])
    return replace(traces, ends=[{**first, "paid_fen": first["paid_fen"] + 1}, *traces.ends[1:]])


def left_in_the_outbox(traces: Traces) -> Traces:
    return replace(traces, left={**traces.left, "ex_facts.outbox": 1})


def answered_differently(traces: Traces) -> Traces:
    command_id = next(iter(traces.answers))
    other = b'{"result":"rejected","code":"lane_blocked"}'
    return replace(traces, answers={**traces.answers, command_id: traces.answers[command_id] | {other}})


HARM: dict[Callable[[Traces], Traces], str] = {
    lost: "lines: missing",
    doubled: "doubled id",
    doubled_under_another_id: "lines: not expected, or doubled",
    out_of_order: "out of order",
    decided_at_another_time: "decided event",
    a_row_lost: "is missing",
    a_row_doubled: "is there 2 times",
    rows_out_of_order: "came after",
    an_order_miscounted: "order_end",
    left_in_the_outbox: "rows left in ex_facts.outbox",
    answered_differently: "2 different answers",
}


def test_the_same_seed_makes_the_same_feed() -> None:
    base = datetime(2026, 1, 1, tzinfo=UTC)
    assert make_feed(7, base, 300) == make_feed(7, base, 300) != make_feed(8, base, 300)


async def test_an_undisturbed_run_is_as_the_model_says_and_every_harm_to_it_is_seen(
    nats_server: NatsServer, database: Database, logs: Path, record: Record
) -> None:
    async def nothing(_: World) -> None:
        return None

    async with world_of(nats_server, database, logs) as world:
        feed = (await record("none", "undisturbed", 1, run(world, 1, nothing))).feed
        traces = await world.traces()
    assert differences(feed, traces) == []
    for harm, words in HARM.items():
        found = differences(feed, harm(traces))
        assert any(words in difference for difference in found), f"{harm.__name__}: {found}"
