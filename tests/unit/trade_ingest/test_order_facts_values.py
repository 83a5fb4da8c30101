"""Price, address, memo: what changed since the last statement is told, once, whoever states it (domain.md 2)."""

from typing import Any

import pytest
from cryptography.fernet import Fernet

from schemas.buyer import BuyerContactStored
from schemas.flag import OrderFlagged
from schemas.order import (
    OrderAddressChanged,
    OrderLine,
    OrderMemoChanged,
    OrderPlaced,
    OrderPriceAdjusted,
)
from schemas.types import Platform
from services.kernel.vault import Contact, Deposit, Keys
from services.replay.story import Story, at, fact, story
from services.trade_ingest import order_facts
from services.trade_ingest.stated import Address, Flag, LinePrice, Memo, Price
from tests.unit.trade_ingest.orders import Order

ORDER: dict[str, Any] = {"order_id": "o1"}
KEYS = Keys(b"i" * 32, [Fernet.generate_key()])


def price(total: int, postage: int | None = None, **lines: int) -> Price:
    prices = tuple(LinePrice(line, fen) for line, fen in lines.items()) or None
    return Price(**ORDER, total_fen=total, postage_fen=postage, lines=prices)


def adjusted(total: int, line: str | None = None, fen: int | None = None, postage: int | None = None) -> Any:
    return OrderPriceAdjusted(**ORDER, line_id=line, price_fen=fen, postage_fen=postage, total_fen=total)


def memo(text: str, by: Any = "seller") -> Memo:
    return Memo(**ORDER, memo=text, by=by)


def memo_changed(text: str, version: int, by: Any = "seller") -> OrderMemoChanged:
    return OrderMemoChanged(**ORDER, memo=text, memo_version=version, by=by)


def flag(code: str, text: str | None = None, platform: Platform = "taobao") -> Flag:
    return Flag(**ORDER, platform=platform, raw_code=code, memo=text)


def lives(address: str) -> Deposit:
    sealed = KEYS.seal("s1", Contact(name="张三", address=address), "浙江省杭州市")
    assert sealed is not None
    return sealed


def when(*facts: Any, start: Story | None = None) -> Story:
    """Facts of one hour after the other, (data, hour) or data, of the buyer b1."""
    told = start or story(order_facts)
    for number, one in enumerate(facts):
        data, hour = one if isinstance(one, tuple) else (one, 8 + number)
        told.when(fact(data, f"{hour:02}:00:00", recorded=max(told_at(told), at(f"{hour:02}:00:00")), buyer="b1"))
    return told


def told_at(told: Story) -> Any:
    return told.memory.now


# Any value


@pytest.mark.parametrize(
    "value", [price(2980, 500, l1=2480), Address(**ORDER, address_digest="aa"), memo(""), flag("0")]
)
def test_the_first_statement_of_a_value_is_its_baseline_and_no_news(value: Any) -> None:
    when(value, value).then()


CHANGES = [
    (price(2980), price(2880), adjusted(2880)),
    (
        Address(**ORDER, address_digest="aa"),
        Address(**ORDER, address_digest="bb"),
        OrderAddressChanged(**ORDER, address_digest="bb"),
    ),
    (memo(""), memo("发顺丰"), memo_changed("发顺丰", 1)),
    (flag("0"), flag("9"), OrderFlagged(**ORDER, raw_code="9", memo="")),
]


@pytest.mark.parametrize(("first", "second", "told"), CHANGES)
def test_a_later_statement_that_differs_is_told_once_at_its_own_time(first: Any, second: Any, told: Any) -> None:
    order = Order().hear(first, when="10:00:00", buyer="b1").hear(second, second, when="11:00:00", buyer="b1")
    order.hear(second, when="12:00:00", buyer="b1")
    assert [(event.data, event.time, event.buyer) for event in order.events] == [(told, at("11:00:00"), "b1")]


@pytest.mark.parametrize(("first", "second", "told"), CHANGES)
def test_an_older_statement_than_the_last_is_late_and_says_nothing(first: Any, second: Any, told: Any) -> None:
    when((first, 10)).given().when(fact(second, "09:00:00", recorded="12:00:00", buyer="b1")).then()


@pytest.mark.parametrize(("first", "second", "told"), CHANGES)
def test_a_value_stated_again_is_known_to_hold_until_then(first: Any, second: Any, told: Any) -> None:
    when((first, 8), (first, 12), (second, 10)).then()


@pytest.mark.parametrize(("first", "second", "told"), CHANGES)
def test_of_two_values_of_one_second_each_is_told_once_however_often_they_are_repeated(
    first: Any, second: Any, told: Any
) -> None:
    when((first, 8), (second, 8), (first, 8), (second, 8)).then(told)


# Price


def test_each_line_and_the_postage_that_changed_is_an_event_of_its_own() -> None:
    when(price(4480, 500, l1=1980, l2=2000), price(3980, 0, l1=1880, l2=2100)).then(
        adjusted(3980, "l1", 1880), adjusted(3980, "l2", 2100), adjusted(3980, postage=0)
    )


def test_where_the_feed_says_only_the_total_the_total_is_what_changed() -> None:
    when(price(2980, 500, l1=2480), price(2680)).then(adjusted(2680))


