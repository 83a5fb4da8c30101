"""What `carebus demo` shows of a played stream: tables that can be read at 80 columns. Pure, but for the log files."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.table import Table

from schemas.care import CareDeferred, CareProposed, CareRequested, CareSent, CareSuppressed
from schemas.case import CaseOpened
from schemas.chat import ConversationOpened, MessageReceived, MessageSent, ReplyRecorded
from schemas.codec import entity
from schemas.envelope import Event
from schemas.ops import OpsMessageRefused
from schemas.review import ReviewPosted
from schemas.subjects import NO_BUYER
from services.cli.text import TO_THE_MINUTE, TO_THE_SECOND, cut, local, printable, row, table

Events = Sequence[Event[Any]]

SAMPLE = 8
"""Lines of the services' logs that are shown, each of another kind."""
WIDTH, VALUE = 80, 14
"""Columns of a terminal; characters of one field of a log line, of which as many are shown as find room."""
_BORDERS = 13
"""Of a table of four columns."""
_CLOSES_A_CASE = {"case.resolved", "case.withdrawn", "case.refused"}
_ALWAYS = ("timestamp", "level", "service")
_DULL = ("batch_committed", "outbox_published", "reader_opened", "partitions_owned")
"""Log lines that every run is full of: shown last."""


class Shown(NamedTuple):
    """A table, and what a person sees in it."""

    says: str
    table: Table


def tables(
    events: Events,
    answer_times: Mapping[str, Sequence[Any]],
    parked: Iterable[Mapping[str, Any]],
    files: Sequence[Path],
) -> list[Shown]:
    """All of them, in the order in which they are read. files: the services' logs."""
    return [
        Shown(
            "All that happened or was decided is an event in one log; so many there are of each kind.", by_type(events)
        ),
        Shown("One buyer's story, as whoever answers that buyer can look it up.", story(events)),
        Shown("The messages that were sent to buyers without anybody's doing, and why others were not.", care(events)),
        Shown("What somebody at the desk must still deal with, and by when.", cases(events)),
        *(
            Shown("How long buyers waited for an answer; what bots answered is counted apart.", answers(shop, rows))
            for shop, rows in answer_times.items()
            if rows
        ),
        Shown(
            "What could not be understood: the log tells its sender, and it is kept until somebody deals with it.",
            refused(events, parked),
        ),
        Shown("What the services tell of their work; deploy/logs.md says what each line means.", logs(files)),
    ]


def by_type(events: Events) -> Table:
    """How many events of each type, an entity a row."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        kind = event.data.TYPE
        counts[entity(kind)][kind.partition(".")[2]] += 1
    shown = table(f"{len(events)} events in the log", "entity", ">events", "of which")
    for name, types in counts.items():
        row(shown, name, types.total(), _each(types))
    return shown


def story(events: Events) -> Table:
    """All about the one buyer about whom there is most to tell, in order of time."""
    lanes: dict[tuple[str, str], list[Event[Any]]] = defaultdict(list)
    for event in events:
        if event.buyer != NO_BUYER:
            lanes[event.shop, event.buyer].append(event)
    shown = table("no buyer's story", "time", "who", "what")
    if not lanes:
        return shown
    (shop, buyer), told = max(
        lanes.items(), key=lambda lane: (len({entity(e.data.TYPE) for e in lane[1]}), len(lane[1]))
    )
    shown.title = f"the story of {printable(buyer)} in {printable(shop)}"
    texts = {e.data.care_id: e.data.channels[0].text for e in told if isinstance(e.data, CareRequested)}
    for event in sorted(told, key=lambda e: (e.time, e.seq)):
        if words := _words(event, texts):
            row(shown, local(event.time, TO_THE_SECOND), *words)
    return shown


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
            return "case", f"opened: {kind}, {reason}, due {_due(due)}"
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
                held[kind][reason] += 1
    shown = table("care messages", "kind", ">proposed", ">deferred", ">sent", "held back")
    for kind in proposed:
        row(shown, kind, proposed[kind], deferred[kind], sent[kind], _each(held[kind]))
    row(shown, "all", proposed.total(), deferred.total(), sent.total(), _each(sum(held.values(), Counter())))
    return shown


def cases(events: Events) -> Table:
    """Aftersales cases that nobody has ended."""
    ended = {event.data.case_id for event in events if event.data.TYPE in _CLOSES_A_CASE}
    shown = table("open cases 售后单", "opened", "what", "buyer", "order", "due")
    for event in events:
        case = event.data
        if isinstance(case, CaseOpened) and case.case_id not in ended:
            what = f"{case.kind} {case.reason}"
            opened = local(event.time, TO_THE_MINUTE)
            row(shown, opened, what, event.buyer, case.order_id or "-", _due(case.due_at))
    return shown


def answers(shop: str, rows: Sequence[Any]) -> Table:
    """Answer times as the read model has them: the whole shop first, bots apart."""
    from services.projections.chat_history import AnswerTimes

    shown = table(
        f"answer times in {printable(shop)}",
        "agent",
        ">answered",
        ">first",
        ">average",
        ">longest",
        ">in 6 s",
        ">60 s on",
    )
    for one in msgspec.convert(rows, list[AnswerTimes]):
        who = one.agent_id or ("all bots" if one.by_bot else "all people")
        times = [
            "-" if ms is None else f"{ms / 1000:.1f} s" for ms in (one.first_average_ms, one.average_ms, one.longest_ms)
        ]
        row(shown, who, one.answered, *times, one.golden, one.breaches)
    return shown


def refused(events: Events, parked: Iterable[Mapping[str, Any]]) -> Table:
    """What was not understood, as the log tells the sender, and what is parked of it."""
    shown = table("refused and parked: nothing is dropped", "where", "whose", "reason")
    for event in events:
        if isinstance(refusal := event.data, OpsMessageRefused):
            row(shown, "log", f"{refusal.source} of {refusal.shop}", refusal.reason)
    for one in parked:
        row(shown, "parked", f"{one['status']} in {one['service']}", cut(one["reason"], 100))
    return shown


def logs(files: Sequence[Path]) -> Table:
    """A few lines of the services' logs, each of another kind; the files have their fields in full."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for file in files:
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if said := _said(line):
                found.setdefault(str(said.pop("event")), (file.stem, said))
    order = sorted(found, key=lambda name: name in _DULL)
    lines = [(found[name][0], str(found[name][1].get("level", "")), name) for name in order[:SAMPLE]]
    room = WIDTH - _BORDERS - sum(max(map(len, column), default=0) for column in zip(*lines, strict=True))
    shown = table("some log lines", "service", "level", "event", "fields")
    for line in lines:
        fields = found[line[-1]][1].items()
        told = " ".join(f"{key}={cut(str(value), VALUE)}" for key, value in fields if key not in _ALWAYS)
        row(shown, *line, cut(told, room))
    return shown


def _said(line: str) -> dict[str, Any]:
    """The fields of a log line; none where it is no line of the vocabulary."""
    try:
        said = msgspec.json.decode(line)
    except msgspec.MsgspecError:
        return {}
    return said if isinstance(said, dict) and "event" in said else {}


def _each(counts: Mapping[str, int]) -> str:
    """`placed 16, paid 13`: the most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in Counter(counts).most_common())


def _due(at: datetime | None) -> str:
    return local(at, TO_THE_MINUTE) if at else "-"
