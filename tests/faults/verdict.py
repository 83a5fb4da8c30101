"""What log, views and answers must be after a run, and in words where they are not."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from schemas.care import CareProposed
from schemas.codec import about
from schemas.envelope import Event
from tests.faults.feed import UNPAID_AFTER_S, Feed, Line, line_of

SHOWN = 5
"""Differences of one kind that are told; of the others only the number."""
LATE = timedelta(seconds=5)
"""A tick whose instant had passed when it was learnt fires this long after it was learnt (design.md, "Time")."""


@dataclass(frozen=True)
class Traces:
    """What a run left behind.

    log: EVENTS from 1 to its end; seen, ends: rows of the projection; left: table -> rows that should not be there;
    received: command id -> when it was received; answers: command id -> distinct answers.
    """

    log: Sequence[Event[Any]]
    seen: Sequence[Mapping[str, Any]]
    ends: Sequence[Mapping[str, Any]]
    left: Mapping[str, int]
    received: Mapping[str, datetime]
    answers: Mapping[str, set[bytes]]


def differences(feed: Feed, traces: Traces) -> list[str]:
    """How the traces differ from what the feed must leave; empty when all is well."""
    return [
        *_said("doubled id", _doubled(traces.log)),
        *_said("lines", _multiset(feed, traces.log)),
        *_said("order's facts out of order", _order(feed, traces.log)),
        *_said("decided event", _decided(traces)),
        *_said("view", _view(traces)),
        *_said("order_end", _ends(feed, traces.ends)),
        *_said("command", _answers(feed, traces.answers)),
        *(f"{count} rows left in {table}" for table, count in traces.left.items() if count),
    ]


def _said(kind: str, found: Iterable[str]) -> Iterator[str]:
    everything = list(found)
    yield from (f"{kind}: {text}" for text in everything[:SHOWN])
    if len(everything) > SHOWN:
        yield f"{kind}: and {len(everything) - SHOWN} more"


def _line(event: Event[Any]) -> Line:
    return line_of(event.shop, event.buyer, about(event), event.data, event.time)


def _doubled(log: Sequence[Event[Any]]) -> Iterator[str]:
    seqs: dict[str, list[int]] = {}
    for event in log:
        seqs.setdefault(event.id, []).append(event.seq)
    kinds = {event.id: (event.data.TYPE, event.buyer, about(event)) for event in log}
    yield from (f"{id} {kinds[id]} at seqs {places}" for id, places in seqs.items() if len(places) > 1)


def _multiset(feed: Feed, log: Sequence[Event[Any]]) -> Iterator[str]:
    found = Counter(map(_line, log))
    places: dict[Line, list[int]] = {}
    for event in log:
        places.setdefault(_line(event), []).append(event.seq)
    yield from (f"missing {line}" for line in (feed.lines - found))
    yield from (f"not expected, or doubled: {line} at seqs {places[line]}" for line in (found - feed.lines))


def _order(feed: Feed, log: Sequence[Event[Any]]) -> Iterator[str]:
    facts: dict[tuple[str, str], list[Event[Any]]] = {}
    for event in log:
        if event.source == "carebus/order_facts":
            facts.setdefault((event.shop, event.data.order_id), []).append(event)
    for key, events in facts.items():
        if [_line(event) for event in events] != feed.orders.get(key):
            yield f"{key}: {[(event.seq, event.data.TYPE, about(event)) for event in events]}"


def _decided(traces: Traces) -> Iterator[str]:
    """Each decision lies behind its cause, has its cause's instant, and keeps its buyer's order of causes."""
    by_id = {event.id: event for event in traces.log}
    placed = {event.data.order_id: event for event in traces.log if event.data.TYPE == "order.placed"}
    last: dict[tuple[str, str], int] = {}
    for event in traces.log:
        if event.source != "carebus/reminder":
            continue
        name = f"{about(event)} at seq {event.seq}"
        if event.causationid.startswith("tick:"):
            origin = placed[event.data.order_id]
            due = origin.time + timedelta(seconds=UNPAID_AFTER_S)
            assert origin.recordedtime is not None
            instant = due if due > origin.recordedtime else origin.recordedtime + LATE
        elif event.causationid in traces.received:
            instant = traces.received[event.causationid]
        elif cause := by_id.get(event.causationid):
            instant = cause.recordedtime
            lane = (event.shop, event.buyer)
            if not last.get(lane, 0) < cause.seq < event.seq:
                yield f"{name}: its cause lies at {cause.seq}, that of the one before at {last.get(lane, 0)}"
            last[lane] = cause.seq
        else:
            yield f"{name}: its cause {event.causationid} is neither in the log nor a command"
            continue
        if event.time != instant:
            yield f"{name}: time {event.time}, its cause's instant is {instant}"
        if isinstance(event.data, CareProposed) and event.data.not_before != instant:
            yield f"{name}: not_before {event.data.not_before}, its cause's instant is {instant}"


def _view(traces: Traces) -> Iterator[str]:
    """`seen` has each message of the log once, as it is there, and each partition in log order."""
    log = {event.seq: event for event in traces.log}
    counts = Counter(row["seq"] for row in traces.seen)
    yield from (f"{log[seq].data.TYPE} {about(log[seq])} at seq {seq} is missing" for seq in log if not counts[seq])
    yield from (f"seq {seq} is there {count} times" for seq, count in counts.items() if count > 1)
    latest: dict[int, int] = {}
    for row in traces.seen:
        seq, partition = row["seq"], row["partition"]
        if seq < latest.get(partition, 0):
            yield f"partition {partition}, buyer {row['buyer']}: seq {seq} came after {latest[partition]}"
        latest[partition] = seq
        event = log.get(seq)
        if event is None:
            yield f"seq {seq} is not in the log"
        elif (event.id, event.data.TYPE, about(event), event.time, event.recordedtime) != (
            row["id"], row["type"], row["about"], row["time"], row["recorded"],
        ):  # fmt: skip
            yield f"seq {seq} is another event than in the log: {dict(row)}"


def _ends(feed: Feed, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    expected = {key: (end.rank, end.paid_fen, end.reviews, end.closed) for key, end in feed.ends.items()}
    found = {
        (row["shop"], row["buyer"], row["order_id"]): (
            row["rank"], row["paid_fen"], row["reviews"], row["closed"],
        )
        for row in rows
    }  # fmt: skip
    for key in expected.keys() | found.keys():
        if expected.get(key) != found.get(key):
            yield f"{key}: {found.get(key)}, must be {expected.get(key)}"


def _answers(feed: Feed, answers: Mapping[str, set[bytes]]) -> Iterator[str]:
    for cancel in feed.cancels:
        for command_id, wanted in ((cancel.first, "accepted"), (cancel.second, "already_requested")):
            got = [msgspec.json.decode(answer) for answer in answers.get(command_id, ())]
            if len(got) != 1:
                yield f"{command_id}: {len(got)} different answers: {got}"
            elif got[0].get("code", got[0]["result"]) != wanted:
                yield f"{command_id}: {got[0]}, must be {wanted}"
