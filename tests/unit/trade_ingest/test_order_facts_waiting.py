"""Waiting for a buyer, and being forgotten: bounded and visible, and nothing is lost (feeds.md, trap 8)."""

from datetime import timedelta
from typing import Any

import msgspec
from cryptography.fernet import Fernet

from schemas.buyer import BuyerContactStored
from schemas.commands.trade_ingest import AssignBuyer, CloseOrder
from schemas.flag import OrderFlagged
from schemas.order import OrderAssigned, OrderMemoChanged, OrderPaid, OrderPlaced, OrderShipped, OrderSigned
from schemas.platform import PlatformActionRequested
from services.kernel.process import SetAside
from services.kernel.vault import Contact, Keys
from services.replay.story import at
from services.trade_ingest.order_memory import MOST_WAITING
from services.trade_ingest.stated import Address, Flag, Memo, Owner, ParcelTraced, Placed, Price
from services.trade_ingest.waiting import CROWDED, UNNAMED
from tests.unit.trade_ingest.orders import DETAILS, REMEMBERED, WAITING, Order

ORDER: dict[str, Any] = {"order_id": "o1"}
PLACED = OrderPlaced(**ORDER, platform="douyin", shop_kind="mall", lines=(), total_fen=2980, postage_fen=0)
PAID = OrderPaid(**ORDER, paid_fen=2980)
SHIPPED = OrderShipped(**ORDER, parcel_id="Z1", carrier="中通", waybill="Z1")
SIGNED = OrderSigned(**ORDER, parcel_id="Z1", by="self")
OWNER = Owner(**ORDER, open_id="b1", alias="a" * 32)
NICK = "nick-" + "a" * 32
KEYS = Keys(b"i" * 32, [Fernet.generate_key()])


def lanes(order: Order) -> list[tuple[Any, str]]:
    return [(event.data, event.buyer) for event in order.events]


# The order's buyer


def test_facts_without_a_buyer_wait_and_are_told_in_the_order_of_their_times_when_one_is_named() -> None:
    order = (
        Order().hear(PAID, when="10:05:00").hear(PLACED, when="10:00:00", learnt="10:06:00").hear(PAID, when="10:05:00")
    )
    assert order.news == []
    order.hear(OWNER, when="11:00:00", buyer="b1")
    assert [(event.data, event.time, event.buyer) for event in order.events] == [
        (PLACED, at("10:00:00"), "b1"),
        (PAID, at("10:05:00"), "b1"),
    ]
    order.hear(PAID, PLACED, OWNER, when="12:00:00")
    assert len(order.events) == 2


def test_any_fact_with_a_real_buyer_lets_them_go_and_is_told_itself() -> None:
    order = Order().hear(PLACED, when="10:00:00").hear(PAID, when="10:05:00", buyer="b1")
    assert lanes(order) == [(PLACED, "b1"), (PAID, "b1")]


def test_an_owner_without_a_lane_of_its_own_names_the_buyer_too() -> None:
    order = Order().hear(PLACED).hear(OWNER)
    assert lanes(order) == [(PLACED, "b1")]


def test_an_order_stays_in_the_lane_of_the_first_real_buyer() -> None:
    order = Order().hear(PLACED, buyer="b1").hear(PAID, buyer="b2").hear(SHIPPED, buyer=NICK).hear(SIGNED)
    assert lanes(order) == [(PLACED, "b1"), (PAID, "b1"), (SHIPPED, "b1"), (SIGNED, "b1")]


def test_values_are_compared_while_the_buyer_is_unknown_and_only_what_is_news_waits() -> None:
    order = Order().hear(Price(**ORDER, total_fen=2980), Memo(**ORDER, memo=""), when="10:00:00")
    assert order.state.untold == ()
    order.hear(Memo(**ORDER, memo="发顺丰"), Memo(**ORDER, memo="发顺丰"), when="11:00:00").hear(OWNER, when="12:00:00")
    assert order.news == [OrderMemoChanged(**ORDER, memo="发顺丰", memo_version=1, by="seller")]


def test_a_contact_and_a_flag_that_have_waited_come_whole() -> None:
    deposit = KEYS.seal("s1", Contact(name="张三", address="文三路1号"), "浙江")
    order = Order().hear(
        Address(**ORDER, address_digest="aa", deposit=deposit),
        Flag(**ORDER, platform="douyin", raw_code="5", memo="送赠品"),
    )
    assert "文三路" not in repr(order.state)
    order.hear(OWNER, when="11:00:00")
    stored, flagged = order.news
    assert isinstance(stored, BuyerContactStored)
    assert (flagged.colour, flagged.memo, type(flagged)) == ("red", "送赠品", OrderFlagged)
    assert order.deposits == [("s1", "b1", deposit)]


