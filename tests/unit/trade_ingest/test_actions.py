"""Acting on an order by command: what is refused, and what the bridge is asked for (domain.md 2, Acting)."""

from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from msgspec.structs import replace

from schemas.commands.trade_ingest import AdjustPrice, CloseOrder, ExtendReceipt
from schemas.envelope import COMMON_REJECTIONS, Actor, Command, Rejected
from schemas.order import OrderClosed, OrderDepositPaid
from schemas.platform import PlatformActionRequested
from schemas.types import Role
from services.kernel.policy import default_policy
from services.kernel.process import Emit
from services.trade_ingest import actions
from services.trade_ingest.identity import mark
from services.trade_ingest.order_memory import OrderFacts

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
POLICY = default_policy()


PLACED = OrderFacts(buyer="b1", known=("order.placed",), shop_kind="c_shop", line_ids=("l1", "l2"))
"""An order that waits for its payment, of a C shop, with two lines."""


def and_then(order: OrderFacts, *known: str) -> OrderFacts:
    """The order after this was told of it as well: marks (`identity`)."""
    return replace(order, known=(*order.known, *known))


PAID = and_then(PLACED, "order.paid")
SHIPPED = and_then(PAID, "order.shipped:parcel")
COMPLETED = and_then(SHIPPED, "order.completed")
CLOSED = and_then(PLACED, mark(OrderClosed(order_id="o1", reason="", paid=False), NOW))
ON_DELIVERY = and_then(PLACED, "order.shipped:parcel")
DEPOSIT_PAID = and_then(PLACED, mark(OrderDepositPaid(order_id="o1", paid_fen=1000), NOW))
ONE_LINE = replace(PLACED, line_ids=("l1",))


def decided(order: OrderFacts, wish: Any, role: Role = "supervisor", command_id: str = "c1") -> list[Emit | Rejected]:
    command = Command(command_id=command_id, shop="s1", actor=Actor(id="a1", role=role), data=wish)
    return list(actions.decide(order, command, NOW, POLICY))


def asked(order: OrderFacts, wish: Any, role: Role = "supervisor") -> list[tuple[str, dict[str, Any]]]:
    """Kind and arguments of each action, every one in the lane of the order's buyer."""
    emits = decided(order, wish, role)
    found: list[tuple[str, dict[str, Any]]] = []
    for emit in emits:
        assert isinstance(emit, Emit), emit
        assert isinstance(emit.data, PlatformActionRequested)
        assert emit.buyer == order.buyer
        found.append((emit.data.kind, dict(emit.data.args)))
    return found


def ids(found: list[Emit | Rejected]) -> set[str]:
    return {
        one.data.action_id for one in found if isinstance(one, Emit) and isinstance(one.data, PlatformActionRequested)
    }


def refused(order: OrderFacts, wish: Any, role: Role = "supervisor") -> tuple[str, str]:
    """Code and field of the rejection, which comes alone and says in two languages what to do."""
    (found,) = decided(order, wish, role)
    assert isinstance(found, Rejected), found
    assert found.message
    assert found.code in (*wish.REJECTIONS, *COMMON_REJECTIONS)
    assert any("一" <= letter <= "鿿" for letter in found.message_zh)
    return found.code, found.field


def price(**more: Any) -> AdjustPrice:
    return AdjustPrice(order_id="o1", **more)


def close(**more: Any) -> CloseOrder:
    return CloseOrder(order_id="o1", **more)


def extend(days: int = POLICY.orders.extension_days) -> ExtendReceipt:
    return ExtendReceipt(order_id="o1", days=days)


# every action


def test_a_command_asks_for_the_same_action_however_often_it_is_decided_and_another_for_another() -> None:
    first, again, other = (decided(PLACED, price(postage_fen=0), command_id=name) for name in ("c1", "c1", "c2"))
    assert first == again
    assert ids(first).isdisjoint(ids(other))


def test_an_order_without_a_known_buyer_is_acted_on_in_the_lane_of_nobody() -> None:
    assert asked(replace(PLACED, buyer=""), price(postage_fen=0))


# 改价


def test_a_c_shops_item_price_and_postage_can_be_edited_before_payment() -> None:
    assert asked(PLACED, price(line_id="l2", price_fen=2_980, postage_fen=0)) == [
        ("adjust_price", {"order_id": "o1", "line_id": "l2", "price_fen": 2_980, "postage_fen": 0})
    ]


def test_a_price_of_zero_is_a_price() -> None:
    assert asked(PLACED, price(line_id="l1", price_fen=0))[0][1]["price_fen"] == 0


def test_the_only_line_need_not_be_named() -> None:
    assert asked(ONE_LINE, price(price_fen=1))[0][1]["line_id"] == "l1"


@pytest.mark.parametrize("kind", ["mall", ""])
def test_a_mall_edits_the_postage_and_never_the_price(kind: Literal["mall", ""]) -> None:
    """Where no feed says the kind of the shop, its policy does: the default is a mall."""
    order = replace(PLACED, shop_kind=kind)
    assert POLICY.shop.kind == "mall"
    assert asked(order, price(postage_fen=0)) == [("adjust_price", {"order_id": "o1", "postage_fen": 0})]
    assert refused(order, price(line_id="l1", price_fen=1)) == ("mall_price_fixed", "data.price_fen")


