"""Late answers of a bridge: one end for each unclear action, whoever tells of it and however often (domain.md 2)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from schemas.platform import PlatformActionDone, PlatformActionFailed
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import process_of
from services.kernel.service import Service
from services.replay.memory import Memory
from services.trade_ingest import bridge_results
from services.trade_ingest.bridge_results import REPORT_KEPT, UNCLEAR_KEPT
from services.trade_ingest.sources import bridge
from services.trade_ingest.stated import FlagPushed

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
SERVICE = Service(
    name="trade_ingest",
    processes=[process_of(bridge_results)],
    sources={"bridge": bridge.translate},
    reads_events=False,
)

Said = Callable[[Memory], None]


def unclear(memory: Memory) -> None:
    said = {"action_id": "a1", "kind": "set_flag", "buyer": "b1", "attempts": 2}
    memory.publish("bridge", "s1", "unclear", said)


def result(**said: Any) -> Said:
    return lambda memory: memory.publish("bridge", "s1", "result", {"action_id": "a1", **said})


done = result(status="done", platform_ref="p1")
refused = result(status="refused", error="not yours")


def told(*said: Said) -> Memory:
    memory = Memory([SERVICE], start=NOW)
    for one in said:
        one(memory)
    return memory


DONE = PlatformActionDone(action_id="a1", kind="set_flag", platform_ref="p1", attempts=2)
FAILED = PlatformActionFailed(action_id="a1", kind="set_flag", error="not yours", attempts=2)


@pytest.mark.parametrize("order", list(permutations([unclear, unclear, done, done])))
def test_an_unclear_action_and_its_result_make_one_event_in_whatever_order_and_however_often(
    order: tuple[Said, ...],
) -> None:
    (event,) = told(*order).log
    assert (event.data, event.shop, event.buyer) == (DONE, "s1", "b1")


def test_a_refusal_that_comes_late_is_a_failure() -> None:
    assert [event.data for event in told(unclear, refused).log] == [FAILED]


def test_the_first_result_counts() -> None:
    assert [event.data for event in told(unclear, done, refused).log] == [DONE]
    assert [event.data for event in told(refused, done, unclear).log] == [FAILED]


def test_a_result_of_what_was_never_unclear_is_no_event() -> None:
    """The bridge's own answer told it, or nobody asked for it."""
    assert told(done, done).log == []


@pytest.mark.parametrize(
    ("said", "kept"), [((done,), REPORT_KEPT), ((unclear,), UNCLEAR_KEPT), ((done, unclear), UNCLEAR_KEPT)]
)
def test_a_story_is_forgotten_after_its_time_and_not_before(said: tuple[Said, ...], kept: timedelta) -> None:
    memory = told(*said)
    memory.advance(NOW + kept - timedelta(seconds=1))
    assert memory.state("bridge_results", "s1", "-", "a1") != bridge_results.State()
    memory.advance(NOW + kept)
    assert memory.state("bridge_results", "s1", "-", "a1") == bridge_results.State()
    assert memory.parked == []


# the source


def translated(kind: str, payload: bytes) -> list[Any]:
    return list(bridge.translate(RawFact("bridge", "s1", kind, payload, 1, NOW)))


@pytest.mark.parametrize(
    ("platform", "colour", "code"),
    [
        ("taobao", '"red"', "1"),
        ("tmall", '"purple"', "5"),
        ("pdd", '"blue"', "4"),
        ("douyin", '"purple"', "1"),
        ("taobao", "null", "0"),
        ("jd", "null", "0"),
    ],
)
def test_a_pushed_flag_is_stated_by_the_code_that_the_platform_will_show(platform: str, colour: str, code: str) -> None:
    said = f'{{"order_id": 4010000000000000123, "platform": "{platform}", "colour": {colour}, "memo": "加急"}}'
    (fact,) = translated("pushed", said.encode())
    assert fact.data == FlagPushed(order_id="4010000000000000123", raw_code=code, memo="加急")
    assert fact.time == NOW


@pytest.mark.parametrize(
    ("kind", "said", "field"),
    [
        ("pushed", '{"order_id": "o1", "platform": "douyin", "colour": "blue", "memo": ""}', "colour"),
        ("pushed", '{"order_id": "o1", "platform": "taobao", "colour": "pink", "memo": ""}', "colour"),
        ("pushed", '{"order_id": "o1", "colour": "red", "memo": ""}', "platform"),
        ("pushed", '{"platform": "taobao", "colour": "red"}', "order_id"),
        ("unclear", '{"action_id": "a1", "kind": "dance", "buyer": "b1", "attempts": 1}', "kind"),
        ("unclear", '{"action_id": "a1", "kind": "set_flag", "attempts": 1}', "buyer"),
        ("result", '{"action_id": "a1", "status": "perhaps"}', "status"),
        ("result", '{"status": "done"}', "action_id"),
        ("result", "no json", ""),
        ("news", "{}", "kind"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_field(kind: str, said: str, field: str) -> None:
    (refusal,) = translated(kind, said.encode())
    assert isinstance(refusal, Refused)
    assert refusal.field == field
    assert "o1" not in refusal.reason


def test_chats_are_not_the_bridges_to_understand_here() -> None:
    assert translated("chat", b"{}") == []