def test_the_event_that_has_waited_says_who_told_it() -> None:
    order = Order().hear(PAID)
    assert order.state.untold[0].data == PAID
    order.hear(OWNER)
    assert order.events[0].actor == "order_facts"


# Only a nick is known


def test_where_only_a_nick_is_known_the_facts_come_into_its_lane_after_a_short_wait() -> None:
    order = Order().hear(PLACED, when="10:00:00").hear(PAID, when="10:05:00", buyer=NICK)
    order.until(at("10:05:00") + DETAILS - timedelta(seconds=1))
    assert order.news == []
    order.until(at("10:05:00") + DETAILS)
    assert lanes(order) == [(PLACED, NICK), (PAID, NICK)]


def test_an_order_that_came_into_the_lane_of_a_nick_stays_there() -> None:
    order = Order().hear(PLACED, buyer=NICK).until(at("10:30:00")).hear(OWNER, when="11:00:00", buyer="b1")
    order.hear(PAID, when="12:00:00", buyer="b1")
    assert lanes(order) == [(PLACED, NICK), (PAID, NICK)]


def test_an_open_id_that_comes_within_the_wait_is_the_lane() -> None:
    order = (
        Order().hear(PLACED, when="10:00:00", buyer=NICK).hear(OWNER, when="10:01:00", buyer="b1").until(at("11:00:00"))
    )
    assert lanes(order) == [(PLACED, "b1")]


def test_a_nick_that_is_known_takes_what_comes_later_without_a_buyer() -> None:
    order = Order().hear(Price(**ORDER, total_fen=1), when="10:00:00", buyer=NICK).until(at("11:00:00"))
    assert order.news == []
    order.hear(PAID, when="12:00:00").until(at("12:01:00"))
    assert lanes(order) == [(PAID, NICK)]


def test_an_order_placed_without_details_waits_for_its_lane_as_well() -> None:
    order = Order().hear(Placed(**ORDER, platform="taobao", total_fen=2980), when="10:00:00", buyer=NICK)
    order.until(at("10:00:00") + DETAILS)
    assert [(type(event.data), event.buyer, event.time) for event in order.events] == [
        (OrderPlaced, NICK, at("10:00:00"))
    ]


# Nothing is known


def test_facts_that_nobody_claims_are_set_aside_each_once() -> None:
    order = Order().hear(PLACED, when="10:00:00").hear(PAID, when="12:00:00")
    order.until(at("10:00:00") + WAITING)
    assert order.aside == [SetAside("in:1:0", UNNAMED)]
    order.until(at("12:00:00") + 2 * WAITING)
    assert order.aside == [SetAside("in:1:0", UNNAMED), SetAside("in:2:0", UNNAMED)]
    assert order.news == []


def test_a_message_whose_one_fact_is_several_events_is_set_aside_once() -> None:
    order = Order().hear(Flag(**ORDER, platform="taobao", raw_code="1"), buyer="-", fact="in:5:0")
    order.hear(Flag(**ORDER, platform="taobao", raw_code="2"), when="11:00:00", fact="in:6:0")
    order.until(at("11:00:00") + WAITING)
    assert [one.fact for one in order.aside] == ["in:5:0", "in:6:0"]


def test_an_order_placed_without_details_and_buyer_is_set_aside_for_want_of_the_buyer() -> None:
    order = Order().hear(Placed(**ORDER, platform="taobao", total_fen=2980), when="10:00:00")
    order.until(at("10:00:00") + WAITING)
    assert order.aside == [SetAside("in:1:0", UNNAMED)]


def test_what_was_set_aside_is_told_all_the_same_when_a_buyer_comes() -> None:
    order = Order().hear(PLACED, PAID).until(at("10:00:00") + 2 * WAITING)
    order.hear(OWNER, when=at("10:00:00") + 3 * WAITING)
    assert lanes(order) == [(PLACED, "b1"), (PAID, "b1")]


def test_a_message_that_was_set_aside_and_is_played_again_waits_anew() -> None:
    order = Order().hear(PLACED, fact="in:7:1").until(at("10:00:00") + 2 * WAITING)
    order.hear(PLACED, fact="in:7:1", learnt=at("10:00:00") + 3 * WAITING).until(at("10:00:00") + 5 * WAITING)
    assert order.aside == [SetAside("in:7:1", UNNAMED)] * 2
    order.hear(OWNER, when=at("10:00:00") + 6 * WAITING)
    assert order.news == [PLACED]


def test_a_message_that_was_set_aside_and_is_played_again_after_the_buyer_came_says_nothing() -> None:
    order = Order().hear(PLACED, fact="in:7:1").until(at("10:00:00") + 2 * WAITING)
    order.hear(OWNER, when=at("10:00:00") + 3 * WAITING)
    order.hear(PLACED, fact="in:7:1", learnt=at("10:00:00") + 4 * WAITING)
    assert order.news == [PLACED]


