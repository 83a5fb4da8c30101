"""What a snapshot of a Taobao order shows as it is now, how it is wrapped, and what is refused of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.order import OrderPaid, OrderPlaced
from services.kernel.inputs import Refused
from services.kernel.process import Fact
from services.trade_ingest.sources.snapshots import Told
from services.trade_ingest.sources.taobao import orders, values
from services.trade_ingest.sources.taobao.snapshot import Snapshot
from services.trade_ingest.stated import Address, Flag, LinePrice, Memo, Owner, Price
from tests.unit.trade_ingest.taobao_feed import (
    KEYS,
    NICK,
    OID,
    OPEN_ID,
    OTHER_OID,
    SHOP,
    TID,
    facts,
    has,
    line,
    of_type,
    refusals,
    shown,
    told,
    trade,
)


def test_the_price_is_the_total_with_postage_and_the_lines() -> None:
    price = of_type(shown(line(), line(oid=OTHER_OID, price="9.90")), Price).data
    assert (price.total_fen, price.postage_fen) == (5960, 500)
    assert price.lines == (LinePrice(str(OID), 2980), LinePrice(str(OTHER_OID), 990))
    assert of_type(shown(post_fee=None), Price).data.postage_fen is None


def test_the_receiver_is_a_digest_a_region_and_sealed() -> None:
    fact = of_type(shown(), Address)
    assert fact.data.region == "浙江省杭州市"
    contact = KEYS.open(fact.data.deposit.sealed)
    assert (contact.name, contact.phone, contact.address) == (
        "王小明",
        "13800138000",
        "浙江省杭州市余杭区文一西路969号",
    )
    for private in ("王小明", "13800138000", "文一西路"):
        assert private not in repr(shown())


@pytest.mark.parametrize("field", ["receiver_name", "receiver_mobile", "receiver_address", "receiver_district"])
def test_another_name_phone_or_street_is_another_address(field: str) -> None:
    assert of_type(shown(), Address).data.address_digest != of_type(shown(**{field: "9"}), Address).data.address_digest


def test_the_same_receiver_written_with_spaces_is_the_same() -> None:
    digests = {of_type(shown(receiver_name=name), Address).data.address_digest for name in ("王小明", " 王小明 ")}
    assert len(digests) == 1


@pytest.mark.parametrize(
    "masked",
    [
        {"receiver_name": "王**"},
        {"receiver_mobile": "138****8000"},
        {"receiver_address": "文一西路***"},
        {"receiver_address": "~AbCdEfGhIjKlMnOpQrStUv~"},
        {"receiver_address": None},
    ],
)
def test_a_masked_receiver_is_a_region_and_no_identity(masked: dict[str, Any]) -> None:
    found = shown(**masked)
    assert not has(found, Address)
    assert of_type(found, OrderPlaced).data.region == "浙江省杭州市"


def test_memos_say_whose_they_are_and_an_emptied_one_is_told() -> None:
    def memos(**changes: Any) -> list[tuple[str, str]]:
        return [(fact.data.by, fact.data.memo) for fact in shown(**changes) if type(fact.data) is Memo]

    assert memos() == [("seller", "发顺丰"), ("buyer", "请尽快")]
    assert memos(seller_memo="", buyer_message="") == [("seller", "")]
    assert memos(seller_memo=None, buyer_message=None) == []
    assert memos(seller_memo="一\r\n二") == [("seller", "一\n二"), ("buyer", "请尽快")]


@pytest.mark.parametrize(("code", "raw"), [(0, "0"), (5, "5"), ("3", "3"), (9, "9")])
def test_a_flag_is_kept_by_its_code_known_or_not(code: Any, raw: str) -> None:
    assert of_type(shown(seller_flag=code), Flag).data == Flag(
        order_id=str(TID), platform="taobao", raw_code=raw, memo="发顺丰"
    )


def test_no_flag_said_is_no_flag_told() -> None:
    assert not has(shown(seller_flag=None), Flag)


def test_the_owner_is_told_where_both_names_are_there_unmasked() -> None:
    owner = of_type(shown(), Owner).data
    assert (owner.open_id, owner.alias) == (OPEN_ID, KEYS.alias(SHOP, NICK))
    assert not has(shown(buyer_nick="小**草"), Owner)
    assert not has(shown(buyer_open_uid=None), Owner)
    assert {fact.buyer for fact in shown(buyer_open_uid=None)} == {KEYS.nick_lane(SHOP, NICK)}
    assert {fact.buyer for fact in shown(buyer_open_uid=None, buyer_nick="*")} == {"-"}


def test_a_masked_open_id_is_nobody_and_the_nick_beside_it_leads_to_his_lane() -> None:
    assert {fact.buyer for fact in shown(buyer_open_uid="AAFk**q")} == {KEYS.nick_lane(SHOP, NICK)}
    assert {fact.buyer for fact in shown(buyer_open_uid="AAFk**q", buyer_nick="小**草")} == {"-"}
    assert not has(shown(buyer_open_uid="AAFk**q"), Owner)


def test_a_snapshot_comes_bare_in_its_response_or_in_a_row_of_the_push() -> None:
    bare = {"trade": trade()}
    response = {"trade_fullinfo_get_response": bare}
    row = {"tid": TID, "status": "WAIT_BUYER_PAY", "jdp_hashcode": "1", "jdp_response": json.dumps(response)}
    first, *others = [
        [(fact.data.TYPE, fact.time) for fact in facts(wrapped, "order")] for wrapped in (bare, response, row)
    ]
    assert others == [first, first]
    assert len(first) == 8


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({}, "trade"),
        ({"trade_fullinfo_get_response": {"request_id": "1"}}, "trade_fullinfo_get_response.trade"),
        ({"jdp_response": "{"}, "jdp_response"),
        ({"trade": trade(tid=None)}, "trade.tid"),
        ({"trade": trade(status="TRADE_FROZEN")}, "trade.status"),
        ({"trade": trade(status=None)}, "trade.status"),
        ({"trade": trade(step_trade_status="FRONT_HALF_PAID")}, "trade.step_trade_status"),
    ],
)
def test_a_snapshot_of_no_known_order_or_state_is_refused_as_a_whole(message: Any, field: str) -> None:
    assert [refused.field for refused in refusals(message, "order")] == [field]
    assert len(refusals(message, "order")) == 1


@pytest.mark.parametrize(
    ("broken", "field", "held_back"),
    [
        (trade(created=None), "trade.created", {OrderPlaced}),
        (trade(line(price="29.805")), "trade.orders.order[0].price", {OrderPlaced, Price}),
        (trade(line(num=0)), "trade.orders.order[0].num", {OrderPlaced}),
        (trade(line(sku_id=None)), "trade.orders.order[0].sku_id", {OrderPlaced}),
        (trade(payment="-1.00"), "trade.payment", {OrderPlaced, OrderPaid, Price}),
        (trade(pay_time="yesterday"), "trade.pay_time", {OrderPaid}),
        (trade(modified=None), "trade.modified", {Owner, Price, Address, Flag}),
        (trade(seller_flag="red"), "trade.seller_flag", {Flag}),
        (trade(receiver_address=["x"]), "trade.receiver_address", {Address}),
    ],
)
def test_what_cannot_be_read_is_refused_once_and_holds_back_only_what_needs_it(
    broken: dict[str, Any], field: str, held_back: set[type[Any]]
) -> None:
    message = {"trade": broken}
    assert [refused.field for refused in refusals(message, "order")] == [field]
    whole = {type(fact.data) for fact in shown()}
    assert {type(one.data) for one in told(message, "order") if isinstance(one, Fact)} == whole - held_back


def test_what_the_contract_does_not_take_is_refused_and_holds_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(snapshot: Snapshot) -> Iterator[Told]:
        yield snapshot.modified, Price(order_id=snapshot.order_id, total_fen=-1)

    monkeypatch.setattr(orders, "_STATEMENTS", (values.owner, wrong, values.address))
    found = told({"trade": trade()}, "order")
    assert [type(one.data) for one in found if isinstance(one, Fact)] == [Owner, Address]
    (refused,) = [one for one in found if isinstance(one, Refused)]
    assert refused.reason.startswith("stated.price: ")


def test_a_line_in_an_unknown_state_leaves_open_what_was_shipped_or_closed() -> None:
    message = {"trade": trade(line(status="LINE_FROZEN"))}
    assert [refused.field for refused in refusals(message, "order")] == ["trade.orders.order[0].status"]
