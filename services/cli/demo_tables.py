"""What `carebus demo` shows of a played stream, as tables. Pure, but for the log files; nothing is cut off silently."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from schemas.care import CareDeferred, CareProposed, CareRequested, CareSent, CareSuppressed
from schemas.case import CaseOpened
from schemas.chat import ConversationOpened, MessageReceived, MessageSent, ReplyRecorded
from schemas.codec import entity
from schemas.envelope import Event
from schemas.ops import OpsMessageRefused
from schemas.review import ReviewPosted
from schemas.subjects import NO_BUYER
from services.cli.event_lines import SHANGHAI, cut, printable

Events = Sequence[Event[Any]]

SAMPLE = 8
"""Lines of the services' logs that are shown, each of another kind."""
_CLOSES_A_CASE = {"case.resolved", "case.withdrawn", "case.refused"}
_ALWAYS = ("timestamp", "level", "service")
_DULL = ("batch_committed", "outbox_published", "reader_opened", "partitions_owned")
"""Log lines that every run is full of: shown last."""


def tables(
    events: Events, answer_times: Mapping[str, Sequence[Any]], parked: Iterable[Mapping[str, Any]]
) -> list[Table]:
    """All tables but the log lines, in the order in which they are read."""
    return [
        by_type(events),
        story(events),
        care(events),
        cases(events),
        *(answers(shop, rows) for shop, rows in answer_times.items() if rows),
        refused(events, parked),
    ]