def test_the_notification_of_a_change_and_the_snapshot_that_shows_it_are_one_change() -> None:
    when(price(2980, 500, l1=2480), price(2680), price(2680, 500, l1=2180)).then(adjusted(2680))


def test_the_notification_that_comes_after_the_snapshot_says_nothing() -> None:
    when(price(2980, 500, l1=2480), price(2680, 500, l1=2180), price(2680)).then(adjusted(2680, "l1", 2180))


def test_lines_and_postage_that_change_under_the_same_total_are_told() -> None:
    when(price(2980, 500, l1=2480), price(2980, 0, l1=2980)).then(adjusted(2980, "l1", 2980), adjusted(2980, postage=0))


def test_a_notification_of_the_postage_leaves_the_lines_as_they_were() -> None:
    when(price(2980, 500, l1=2480), price(2480, 0), price(2380, 0, l1=2380)).then(
        adjusted(2480, postage=0), adjusted(2380, "l1", 2380)
    )


def test_placing_is_a_statement_of_the_price() -> None:
    line = OrderLine(line_id="l1", sku="k", title="裙", quantity=1, price_fen=2480)
    placed = OrderPlaced(**ORDER, platform="taobao", shop_kind="c_shop", lines=(line,), total_fen=2980, postage_fen=500)
    when(placed, price(2680, 500, l1=2180)).then(placed, adjusted(2680, "l1", 2180))


def test_a_price_that_the_contract_tells_is_known_to_the_snapshot_that_follows() -> None:
    told = adjusted(2680, "l1", 2180)
    when(price(2980, 500, l1=2480), told, price(2680, 500, l1=2180)).then(told)


def test_a_price_is_the_baseline_though_the_order_is_not_known_to_be_placed() -> None:
    placed = OrderPlaced(**ORDER, platform="taobao", shop_kind="c_shop", lines=(), total_fen=2980, postage_fen=0)
    when((price(2980), 10), (placed, 8), (price(2880), 11)).then(placed, adjusted(2880))


# Address and contact


def test_the_contact_of_an_address_goes_to_the_vault_once_and_its_event_has_digests_alone() -> None:
    deposit = lives("文三路1号")
    order = Order().hear(Address(**ORDER, address_digest="aa", deposit=deposit), buyer="b1")
    order.hear(Address(**ORDER, address_digest="aa", deposit=lives("文三路1号")), when="11:00:00", buyer="b1")
    assert order.news == [
        BuyerContactStored(vault_ref=deposit.vault_ref, digests=deposit.digests, region="浙江省杭州市", order_id="o1")
    ]
    assert order.deposits == [("s1", "b1", deposit)]


def test_another_address_is_told_and_its_contact_stored() -> None:
    old, new = lives("文三路1号"), lives("文三路2号")
    order = Order().hear(Address(**ORDER, address_digest="aa", deposit=old), buyer="b1")
    order.hear(Address(**ORDER, address_digest="bb", region="上海市", deposit=new), when="11:00:00", buyer="b1")
    changed, stored = order.news[1:]
    assert changed == OrderAddressChanged(**ORDER, address_digest="bb", region="上海市", vault_ref=new.vault_ref)
    assert stored.vault_ref == new.vault_ref
    assert order.deposits == [("s1", "b1", old), ("s1", "b1", new)]


def test_a_late_address_stores_no_contact() -> None:
    order = Order().hear(Address(**ORDER, address_digest="aa"), when="11:00:00", buyer="b1")
    order.hear(
        Address(**ORDER, address_digest="bb", deposit=lives("x")), when="10:00:00", learnt="12:00:00", buyer="b1"
    )
    assert (order.news, order.deposits) == ([], [])


def test_a_contact_that_comes_after_its_address_is_stored() -> None:
    order = Order().hear(Address(**ORDER, address_digest="aa"), buyer="b1")
    order.hear(Address(**ORDER, address_digest="aa", deposit=lives("x")), buyer="b1")
    assert [type(one) for one in order.news] == [BuyerContactStored]


def test_the_memory_of_an_order_holds_no_contact() -> None:
    order = Order().hear(Address(**ORDER, address_digest="aa", deposit=lives("文三路1号")), buyer="b1")
    assert "文三路" not in repr(order.state)
    assert order.state.untold == ()


# Memo


def test_a_memo_that_is_there_when_the_order_is_first_seen_is_the_first_version() -> None:
    when(memo("发顺丰")).then(memo_changed("发顺丰", 1))


def test_each_change_of_a_memo_counts_and_so_does_its_end() -> None:
    when(memo("甲"), memo("乙"), memo("")).then(memo_changed("甲", 1), memo_changed("乙", 2), memo_changed("", 3))


def test_the_buyers_message_and_the_shops_memo_are_two_memos_of_one_count() -> None:
    when(memo("要红色", "buyer"), memo("发顺丰"), memo("要红色", "buyer")).then(
        memo_changed("要红色", 1, "buyer"), memo_changed("发顺丰", 2)
    )


def test_the_shops_memo_is_one_whoever_of_it_wrote_it() -> None:
    when(memo("发顺丰", "other"), memo("发顺丰", "seller")).then(memo_changed("发顺丰", 1, "other"))


def test_the_count_goes_on_from_what_the_contract_told() -> None:
    told = memo_changed("甲", 4)
    when(told, memo("甲"), memo("乙")).then(told, memo_changed("乙", 5))
