"""`carebus demo` as a whole: what its tables say against what the played file says, and that nothing is left behind."""

import asyncio
import os
import signal
import tempfile
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psutil
import pytest
from msgspec import Struct

from services.cli.registry import NAMES
from services.kernel.policy import default_policy
from services.kernel.vocabulary import Log
from tests import carebus
from tests.carebus import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.long]

DAY = ROOT / "tests" / "streams" / "day.jsonl"
SHANGHAI = ZoneInfo("Asia/Shanghai")
POLICY = default_policy()


class Told(Struct, frozen=True):
    """One fact of the file. at: when it is heard of."""

    at: datetime
    time: datetime
    buyer: str
    type: str
    data: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.data.get(name)


class Day:
    """The file, read without any code of the product. facts: each once, in the order of the lines."""

    def __init__(self) -> None:
        lines = [line for line in DAY.read_text().splitlines() if line and not line.startswith("#")]
        self.lines = [msgspec.json.decode(line) for line in lines]
        self.live = next(_time(line["at"]) for line in self.lines if line["subject"].endswith(".switch_live"))
        facts: dict[bytes, Told] = {}
        for line in self.lines:
            said = line["data"]
            if not line["subject"].startswith("in.") or "type" not in said or said["source"] == "erp":
                continue
            fact = Told(_time(line["at"]), _time(said["time"]), said["buyer"], said["type"], said["data"])
            when = fact.time if fact.type.startswith("chat.") else None  # an order's facts here happen once
            facts.setdefault(msgspec.json.encode([when, fact.buyer, fact.type, fact.data]), fact)
        self.facts = list(facts.values())

    def care(self) -> dict[str, Counter[str]]:
        """Of each kind how many are proposed, deferred, sent or held back: the rules of domain.md 4 in short."""
        ended: dict[str, Counter[str]] = defaultdict(Counter)
        requested: Counter[tuple[str, Any]] = Counter()
        acted: dict[str, datetime] = {}
        seen = set[Any]()
        for fact in self.facts:
            if fact.type in ("order.placed", "order.paid", "chat.message_received"):
                acted[fact.buyer] = max(fact.time, acted.get(fact.buyer, fact.time))
            kind, step = _care_of(fact)
            if not kind or (fact.buyer, kind, step) in seen:
                continue
            seen.add((fact.buyer, kind, step))
            ended[kind]["proposed"] += 1
            at, late = fact.at, acted.get(fact.buyer, datetime.min.replace(tzinfo=SHANGHAI))
            local = at.astimezone(SHANGHAI)
            own = at - late <= timedelta(minutes=POLICY.care.quiet.own_action_minutes)
            if fact.time + timedelta(seconds=POLICY.care.kinds.of(kind).expires_s) <= at:
                ended[kind]["expired"] += 1
                continue
            if local.hour >= 22 and not own:
                ended[kind]["deferred"] += 1
                local += timedelta(days=1)
            day = fact.buyer, local.date()
            if requested[day] >= POLICY.care.caps.transactional_a_day:
                ended[kind]["cap"] += 1
                continue
            requested[day] += 1
            ended[kind]["sent" if at >= self.live else "shadow"] += 1
        return ended

    def answers(self) -> dict[str, list[timedelta]]:
        """How long each agent let buyers wait: from the first unanswered message, or the opening at 9:00 (domain.md 3:
        only service time counts), to a person's word.
        """
        waiting: dict[str, datetime] = {}
        found: dict[str, list[timedelta]] = defaultdict(list)
        for fact in sorted(self.facts, key=lambda one: one.time):
            if fact.type == "chat.message_received":
                waiting.setdefault(fact.buyer, fact.time)
            elif fact.type == "chat.message_sent" and not fact.auto and fact.buyer in waiting:
                opening = fact.time.astimezone(ZoneInfo("Asia/Shanghai")).replace(hour=9, minute=0, second=0)
                found[fact.agent_id].append(fact.time - max(waiting.pop(fact.buyer), opening))
        return found


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _care_of(fact: Told) -> tuple[Any, str]:
    """The kind and step of the care message that a fact asks for."""
    match fact.type:
        case "order.paid":
            return "payment_thanks", fact.order_id
        case "order.shipped":
            return "shipped", fact.waybill
        case "order.signed" if fact.by in ("self", "other"):
            return "signed", fact.parcel_id
        case _:
            return "", ""


