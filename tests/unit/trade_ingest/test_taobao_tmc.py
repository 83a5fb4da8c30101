"""What each topic of Taobao's message service means: the documentation of `in.taobao.<shop>.tmc`."""

from pathlib import Path
from typing import Any

import pytest

from services.kernel.inputs import Refused
from services.kernel.process import Fact
from services.trade_ingest.sources.taobao import tmc
from services.trade_ingest.sources.taobao.tmc import AT_TIMES_REFUSED, AT_TIMES_SILENT, MEANINGS, SILENT
from services.trade_ingest.sources.taobao.trades import EXTENSION_DAYS
from services.trade_ingest.stated import Owner, Price
from tests.unit.trade_ingest.taobao_feed import (
    AT,
    KEYS,
    MODIFIED,
    NICK,
    OID,
    OPEN_ID,
    REFUND,
    REFUND_ID,
    SHOP,
    TID,
    TRACED,
    TRADE,
    envelope,
    facts,
    refusals,
    stated,
    told,
)

TOPICS = {
    *(f"taobao_trade_{name}" for name in (
        "TradeAlipayCreate", "TradeBuyerPay", "TradeChanged", "TradeClose", "TradeCloseAndModifyDetailOrder",
        "TradeCreate", "TradeDelayConfirmPay", "TradeLogisticsAddressChanged", "TradeMemoModified", "TradeModifyFee",
        "TradePartlyRefund", "TradePartlySellerShip", "TradeRated", "TradeSellerShip", "TradeSuccess",
        "TradeTimeoutRemind",
    )),
    *(f"taobao_refund_{name}" for name in (
        "OrderStatusSync", "RefundBlockMessage", "RefundBuyerModifyAgreement", "RefundBuyerReturnGoods", "RefundClosed",
        "RefundCreateMessage", "RefundCreated", "RefundSellerAgreeAgreement", "RefundSellerRefuseAgreement",
        "RefundSuccess", "RefundTimeoutRemind", "RefundableCanceled", "RefundableMarked", "TaobaoInterApplied",
        "TaobaoIntervened",
    )),
    "taobao_logistics_LogsticDetailTrace",
    "taobao_logistics_PackageExceptionCreate",
    "taobao_opencrm_MemberGradeChange",
    "taobao_opencrm_MemberJoin",
    "taobao_traderate_ImprBadTag",
}  # fmt: skip
"""Every topic that feeds.md knows (feeds/taobao_tmc_fields.json)."""

REFUNDED = f"refund_id={REFUND_ID} line_ids={OID}"
ASKED = f"{REFUNDED} kind=refund_only phase=onsale fee_fen=2980"


def test_every_topic_has_a_meaning_or_a_reason_for_silence() -> None:
    assert set(MEANINGS) | set(SILENT) == TOPICS
    assert not set(MEANINGS) & set(SILENT)
    assert set(AT_TIMES_SILENT) | set(AT_TIMES_REFUSED) <= set(MEANINGS)


