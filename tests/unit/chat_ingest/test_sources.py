"""What chat_ingest takes from INBOX, and what it refuses so that its sender hears of it."""

from typing import Any

import msgspec
import pytest

from schemas import chat
from schemas.catalogue import EVENTS
from services.chat_ingest.app import SERVICE
from services.chat_ingest.facts import FACTS, BuyerWrote, ShopWrote
from services.kernel.inputs import ANY, RawFact, Refused
from services.kernel.process import Fact
from services.replay.given import at
from services.replay.memory import Memory

SAID = {
    "specversion": "1.0",
    "id": "f1",
    "source": "test",
    "type": "chat.message_received",
    "time": "2026-03-02T18:00:00+08:00",
    "buyer": "b1",
    "data": {"message_id": "m1", "text": "在吗", "channel": "wangwang"},
}


def told(payload: Any, kind: str = "chat", source: str = "canonical") -> list[Any]:
    translate = SERVICE.sources.get(source) or SERVICE.sources[ANY]
    body = msgspec.json.encode(payload)
    return list(translate(RawFact(source, "s1", kind, body, 1, at("10:00:01"))))


def test_a_chat_fact_is_an_event_of_the_contract_without_a_conversation() -> None:
    (fact,) = told(SAID)
    assert isinstance(fact, Fact)
    assert (fact.buyer, fact.time) == ("b1", at("10:00:00"))
    assert fact.data == BuyerWrote(message_id="m1", text="在吗", channel="wangwang")


@pytest.mark.parametrize("struct", FACTS)
def test_a_fact_has_the_fields_of_its_event_but_the_conversation(struct: Any) -> None:
    def types(of: Any) -> dict[str, Any]:
        return {field.name: (field.type, field.default) for field in msgspec.structs.fields(of)}

    event = types(EVENTS[struct.TYPE])
    del event["conversation_id"]
    stated = types(struct)
    assert stated.pop("channel")[0] == types(chat.ConversationOpened)["channel"][0]
    assert stated == event


def test_a_conversation_that_the_sender_names_is_not_ours() -> None:
    (fact,) = told({**SAID, "data": {"message_id": "m1", "text": "在吗", "conversation_id": "theirs"}})
    assert fact.data.event("ours").conversation_id == "ours"


@pytest.mark.parametrize("source", ["canonical", "csv"])
def test_what_is_no_chat_is_not_for_this_service(source: str) -> None:
    assert told(SAID, kind="trade", source=source) == []


def test_a_chat_of_a_source_that_nobody_knows_is_refused() -> None:
    (refused,) = told(SAID, source="telepathy")
    assert isinstance(refused, Refused)
    assert refused.field == "source"


def test_a_wrong_fact_does_not_hold_up_its_neighbours() -> None:
    wrong = {**SAID, "data": {"message_id": "m2"}}
    other = {**SAID, "type": "chat.message_sent", "data": {"message_id": "m3", "text": "在的", "agent_id": "lin"}}
    first, refused, last = told([SAID, wrong, other])
    assert isinstance(first.data, BuyerWrote)
    assert refused.field == "data.text"
    assert last.data == ShopWrote(message_id="m3", text="在的", agent_id="lin")


def test_the_service_turns_a_push_into_a_conversation_and_a_measured_reply() -> None:
    memory = Memory([SERVICE])
    answer = {
        **SAID,
        "type": "chat.message_sent",
        "time": "2026-03-02T10:00:05Z",
        "data": {"message_id": "m2", "text": "在的", "agent_id": "lin"},
    }
    memory.publish("canonical", "s1", "chat", [SAID, answer], at("10:00:06"))
    assert memory.parked == []
    assert [event.data.TYPE for event in memory.log] == [
        "chat.conversation_opened",
        "chat.message_received",
        "chat.message_sent",
        "chat.stage_reached",
        "chat.reply_recorded",
    ]
    assert memory.log[-1].data.latency_ms == 5_000
