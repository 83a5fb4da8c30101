"""SMS replies: each answer once, and forgotten when INBOX can no longer repeat it."""

from datetime import timedelta
from typing import Any

import msgspec

from schemas.buyer import BuyerSmsReplied
from schemas.subjects import NO_BUYER
from services.kernel.process import process_of
from services.kernel.service import Service
from services.replay.memory import Memory
from services.replay.story import at, fact, story
from services.trade_ingest import sms_replies
from services.trade_ingest.sms_replies import KEPT, MOST
from services.trade_ingest.sources import sms_reply

OPT_OUT = BuyerSmsReplied(phone_digest="d1", says="opt_out", reply_id="u1")
OTHER = BuyerSmsReplied(phone_digest="d1", says="other")
SERVICE = Service(
    name="trade_ingest",
    processes=[process_of(sms_replies)],
    sources={"sms_reply": sms_reply.translate},
    reads_events=False,
)


def test_an_answer_is_told_once_whatever_id_the_gateway_gives_it() -> None:
    again = msgspec.structs.replace(OPT_OUT, reply_id="u2")
    story(sms_replies).when(fact(OPT_OUT, at="10:00:00")).then(OPT_OUT).when(
        fact(OPT_OUT, at="10:00:00"), fact(again, at="10:00:00")
    ).then()


def test_another_answer_or_the_same_at_another_time_is_another() -> None:
    story(sms_replies).given(fact(OPT_OUT, at="10:00:00")).when(
        fact(OTHER, at="10:00:00"), fact(OPT_OUT, at="11:00:00")
    ).then(OTHER, OPT_OUT)


def test_a_number_that_writes_on_and_on_is_remembered_within_bounds() -> None:
    memory = Memory([SERVICE], start=at("10:00:00"))
    for second in range(MOST + 5):
        memory.publish("sms_reply", "s1", "reply", answer(second))
    (slot,) = memory.slots.values()
    assert len(slot.state.known) == MOST
    told = len(memory.log)
    memory.publish("sms_reply", "s1", "reply", answer(MOST + 4))
    assert len(memory.log) == told == MOST + 5


def answer(second: int, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "m1", "source": "gateway", "type": "sms.replied",
        "time": (at("09:00:00") + timedelta(seconds=second)).isoformat(),
        "data": {"phone": "13812341234", "text": "R"}, **changes,
    }  # fmt: skip


def test_it_goes_to_the_buyer_that_the_gateway_names_and_to_nobodys_lane_otherwise() -> None:
    memory = Memory([SERVICE], start=at("10:00:00"))
    memory.publish("sms_reply", "s1", "reply", [answer(1), answer(2, buyer="b1"), answer(2)])
    assert [(event.buyer, event.data.says) for event in memory.log] == [(NO_BUYER, "opt_out"), ("b1", "opt_out")]


def test_it_is_forgotten_when_inbox_no_longer_holds_its_last_answer() -> None:
    memory = Memory([SERVICE], start=at("10:00:00"))
    memory.publish("sms_reply", "s1", "reply", answer(1))
    memory.advance(at("10:00:00") + KEPT - timedelta(seconds=1))
    assert len(memory.slots) == 1
    memory.advance(at("10:00:00") + KEPT)
    assert memory.slots == {}
    assert len(memory.log) == 1