TRADES = [
    ("TradeCreate", {"payment": "59.60"}, ["placed platform=taobao total_fen=5960"]),
    ("TradeCreate", {}, ["placed platform=taobao"]),
    # Paid at the door; and a presale, of which the deposit is asked for first.
    ("TradeCreate", {"type": "cod"}, ["placed platform=taobao cash_on_delivery=True"]),
    ("TradeCreate", {"type": "step", "payment": "59.60"},
     ["placed platform=taobao total_fen=5960 presale=True"]),
    ("TradeModifyFee", {"payment": "49.60"}, ["price total_fen=4960"]),
    ("TradeBuyerPay", {"payment": "59.60"}, ["order.paid paid_fen=5960"]),
    ("TradeBuyerPay", {}, ["paid"]),
    ("TradeBuyerPay", {"type": "step", "payment": "500.00"}, ["order.paid paid_fen=50000"]),
    ("TradeSellerShip", {}, ["shipped"]),
    ("TradePartlySellerShip", {"oid": OID}, [f"shipped partial=True line_ids={OID}"]),
    ("TradePartlySellerShip", {}, ["shipped partial=True"]),
    ("TradeSuccess", {}, ["order.completed cause=automatic"]),
    ("TradeDelayConfirmPay", {}, [f"order.receipt_extended days={EXTENSION_DAYS}"]),
    ("TradeLogisticsAddressChanged", {}, ["address_touched"]),
    # Closed: the status says whether it was paid; an oid other than the tid, that it is this line alone.
    ("TradeClose", {"status": "TRADE_CLOSED_BY_TAOBAO"}, ["order.closed reason=未付款关闭"]),
    ("TradeClose", {"status": "TRADE_CLOSED"}, ["order.closed reason=付款后退款关闭 paid=True"]),
    ("TradeClose", {"status": "TRADE_CLOSED_BY_TAOBAO", "oid": 0}, ["order.closed reason=未付款关闭"]),
    ("TradeClose", {"status": "TRADE_CLOSED", "oid": OID},
     [f"order.closed reason=付款后退款关闭 paid=True line_ids={OID}"]),
    ("TradeClose", {"status": "WAIT_BUYER_PAY", "oid": OID}, [f"order.closed reason=未付款关闭 line_ids={OID}"]),
    ("TradeCloseAndModifyDetailOrder", {"status": "TRADE_CLOSED_BY_TAOBAO", "oid": OID},
     [f"order.closed reason=未付款关闭 line_ids={OID}"]),
    ("TradeCloseAndModifyDetailOrder", {"status": "WAIT_BUYER_PAY", "oid": OID, "payment": "30.00"},
     ["price total_fen=3000"]),
    ("TradeMemoModified", {"action_type": "seller", "seller_memo": "发顺丰", "seller_flag": 1},
     ["memo memo=发顺丰 by=seller", "flag platform=taobao raw_code=1 memo=发顺丰"]),
    ("TradeMemoModified", {"action_type": "other", "seller_memo": "改地址"}, ["memo memo=改地址 by=other"]),
    ("TradeMemoModified", {"action_type": "buyer", "seller_memo": "送礼"}, ["memo memo=送礼 by=seller"]),
    ("TradeMemoModified", {"action_type": "seller", "seller_memo": ""}, ["memo by=seller"]),
    ("TradeMemoModified", {"action_type": "seller", "seller_flag": 0}, ["flag platform=taobao raw_code=0"]),
    ("TradeMemoModified", {"action_type": "buyer"}, []),
    ("TradeRated", {"rater": "buyer"}, ["reviewed"]),
    ("TradeRated", {"rater": "buyer", "oid": OID}, [f"reviewed line_id={OID}"]),
    ("TradeRated", {"rater": "seller"}, []),
    ("TradeRated", {"rater": "unknown"}, []),
    ("TradeRated", {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("topic", "changes", "expected"), TRADES)
def test_a_trade_message_says(topic: str, changes: dict[str, Any], expected: list[str]) -> None:
    found = facts(envelope(f"taobao_trade_{topic}", TRADE | changes))
    assert all(fact.time == AT and fact.buyer == OPEN_ID and fact.data.order_id == str(TID) for fact in found)
    owner = [f"owner open_id={OPEN_ID} alias={KEYS.alias(SHOP, NICK)}"] if expected else []
    assert stated(envelope(f"taobao_trade_{topic}", TRADE | changes)) == owner + expected


REFUNDS = [
    ("RefundCreated", {}, f"refund.requested {ASKED}"),
    ("RefundCreated", {"bill_type": "return_bill", "refund_phase": "aftersale"},
     f"refund.requested {REFUNDED} kind=return phase=aftersale fee_fen=2980"),
    ("RefundCreated", {"bill_type": "replace_bill"},
     f"refund.requested {REFUNDED} kind=exchange phase=onsale fee_fen=2980"),
    ("RefundCreated", {"bill_type": None, "refund_phase": None},
     f"refund_step refund_id={REFUND_ID} step=requested line_ids={OID} fee_fen=2980"),
    ("RefundCreated", {"refund_fee": None, "oid": None}, f"refund_step refund_id={REFUND_ID} step=requested"),
    ("RefundBuyerModifyAgreement", {"refund_fee": "19.80"},
     f"refund.requested {REFUNDED} kind=refund_only phase=onsale fee_fen=1980"),
    ("RefundSellerAgreeAgreement", {}, f"refund.agreed {ASKED}"),
    ("RefundSellerRefuseAgreement", {}, f"refund.refused {ASKED}"),
    ("RefundBuyerReturnGoods", {}, f"refund.goods_returned {REFUNDED} kind=return phase=onsale fee_fen=2980"),
    ("RefundSuccess", {}, f"refund.completed {ASKED}"),
    ("RefundClosed", {}, f"refund.closed {ASKED}"),
]  # fmt: skip


@pytest.mark.parametrize(("topic", "changes", "expected"), REFUNDS)
def test_a_refund_message_says_at_its_own_time(topic: str, changes: dict[str, Any], expected: str) -> None:
    message = envelope(f"taobao_refund_{topic}", REFUND | changes)
    assert stated(message)[1:] == [expected]
    assert {fact.time for fact in facts(message)} == {MODIFIED}


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("WAIT_SELLER_AGREE", "requested"),
        ("WAIT_BUYER_RETURN_GOODS", "agreed"),
        ("WAIT_SELLER_CONFIRM_GOODS", "goods_returned"),
        ("SELLER_REFUSE_BUYER", "refused"),
        ("CLOSED", "closed"),
        ("SUCCESS", "completed"),
    ],
)
def test_a_synchronised_refund_state_is_a_step_of_it(status: str, step: str) -> None:
    content = {
        "refund_order_id": str(REFUND_ID), "out_order_id": str(TID), "refund_status": status,
        "modified_time": "2026-11-12 09:00:00",
    }  # fmt: skip
    message = envelope("taobao_refund_OrderStatusSync", content)
    assert stated(message) == [f"refund_step refund_id={REFUND_ID} step={step}"]
    (fact,) = facts(message)
    assert (fact.time, fact.buyer, fact.data.order_id) == (MODIFIED, "-", str(TID))


