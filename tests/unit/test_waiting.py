"""What a process that reads INBOX may decide by a tick: facts that waited too long are set aside, a story ends."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from msgspec import Struct, structs

from schemas.buyer import BuyerContactStored
from schemas.envelope import Event
from schemas.ops import OpsMessageRefused
from schemas.subjects import NO_BUYER
from services.kernel.inputs import RawFact
from services.kernel.policy import default_policy, digest
from services.kernel.process import Emit, Ended, Fact, PolicyInForce, Process, SetAside, Tick, beginning, handle
from services.kernel.service import Service
from services.kernel.vault import Contact, Keys, NoKeys, Sealed, new_vault_key
from services.replay.given import at
from services.replay.memory import Memory

FORCE = PolicyInForce(default_policy(), digest(default_policy()))
PATIENCE, MEMORY = timedelta(hours=1), timedelta(days=1)


class Said(Struct, frozen=True):
    """A statement of the test's feed."""

    TYPE: ClassVar[str] = "said"

    order_id: str


class Waits(Struct, frozen=True):
    """waiting: the ids of the facts that wait; since: when the first came, or the last was settled."""

    waiting: tuple[str, ...] = ()
    since: datetime | None = None


def evolve(waits: Waits, item: Any) -> Waits:
    match item:
        case Fact():
            return Waits((*waits.waiting, item.id), waits.since or item.recordedtime)
        case SetAside(fact=fact):
            return structs.replace(waits, waiting=tuple(name for name in waits.waiting if name != fact))
        case _:
            return waits


def decide(waits: Waits, cause: object, now: datetime, policy: object) -> Iterable[Any]:
    if isinstance(cause, Tick):
        if not waits.waiting:
            yield Ended()
        for fact in waits.waiting:
            yield SetAside(fact, "nobody has said whose it is")


def due(waits: Waits, policy: object) -> datetime | None:
    if waits.since is None:
        return None
    return waits.since + (PATIENCE if waits.waiting else MEMORY)


def translate(raw: RawFact) -> Iterable[Fact[Said]]:
    yield Fact(data=Said(raw.payload.decode()), shop=raw.shop, time=raw.recorded)


def waiting(**parts: Any) -> Process:
    given: dict[str, Any] = {
        "name": "waits",
        "version": 1,
        "state": Waits,
        "key": lambda item: item.data.order_id if isinstance(item.data, Said) else None,
        "evolve": evolve,
        "decide": decide,
        "due": due,
        "inbox": True,
    }
    return Process(**(given | parts))


def memory() -> Memory:
    return Memory([Service(name="waits", processes=[waiting()], sources={"feed": translate}, reads_events=False)])


def test_a_fact_that_waited_too_long_is_parked_with_its_message_and_its_sender_is_told_once() -> None:
    desk = memory()
    desk.publish("feed", "s1", "trade", b"o1", at=at("09:00:00"))
    desk.publish("feed", "s1", "trade", b"o1", at=at("09:30:00"))
    desk.advance(at("09:59:59"))
    assert desk.parked == []
    desk.advance(at("12:00:00"))
    kept = [(k.parked.message.payload, k.parked.message.seq, k.parked.status, k.parked.reason) for k in desk.parked]
    assert kept == [(b"o1", n, "aside", "nobody has said whose it is") for n in (1, 2)]
    assert [(n.source, n.inbox_seq) for n in desk.notices] == [("feed", 1), ("feed", 2)]
    refused = [e.data for e in desk.log if isinstance(e.data, OpsMessageRefused)]
    assert [data.inbox_seq for data in refused] == [1, 2]


def test_what_was_set_aside_is_folded_so_that_it_is_not_set_aside_again() -> None:
    desk = memory()
    desk.publish("feed", "s1", "trade", b"o1", at=at("09:00:00"))
    desk.advance(at("12:00:00"))
    assert desk.state("waits", "s1", NO_BUYER, "o1").waiting == ()
    assert len(desk.parked) == 1


def test_a_retried_fact_that_still_lacks_what_it_waited_for_is_set_aside_again() -> None:
    desk = memory()
    desk.publish("feed", "s1", "trade", b"o1", at=at("09:00:00"))
    desk.advance(at("12:00:00"))
    desk.retry(desk.parked[0])
    assert [k.parked.message.seq for k in desk.parked] == [1]
    assert desk.state("waits", "s1", NO_BUYER, "o1").waiting == ()


def test_an_ended_story_is_gone_and_begins_anew_with_the_next_fact() -> None:
    desk = memory()
    desk.publish("feed", "s1", "trade", b"o1", at=at("09:00:00"))
    desk.advance(at("09:00:00") + 2 * MEMORY)
    assert desk.slots == {}
    again = at("09:00:00") + 3 * MEMORY
    desk.publish("feed", "s1", "trade", b"o1", at=again)
    assert desk.state("waits", "s1", NO_BUYER, "o1").since == again