def test_so_many_facts_of_an_order_wait_and_those_beyond_are_set_aside_at_once_and_new_when_played_again() -> None:
    order = Order()
    for number in range(MOST_WAITING + 2):
        order.hear(ParcelTraced(**ORDER, waybill=f"Z{number}", action="pickup"))
    order.until(at("10:01:00"))
    assert order.aside == [SetAside(f"in:{number}:0", CROWDED) for number in (MOST_WAITING + 1, MOST_WAITING + 2)]
    assert (len(order.state.untold), order.state.crowded) == (MOST_WAITING, {})
    order.hear(OWNER, when="11:00:00")
    assert len(order.news) == MOST_WAITING
    order.hear(ParcelTraced(**ORDER, waybill=f"Z{MOST_WAITING}", action="pickup"), when="12:00:00")
    assert len(order.news) == 1


def test_hints_are_bounded_even_where_the_buyer_is_known_and_other_facts_are_not() -> None:
    order = Order()
    for number in range(MOST_WAITING + 1):
        order.hear(ParcelTraced(**ORDER, waybill=None, action="other", reason=str(number)), buyer="b1")
    order.until(at("10:01:00"))
    assert [one.reason for one in order.aside] == [CROWDED]
    order.hear(PAID, when="11:00:00", buyer="b1")
    assert order.news == [PAID]


# Commands


def test_an_order_that_is_assigned_by_hand_says_so_and_its_waiting_facts_follow() -> None:
    order = Order().hear(PAID, when="10:05:00").hear(PLACED, when="10:00:00", learnt="10:06:00")
    assert order.ask(AssignBuyer(**ORDER, open_id="b7"), "12:00:00") is None
    assert [(event.data, event.time, event.buyer) for event in order.events] == [
        (OrderAssigned(**ORDER), at("12:00:00"), "b7"),
        (PLACED, at("10:00:00"), "b7"),
        (PAID, at("10:05:00"), "b7"),
    ]
    order.hear(SHIPPED, when="13:00:00", buyer="b1")
    assert lanes(order)[-1] == (SHIPPED, "b7")


def test_facts_that_were_set_aside_follow_as_well() -> None:
    order = Order().hear(PLACED).until(at("10:00:00") + 2 * WAITING)
    order.ask(AssignBuyer(**ORDER, open_id="b7"), at("10:00:00") + 3 * WAITING)
    assert order.news == [OrderAssigned(**ORDER), PLACED]


def test_an_order_that_has_a_buyer_is_not_assigned_to_another() -> None:
    order = Order().hear(PLACED, buyer="b1")
    rejected = order.ask(AssignBuyer(**ORDER, open_id="b7"), "12:00:00")
    assert rejected is not None
    assert rejected.code in AssignBuyer.REJECTIONS
    assert order.news == [PLACED]


def test_an_order_that_is_assigned_again_to_its_buyer_is_so_already() -> None:
    order = Order().hear(PLACED, buyer="b1")
    assert order.ask(AssignBuyer(**ORDER, open_id="b1"), "12:00:00") is None
    assert order.news == [PLACED]


def test_any_other_command_is_judged_by_what_is_known_of_the_order() -> None:
    order = Order().hear(PLACED, buyer="b1")
    assert order.ask(CloseOrder(**ORDER, reason="拍错了"), "12:00:00") is None
    assert [(type(event.data), event.buyer) for event in order.events[1:]] == [(PlatformActionRequested, "b1")]
    rejected = order.hear(PAID, when="13:00:00").ask(CloseOrder(**ORDER, reason="拍错了"), "14:00:00")
    assert rejected is not None
    assert rejected.code == "already_paid"


# Forgetting


def test_an_order_is_forgotten_when_nothing_was_heard_of_it_for_long() -> None:
    order = Order().hear(PLACED, when="10:00:00", buyer="b1")
    order.hear(PLACED, when="10:00:00", learnt="11:00:00", buyer="b1")
    order.until(at("11:00:00") + REMEMBERED - timedelta(seconds=1))
    assert order.ended == 0
    order.until(at("11:00:00") + REMEMBERED)
    assert (order.ended, order.state) == (1, type(order.state)())


def test_what_waits_is_settled_before_an_order_is_forgotten() -> None:
    order = Order().hear(PLACED).until(at("10:00:00") + 2 * REMEMBERED)
    assert ([one.reason for one in order.aside], order.ended) == ([UNNAMED], 1)


def test_a_row_holds_some_dozen_bytes_a_fact_and_what_waits_is_gone_when_it_is_told() -> None:
    order = Order().hear(PLACED, PAID, SHIPPED, SIGNED, buyer="b1")
    assert (order.state.untold, order.state.hints) == ((), ())
    assert len(msgspec.json.encode(order.state)) < 4 * 100