def by_type(events: Events) -> Table:
    """How many events of each type, an entity a row."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        kind = event.data.TYPE
        counts[entity(kind)][kind.partition(".")[2]] += 1
    table = _table(f"{len(events)} events in the log", "entity", ">events", "of which")
    for name, types in counts.items():
        _row(table, name, types.total(), ", ".join(f"{kind} {count}" for kind, count in types.most_common()))
    return table


def story(events: Events) -> Table:
    """All about the one buyer about whom there is most to tell, in order of time."""
    lanes: dict[tuple[str, str], list[Event[Any]]] = defaultdict(list)
    for event in events:
        if event.buyer != NO_BUYER:
            lanes[event.shop, event.buyer].append(event)
    table = _table("no buyer's story", "time", "who", "what")
    if not lanes:
        return table
    (shop, buyer), told = max(
        lanes.items(), key=lambda lane: (len({entity(e.data.TYPE) for e in lane[1]}), len(lane[1]))
    )
    table.title = Text(f"the story of {printable(buyer)} in {printable(shop)}")
    texts = {e.data.care_id: e.data.channels[0].text for e in told if isinstance(e.data, CareRequested)}
    for event in sorted(told, key=lambda e: (e.time, e.seq)):
        if words := _words(event, texts):
            _row(table, _clock(event.time), *words)
    return table


def _words(event: Event[Any], texts: Mapping[str, str]) -> tuple[str, str] | None:
    """Who and what; None for what only says how the rest is counted."""
    from services.projections.summaries import summary

    match event.data:
        case MessageReceived(text=text):
            return "buyer", text
        case MessageSent(agent_id=agent, text=text):
            return agent, text
        case CareSent(care_id=care_id) as sent:
            return "care", f"{summary(sent)}: {texts.get(care_id, '')}"
        case CareSuppressed(reason=reason) as held:
            return "care", f"{held.kind} message held back: {reason}"
        case CareProposed() | CareRequested() | ConversationOpened() | ReplyRecorded():
            return None
        case ReviewPosted(text=str() as text) as review:
            return "review", f"{summary(review)}: {text}"
        case CaseOpened(kind=kind, reason=reason, due_at=due):
            return "case", f"opened: {kind}, {reason}, due {_clock(due) if due else '-'}"
        case _:
            return entity(event.data.TYPE), summary(event.data)


def care(events: Events) -> Table:
    """Care messages by kind: proposed, sent, and why others were held back."""
    proposed, sent, deferred = Counter[str](), Counter[str](), Counter[str]()
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        match event.data:
            case CareProposed(kind=kind):
                proposed[kind] += 1
            case CareSent(kind=kind):
                sent[kind] += 1
            case CareDeferred(kind=kind):
                deferred[kind] += 1
            case CareSuppressed(kind=kind, reason=reason):
                held[reason][kind] += 1
    columns = (">proposed", ">deferred", ">sent", *(f">{reason}" for reason in held))
    table = _table("care messages: sent, and held back by reason", "kind", *columns)
    for kind in proposed:
        _row(table, kind, proposed[kind], deferred[kind], sent[kind], *(reason[kind] for reason in held.values()))
    totals = (proposed, deferred, sent, *held.values())
    _row(table, "all", *(counter.total() for counter in totals))
    return table


def cases(events: Events) -> Table:
    """Aftersales cases that nobody has ended."""
    ended = {event.data.case_id for event in events if event.data.TYPE in _CLOSES_A_CASE}
    table = _table("open cases 售后单", "opened", "kind", "buyer", "order", "reason", "next", "due")
    for event in events:
        case = event.data
        if isinstance(case, CaseOpened) and case.case_id not in ended:
            due = _clock(case.due_at) if case.due_at else "-"
            _row(
                table, _clock(event.time), case.kind, event.buyer, case.order_id or "-", case.reason,
                case.next_actor or "-", due,
            )  # fmt: skip
    return table


def answers(shop: str, rows: Sequence[Any]) -> Table:
    """Answer times as the read model has them: the whole shop first, bots apart."""
    from services.projections.chat_history import AnswerTimes

    table = _table(
        f"answer times in {printable(shop)}",
        "agent",
        ">answered",
        ">first",
        ">average",
        ">longest",
        ">in 6 s",
        ">60 s on",
    )
    for row in msgspec.convert(rows, list[AnswerTimes]):
        who = row.agent_id or ("all bots" if row.by_bot else "all people")
        times = [
            "-" if ms is None else f"{ms / 1000:.1f} s" for ms in (row.first_average_ms, row.average_ms, row.longest_ms)
        ]
        _row(table, who, row.answered, *times, row.golden, row.breaches)
    return table


def refused(events: Events, parked: Iterable[Mapping[str, Any]]) -> Table:
    """What was not understood, as the log tells the sender, and what is parked of it."""
    table = _table("refused and parked: nothing is dropped", "where", "what", "reason")
    for event in events:
        if isinstance(refusal := event.data, OpsMessageRefused):
            _row(table, "log", f"in.{refusal.source}.{refusal.shop}, INBOX {refusal.inbox_seq}", refusal.reason)
    for row in parked:
        _row(table, f"parked in {row['service']}", row["status"], cut(row["reason"], 100))
    return table


def logs(files: Sequence[Path]) -> Table:
    """A few lines of the services' logs, each of another kind; the file has their fields in full."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for file in files:
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if said := _said(line):
                found.setdefault(str(said.pop("event")), (file.stem, said))
    order = sorted(found, key=lambda name: name in _DULL)
    table = _table("some log lines (deploy/logs.md says what each means)", "service", "level", "event")
    for column in table.columns:
        column.no_wrap = True
    table.add_column("fields", no_wrap=True, overflow="ellipsis", ratio=1)
    table.expand = True
    for name in order[:SAMPLE]:
        service, said = found[name]
        fields = " ".join(f"{key}={value}" for key, value in said.items() if key not in _ALWAYS)
        _row(table, service, said.get("level", ""), name, fields)
    return table


def _said(line: str) -> dict[str, Any]:
    """The fields of a log line; none where it is no line of the vocabulary."""
    try:
        said = msgspec.json.decode(line)
    except msgspec.MsgspecError:
        return {}
    return said if isinstance(said, dict) and "event" in said else {}


def _clock(instant: datetime) -> str:
    return f"{instant.astimezone(SHANGHAI):%m-%d %H:%M:%S}"


def _table(title: str, *columns: str) -> Table:
    """A column whose name begins with > holds numbers."""
    table = Table(title=Text(title), title_justify="left")
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if right else "left", overflow="fold")
    return table


def _row(table: Table, *cells: object) -> None:
    """Plain text: what people wrote is no markup and moves no cursor. Zero is left out."""
    table.add_row(*(Text("" if cell == 0 else printable(cell)) for cell in cells))