def table(out: str, title: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows under a title; a cell that was folded over several lines is put together."""
    _, _, rest = out.partition(f"{title}")
    head, rows = list[str](), list[list[str]]()
    for line in rest.splitlines()[1:]:
        if line.startswith("┃"):
            head = [cell.strip() for cell in line.strip("┃ ").split("┃")]
        elif line.startswith("│"):
            cells = [cell.strip() for cell in line[1:-1].split("│")]
            if cells[0]:
                rows.append(cells)
            else:
                rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
        elif line.startswith("└"):
            break
    return head, rows


async def started(*arguments: str, temporary: Path, columns: int = 200) -> asyncio.subprocess.Process:
    return await carebus.started(["demo", *arguments], {"COLUMNS": str(columns), "TMPDIR": str(temporary)})


@pytest.fixture
def temporary(servers_directory: Path) -> Path:
    """Where the demo makes its directory: one that PostgreSQL's user may enter."""
    directory = Path(tempfile.mkdtemp(dir=servers_directory))
    directory.chmod(0o711)
    return directory


def left_running(temporary: Path) -> list[str]:
    return [
        process.info["name"]
        for process in psutil.process_iter(["name", "cmdline"])
        if any(str(temporary) in word for word in process.info["cmdline"] or ())
    ]


async def test_the_demo_shows_what_the_day_says_at_80_columns_and_leaves_nothing(temporary: Path) -> None:
    process = await started(temporary=temporary, columns=80)
    out, err = (text.decode() for text in await asyncio.wait_for(process.communicate(), 100))
    assert (process.returncode, err) == (0, "")
    day = Day()

    types = Counter(fact.type for fact in day.facts)
    _, rows = table(out, " events in the log\n")
    for name, count, each in rows:
        shown = dict(part.rsplit(" ", 1) for part in each.split(", "))
        assert int(count) == sum(map(int, shown.values()))
        said = {kind.partition(".")[2]: str(n) for kind, n in types.items() if kind.startswith(f"{name}.")}
        assert said.items() <= shown.items(), name
    assert {row[0] for row in rows} == {"chat", "order", "care", "review", "refund", "case", "ops"}

    head, rows = table(out, "\ncare messages")
    shown = {row[0]: dict(zip(head[1:-1], (int(cell or 0) for cell in row[1:-1]), strict=True)) for row in rows}
    for row in rows:
        shown[row[0]] |= {name: int(count) for name, count in (part.split() for part in row[-1].split(", "))}
    care = day.care()
    assert shown.pop("all") == sum(care.values(), Counter())
    assert {kind: Counter(counts) for kind, counts in shown.items()} == care
    reasons = {name for counted in care.values() for name in counted}
    assert reasons == {"proposed", "deferred", "sent", "shadow", "expired", "cap"}

    _, rows = table(out, "the story of ")
    assert {row[1] for row in rows} >= {"buyer", "xiaoyu", "order", "care", "review", "case"}
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert "the story of buyer-lin in demo_shop" in out

    bad = [f for f in day.facts if f.type == "review.posted" and f.rating != "good"]
    _, rows = table(out, "open cases")
    assert [(row[2], row[3]) for row in rows] == [(fact.buyer, fact.order_id) for fact in bad]

    head, rows = table(out, "answer times in demo_shop")
    shown = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    answers = day.answers()
    everybody = [wait for waits in answers.values() for wait in waits]
    for agent, waits in {**answers, "all people": everybody}.items():
        assert int(shown[agent]["answered"]) == len(waits)
        assert shown[agent]["longest"] == f"{max(waits).total_seconds():.1f} s"
        assert int(shown[agent]["60 s on"] or 0) == sum(wait >= timedelta(seconds=60) for wait in waits)

    _, rows = table(out, "refused and parked")
    assert [row[0] for row in rows] == ["log", "log", "parked", "parked"]
    assert [row[1] for row in rows[2:]] == ["aside in trade_ingest"] * 2
    _, rows = table(out, "some log lines")
    assert len({row[2] for row in rows}) == len(rows) >= 5
    assert {row[0] for row in rows} <= set(NAMES), "no service's name is cut or folded"
    assert {row[2] for row in rows} <= {line.name.lower() for line in Log}

    assert os.listdir(temporary) == []
    assert left_running(temporary) == []


async def test_the_demo_stops_everything_when_it_is_interrupted(temporary: Path) -> None:
    process = await started(temporary=temporary)
    assert process.stdout
    line = b""
    while b"playing" not in line:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        assert line
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err) == (130, b"")
    assert out.endswith(b"Everything is stopped again.\n")
    assert os.listdir(temporary) == []
    assert left_running(temporary) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("# nothing\n", "has no lines to play"),
        ('{"subject": "in.a.b.c", "data": 1}\n', ":1: at: is missing: a line can only be played at its time"),
        ('{"at": "x", "subject": "in.a.b.c", "data": 1}\n', ":1: at: Invalid RFC3339"),
    ],
)
async def test_a_file_that_cannot_be_played_is_one_line_before_anything_starts(
    temporary: Path, tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_text(content)
    process = await started(str(file), temporary=temporary)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out, err.count(b"\n")) == (2, b"", 1), err
    assert said in err.decode()