@pytest.mark.parametrize("decision", [Ended(), SetAside("in:1:0", "why")])
def test_only_a_tick_of_a_process_that_reads_inbox_may_end_a_story_or_set_a_fact_aside(decision: Any) -> None:
    fact = Fact(data=Said("o1"), shop="s1", time=at("09:00:00"), id="in:1:0", recordedtime=at("09:00:00"))
    said = waiting(decide=lambda *_: [decision])
    with pytest.raises(TypeError, match="tick"):
        handle(said, beginning(said, "s1", NO_BUYER, "o1"), fact, at("09:00:00"), FORCE)
    hears_events = waiting(decide=lambda *_: [decision], inbox=False)
    with pytest.raises(TypeError, match="INBOX"):
        handle(hears_events, beginning(hears_events, "s1", "b1", "o1"), Tick(at("09:00:00")), at("09:00:00"), FORCE)


KEYS = Keys(b"i" * 32, [new_vault_key().encode()])


def test_a_deposit_goes_into_the_vault_with_its_event_and_the_log_shows_no_contact() -> None:
    contact = Contact(name="张三", phone="+86 138-0013-8000", address="浙江省杭州市松岭路888号")

    def store(state: object, cause: Any, now: datetime, policy: object) -> Iterable[Emit]:
        if isinstance(cause, Event):
            return
        sealed = KEYS.seal("s1", contact, "浙江省杭州市")
        assert sealed is not None
        stored = BuyerContactStored(vault_ref=sealed.vault_ref, digests=sealed.digests, region=sealed.region)
        yield Emit(data=stored, buyer="b1", deposit=sealed)

    process = waiting(decide=store, due=lambda *_: None)
    desk = Memory([Service(name="waits", processes=[process], sources={"feed": translate}, reads_events=False)])
    desk.publish("feed", "s1", "trade", b"o1", at=at("09:00:00"))
    ((shop, buyer, deposit),) = desk.deposits
    assert (shop, buyer, KEYS.open(deposit.sealed)) == ("s1", "b1", contact)
    assert not any(value.encode() in m.payload for m in desk.messages for value in ("张三", "13800138000", "松岭路"))


def test_the_same_phone_written_otherwise_has_the_same_digest_and_a_masked_one_has_none() -> None:
    same = {
        KEYS.digest("phone", text)
        for text in ("13800138000", "+86 138-0013-8000", "86138 0013 8000", "１３８００１３８０００")
    }
    assert len(same) == 1
    assert KEYS.digest("phone", "138****8000") is None
    assert KEYS.digest("name", "张**") is None
    assert KEYS.digest("name", "张三") != KEYS.digest("address", "张三")


def test_a_nick_lives_in_a_lane_of_its_shop_that_does_not_tell_the_nick() -> None:
    lane = KEYS.nick_lane("s1", "小王")
    assert lane.startswith("nick-")
    assert len(lane) == len("nick-") + 32
    assert lane == KEYS.nick_lane("s1", "小王") != KEYS.nick_lane("s2", "小王")
    assert lane == KEYS.nick_lane("s1", " 小王 "), "feeds pad it"
    assert Keys(b"j" * 32, []).nick_lane("s1", "小王") != lane


def test_after_a_rotation_old_contacts_open_and_new_ones_are_sealed_with_the_new_key() -> None:
    old, new = new_vault_key().encode(), new_vault_key().encode()
    before, rotated, after = Keys(b"i" * 32, [old]), Keys(b"i" * 32, [new, old]), Keys(b"i" * 32, [new])
    sealed = before.seal("s1", Contact(name="张三"))
    again = rotated.seal("s1", Contact(name="张三"))
    assert sealed is not None
    assert again is not None
    assert sealed.vault_ref == again.vault_ref
    assert rotated.open(sealed.sealed) == after.open(again.sealed) == Contact(name="张三")
    with pytest.raises(Sealed):
        after.open(sealed.sealed)


def test_without_keys_the_message_is_parked_and_the_reason_says_what_to_do() -> None:
    def seals(raw: RawFact) -> Iterable[Fact[Said]]:
        Keys(b"", []).seal("s1", Contact(name="张三"))
        return []

    desk = Memory([Service(name="waits", processes=[waiting()], sources={"feed": seals}, reads_events=False)])
    desk.publish("feed", "s1", "trade", b"o1", at=at("09:00:00"))
    (kept,) = desk.parked
    assert "carebus keys" in kept.parked.reason
    assert kept.parked.detail == ""
    with pytest.raises(NoKeys):
        Keys(b"", []).alias("s1", "小王")


def test_neither_keys_nor_contacts_show_in_a_print() -> None:
    assert repr(KEYS) == "Keys(...)"
    assert repr(Contact(name="张三")) == "Contact(...)"