@pytest.mark.parametrize("order", [PAID, SHIPPED, COMPLETED, CLOSED, ON_DELIVERY, replace(PLACED, known=())])
def test_only_an_order_that_waits_for_its_payment_has_its_price_changed(order: OrderFacts) -> None:
    assert refused(order, price(postage_fen=0))[0] == "not_placed"


@pytest.mark.parametrize("field", ["price_fen", "postage_fen"])
def test_nothing_below_zero(field: str) -> None:
    assert refused(PLACED, price(line_id="l1", **{field: -1})) == ("negative", f"data.{field}")


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        (price(), "invalid_field", "data.price_fen"),
        (price(price_fen=1), "invalid_field", "data.line_id"),
        (price(line_id="l1", postage_fen=0), "invalid_field", "data.line_id"),
        (price(line_id="l9", price_fen=1), "unknown_id", "data.line_id"),
    ],
)
def test_a_wish_that_is_not_clear_is_refused_at_its_field(wish: AdjustPrice, code: str, field: str) -> None:
    assert refused(PLACED, wish) == (code, field)


@pytest.mark.parametrize("grant", [None, "g1"])
def test_an_agent_changes_an_item_price_with_a_grant_and_no_grant_is_taken_on_trust(grant: str | None) -> None:
    wish = price(line_id="l1", price_fen=1, grant_id=grant)
    assert refused(PLACED, wish, "agent") == ("no_grant", "data.grant_id")
    assert asked(PLACED, wish, "owner")


def test_an_agent_changes_the_postage_without_a_grant() -> None:
    assert asked(PLACED, price(postage_fen=500), "agent")


# 关闭交易


def test_an_unpaid_order_is_closed_for_a_reason() -> None:
    assert asked(PLACED, close(reason=" 买家不想要了 "), "agent") == [
        ("close_order", {"order_id": "o1", "reason": "买家不想要了"})
    ]
    assert refused(PLACED, close(reason=" ")) == ("no_reason", "data.reason")


def test_one_line_of_several_is_closed_alone() -> None:
    assert asked(PLACED, close(line_ids=("l2", "l2"), reason="缺货")) == [
        ("close_order", {"order_id": "o1", "line_id": "l2", "reason": "缺货"})
    ]


def test_each_of_several_lines_is_an_action_of_its_own() -> None:
    order = replace(PLACED, line_ids=("l1", "l2", "l3"))
    wish = close(line_ids=("l3", "l1"), reason="缺货")
    assert [args["line_id"] for _, args in asked(order, wish)] == ["l3", "l1"]
    assert len(ids(decided(order, wish))) == 2


def test_all_lines_are_the_order() -> None:
    assert asked(PLACED, close(line_ids=("l2", "l1"), reason="缺货")) == [
        ("close_order", {"order_id": "o1", "reason": "缺货"})
    ]


@pytest.mark.parametrize("order", [PAID, SHIPPED, COMPLETED, ON_DELIVERY])
def test_an_order_that_is_paid_or_on_its_way_is_not_closed(order: OrderFacts) -> None:
    assert refused(order, close(reason="缺货"))[0] == "already_paid"


def test_a_closed_order_is_closed_already() -> None:
    assert decided(CLOSED, close(reason="缺货")) == []


@pytest.mark.parametrize("lines", [(), ("l1",)])
def test_a_presale_whose_deposit_is_paid_is_not_closed(lines: tuple[str, ...]) -> None:
    assert refused(DEPOSIT_PAID, close(line_ids=lines, reason="缺货"))[0] == "already_paid"


def test_a_line_that_the_order_has_not_is_refused_and_where_no_lines_are_known_the_platform_is_asked() -> None:
    wish = close(line_ids=("l9",), reason="缺货")
    assert refused(PLACED, wish) == ("unknown_id", "data.line_ids")
    assert asked(replace(PLACED, line_ids=()), wish)[0][1]["line_id"] == "l9"


# 延长收货时间


def test_a_shipped_orders_receipt_is_extended() -> None:
    days = POLICY.orders.extension_days
    assert asked(SHIPPED, extend(days), "agent") == [("extend_receipt", {"order_id": "o1", "days": days})]
    assert asked(ON_DELIVERY, extend(days), "agent")


@pytest.mark.parametrize(
    ("order", "code"),
    [(PLACED, "not_shipped"), (PAID, "not_shipped"), (COMPLETED, "completed"), (CLOSED, "completed")],
)
def test_only_what_is_shipped_and_not_over_is_extended(order: OrderFacts, code: str) -> None:
    assert refused(order, extend())[0] == code


@pytest.mark.parametrize("days", [0, -1, POLICY.orders.extension_days + 1])
def test_an_extension_is_a_day_at_least_and_at_most_what_the_policy_says(days: int) -> None:
    assert refused(SHIPPED, extend(days)) == ("invalid_field", "data.days")