def test_a_bad_impression_is_a_review_without_its_words() -> None:
    content = {
        "tid": TID, "oid": OID, "biz_type": 1, "feedback": "质量太差了", "impr_words": "质量差", "num_iid": 1,
        "gmt_modified": "2026-11-12 09:00:00", "seller_nick": "渔具店",
    }  # fmt: skip
    message = envelope("taobao_traderate_ImprBadTag", content)
    assert stated(message) == [f"reviewed line_id={OID}"]
    (fact,) = facts(message)
    assert (fact.time, fact.buyer) == (MODIFIED, "-")


@pytest.mark.parametrize("topic", sorted(SILENT))
def test_a_topic_taken_in_silence_says_nothing_whatever_is_in_it(topic: str) -> None:
    assert told(envelope(topic, TRADE)) == []
    assert told(envelope(topic, "no JSON")) == []


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (envelope("taobao_trade_TradeBuyerStepPay", TRADE), "topic"),
        (envelope("taobao_item_ItemZeroStock", TRADE), "topic"),
        (envelope("", TRADE), "topic"),
        (envelope("taobao_trade_TradeCreate", ""), "content"),
        (envelope("taobao_trade_TradeCreate", "[]"), "content"),
        (envelope("taobao_trade_TradeCreate", "{"), "content"),
        (envelope("taobao_trade_TradeCreate", TRADE, time=None), "time"),
        (envelope("taobao_trade_TradeCreate", TRADE | {"tid": None}), "content.tid"),
        (envelope("taobao_trade_TradeModifyFee", TRADE), "content.payment"),
        (envelope("taobao_trade_TradeClose", TRADE), "content.status"),
        (envelope("taobao_trade_TradeClose", TRADE | {"status": "TRADE_FROZEN"}), "content.status"),
        (envelope("taobao_trade_TradeMemoModified", TRADE | {"action_type": "robot"}), "content.action_type"),
        (envelope("taobao_trade_TradeMemoModified", TRADE), "content.action_type"),
        (envelope("taobao_trade_TradeMemoModified", TRADE | {"action_type": "seller", "seller_flag": -1}),
         "content.seller_flag"),
        (envelope("taobao_trade_TradeRated", TRADE | {"rater": "robot"}), "content.rater"),
        (envelope("taobao_refund_RefundCreated", REFUND | {"refund_id": None}), "content.refund_id"),
        (envelope("taobao_refund_RefundCreated", REFUND | {"bill_type": "gift_bill"}), "content.bill_type"),
        (envelope("taobao_refund_RefundCreated", REFUND | {"refund_phase": "presale"}), "content.refund_phase"),
        (envelope("taobao_refund_OrderStatusSync", {"out_order_id": "1", "refund_order_id": "2", "refund_status": "X"}),
         "content.refund_status"),
        (envelope("taobao_logistics_LogsticDetailTrace", TRACED | {"action": "TELEPORTED"}), "content.action"),
    ],
)  # fmt: skip
def test_what_nobody_knows_is_refused_with_its_field(message: dict[str, Any], field: str) -> None:
    assert [refused.field for refused in refusals(message)] == [field]


