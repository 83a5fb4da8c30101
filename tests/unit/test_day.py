"""The hand-written day (tests/streams/day.jsonl): every line is what the services take, and nobody in it is real."""

import re
from collections import Counter
from datetime import UTC

import msgspec
import pytest

from schemas.catalogue import COMMANDS
from schemas.codec import decode_command
from services.chat_ingest.app import SERVICE as CHAT
from services.cli.demo import DAY
from services.kernel.inputs import ANY, RawFact, Refused
from services.kernel.process import Fact
from services.replay.drive import require_order
from services.replay.stream import Entry, StreamError, read_stream
from services.trade_ingest.app import SERVICE as TRADE

ENTRIES = list(read_stream(DAY))
REFUSED = {"data.paid_fen", "kind"}
"""The fields at fault in the two lines that are there to be refused."""


def taken(entry: Entry) -> list[Fact | Refused]:
    """What both ingest services together make of a raw fact."""
    assert entry.at is not None
    _, source, shop, kind = entry.subject.split(".")
    raw = RawFact(source, shop, kind, entry.data, 1, entry.at.astimezone(UTC))
    sources = [service.sources.get(source) or service.sources[ANY] for service in (CHAT, TRADE)]
    return [found for translate in sources for found in translate(raw)]


def test_each_fact_is_taken_by_one_service_but_the_two_that_are_meant_to_be_refused() -> None:
    found = [taken(entry) for entry in ENTRIES if entry.kind == "fact"]
    assert {len(one) for one in found} == {1}
    refused = [one for [one] in found if isinstance(one, Refused)]
    assert {one.field for one in refused} == REFUSED
    assert len(refused) == len(REFUSED)


def test_each_command_is_one_of_the_contract() -> None:
    commands = [entry for entry in ENTRIES if entry.kind == "command"]
    assert commands
    for entry in commands:
        _, service, name = entry.subject.split(".")
        assert isinstance(decode_command(service, name, entry.data).data, COMMANDS[service][name])


def test_the_day_is_about_two_hundred_lines_in_order_of_time() -> None:
    require_order(ENTRIES, "day.jsonl")
    assert 180 <= len(ENTRIES) <= 220


def test_the_day_has_every_oddity_that_its_comments_promise() -> None:
    facts = [one for entry in ENTRIES if entry.kind == "fact" for one in taken(entry) if isinstance(one, Fact)]
    types = Counter(fact.data.TYPE for fact in facts)
    assert types.keys() >= {
        "chat.message_recalled", "order.deposit_paid", "order.closed", "order.parcel_exception", "order.rejected",
        "order.receipt_extended", "refund.requested", "refund.agreed", "refund.completed", "review.posted",
    }  # fmt: skip
    assert {fact.data.rating for fact in facts if fact.data.TYPE == "review.posted"} == {"good", "neutral", "bad"}
    repeated = Counter((fact.buyer, fact.time, msgspec.json.encode(fact.data)) for fact in facts)
    assert {buyer for (buyer, *_), times in repeated.items() if times > 1} == {"buyer-wang"}
    assert any(getattr(fact.data, "offline", False) for fact in facts)


@pytest.mark.parametrize("pattern", [r"(?<!\d)1[3-9]\d{9}(?!\d)", r"[\w.]+@[\w.]+", r"\d+(号楼|单元|室)"])
def test_nothing_in_the_day_looks_like_a_telephone_number_or_an_address(pattern: str) -> None:
    assert not re.search(pattern, DAY.read_text())


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (("2026-09-16T10:00:00Z", None), "x.jsonl:2: at: is missing"),
        (("2026-09-16T10:00:00Z", "2026-09-16T17:59:59+08:00"), "x.jsonl:2: at: lies before the line above"),
    ],
)
def test_what_is_played_needs_times_in_order(times: tuple[str | None, ...], said: str) -> None:
    entries = [
        Entry(msgspec.convert(text, type=type(ENTRIES[0].at)) if text else None, "in.a.b.c", b"1", line)
        for line, text in enumerate(times, 1)
    ]
    with pytest.raises(StreamError, match=re.escape(said)):
        require_order(entries, "x.jsonl")
