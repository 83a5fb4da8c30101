"""A shop's policy goes into the log when it changes, whoever loads it how often."""

from typing import Any

import msgspec
import pytest

from schemas.policy import PolicyChanged
from services.kernel.inputs import RawFact, Refused
from services.kernel.policy import Policy, default_policy, load
from services.kernel.process import process_of
from services.kernel.service import Service
from services.replay.given import at
from services.replay.memory import Memory
from services.trade_ingest import policies
from services.trade_ingest.sources import policy as source

DEFAULT = default_policy()
SERVICE = Service(
    name="trade_ingest", processes=[process_of(policies)], sources={"policy": source.translate}, reads_events=True
)


def idle(minutes: int) -> Policy:
    return load([("test.toml", f"[reception]\nconversation_idle_minutes = {minutes}".encode())])


def told(*stated: Policy) -> list[tuple[int, str]]:
    memory = Memory([SERVICE])
    for number, each in enumerate(stated):
        memory.publish("policy", "s1", "policy", source.message(each), at=at(f"10:00:{number:02}"))
    return [(e.data.version, e.data.digest) for e in memory.log if isinstance(e.data, PolicyChanged)]


def test_a_policy_is_told_once_however_often_it_is_loaded() -> None:
    assert told(DEFAULT, DEFAULT, DEFAULT) == [(1, DEFAULT.digest)]


def test_a_policy_that_goes_there_and_back_is_three_versions() -> None:
    changed = idle(45)
    assert told(DEFAULT, changed, DEFAULT) == [(1, DEFAULT.digest), (2, changed.digest), (3, DEFAULT.digest)]


def test_the_policy_in_the_log_is_the_one_that_was_loaded() -> None:
    memory = Memory([SERVICE])
    memory.publish("policy", "s1", "policy", source.message(idle(45)), at=at("10:00:00"))
    (event,) = memory.log
    assert event.buyer == "-"
    assert event.data.values["reception"]["conversation_idle_minutes"] == 45


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (b"{}", "values"),
        (b"[]", ""),
        (b"\xff", ""),
        (msgspec.json.encode({"values": {"reception": {"conversation_idle_minutes": -1}}}), "values"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_field(payload: bytes, field: str) -> None:
    raw = RawFact("policy", "s1", "policy", payload, 1, at("10:00:00"))
    (refused,) = list[Any](source.translate(raw))
    assert isinstance(refused, Refused)
    assert refused.field == field