@pytest.mark.parametrize(("topic", "why"), AT_TIMES_REFUSED.items())
@pytest.mark.parametrize("more", [{}, {"payment": "59.60", "refund_fee": "59.60", "refund_id": 7, "oid": OID}])
def test_a_closing_without_its_status_is_refused_because_nothing_else_says_whether_it_was_paid(
    topic: str, why: str, more: dict[str, Any]
) -> None:
    (refused,) = refusals(envelope(topic, TRADE | more))
    assert refused.field == "content.status"
    assert why.removeprefix("no status: ") in refused.reason


def test_a_message_that_the_contract_does_not_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = "taobao_trade_TradeModifyFee"
    wrong = Fact(data=Price(order_id="1", total_fen=-1), shop=SHOP, time=AT)
    monkeypatch.setattr(tmc, "MEANINGS", {topic: lambda raw, content, time: [wrong]})
    (refused,) = refusals(envelope(topic, TRADE))
    assert refused.reason.startswith("stated.price: ")


def test_a_list_of_messages_is_taken_apart_and_a_refused_one_holds_up_no_other() -> None:
    paid = envelope("taobao_trade_TradeBuyerPay", TRADE | {"payment": "59.60"})
    found = told([paid, envelope("taobao_trade_New", TRADE), paid])
    assert [type(one) for one in found].count(Refused) == 1
    (refused,) = [one for one in found if isinstance(one, Refused)]
    assert refused.field == "[1].topic"
    assert len(found) == 5


def test_the_same_message_sent_again_says_the_same() -> None:
    first = facts(envelope("taobao_trade_TradeBuyerPay", TRADE | {"payment": "59.60"}))
    again = facts(envelope("taobao_trade_TradeBuyerPay", TRADE | {"payment": "59.60"}, retried=3, id=4020000000002))
    assert first == again


def test_a_nick_alone_leads_to_the_nicks_lane_and_a_masked_one_to_none() -> None:
    def buyer(**changes: Any) -> str:
        message = envelope("taobao_trade_TradeSuccess", TRADE | changes)
        found = facts(message)
        assert not [fact for fact in found if isinstance(fact.data, Owner)]
        return found[0].buyer

    assert buyer(buyer_open_uid=None) == KEYS.nick_lane(SHOP, NICK)
    assert buyer(buyer_open_uid=None, buyer_nick="小**草") == "-"
    assert buyer(buyer_open_uid=None, buyer_nick="") == "-"
    assert buyer(buyer_nick="小**草") == OPEN_ID
    assert buyer(buyer_open_uid="AAFk**q") == KEYS.nick_lane(SHOP, NICK)
    assert buyer(buyer_open_uid="AAFk**q", buyer_nick="小**草") == "-"


def test_tmall_is_read_alike_and_named_as_the_platform() -> None:
    assert stated(envelope("taobao_trade_TradeCreate", TRADE), source="tmall")[1:] == ["placed platform=tmall"]


@pytest.mark.parametrize("source", ["taobao", "tmall"])
def test_a_kind_that_is_not_of_the_feed_is_refused_and_chats_are_left_alone(source: str) -> None:
    assert told(b"", "chat", source) == []
    (refused,) = told(b"", "trade", source)
    assert isinstance(refused, Refused)
    assert refused.field == "kind"
    assert all(word in refused.reason for word in (source, "tmc", "order", "refund", "chat"))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("tmc", ["stated.placed", "stated.price", "order.paid", "stated.memo", "stated.flag", "stated.shipped",
                 "stated.parcel_traced", "stated.parcel_traced"]),
        ("order", ["order.placed", "order.paid", "order.shipped", "stated.price", "stated.memo", "stated.flag"]),
        ("refund", ["refund.requested", "refund.agreed"]),
    ],
)  # fmt: skip
def test_the_sample_of_a_kind_is_understood(kind: str, expected: list[str]) -> None:
    """One order with a gift, its receiver masked as the platform masks them, from placing to a return."""
    sample = Path(__file__).parents[2] / "samples" / "taobao" / f"{kind}.json"
    found = facts(sample.read_bytes(), kind)
    assert [fact.data.TYPE for fact in found if not isinstance(fact.data, Owner)] == expected
    assert {fact.buyer for fact in found} <= {"AAEhQkXnAAdr4nUdEm2pTgXq", "-"}
