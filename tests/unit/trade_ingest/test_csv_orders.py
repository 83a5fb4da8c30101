"""Orders of an export: what a record states, and what it does not state because a cell of it cannot be read."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.order import OrderClosed, OrderCompleted, OrderLine, OrderPaid, OrderPlaced, OrderShipped, OrderSigned
from schemas.review import ReviewPosted
from services.kernel.inputs import Refused
from services.trade_ingest.exports.cells import reads_times
from services.trade_ingest.sources.csv_orders import rating
from tests.unit.trade_ingest.rows import ORDER_ID, data_of, line, order, payment, record, review, row, told, types

LIFE = ["order.placed", "order.paid", "order.shipped", "order.signed", "order.completed", "review.posted"]
SECRET = "张三13812341234"


def refusal(payload: Any) -> Refused:
    _, (found,) = told(payload)
    return found


def test_an_order_states_its_life_in_utc_in_the_order_in_which_it_happened() -> None:
    facts, refused = told(record())
    assert refused == []
    assert [(fact.data, fact.time) for fact in facts] == [
        (
            OrderPlaced(
                order_id=ORDER_ID,
                platform="taobao",
                shop_kind="c_shop",
                lines=(OrderLine(line_id="1", sku="K1", title="", quantity=2, price_fen=2980),),
                total_fen=6460,
                postage_fen=500,
            ),
            datetime(2026, 3, 2, 2, tzinfo=UTC),
        ),
        (OrderPaid(order_id=ORDER_ID, paid_fen=6460), datetime(2026, 3, 2, 2, 5, tzinfo=UTC)),
        (
            OrderShipped(order_id=ORDER_ID, parcel_id=ORDER_ID, carrier="中通", waybill=ORDER_ID),
            datetime(2026, 3, 2, 12, tzinfo=UTC),
        ),
        (OrderSigned(order_id=ORDER_ID, parcel_id=ORDER_ID, by="self"), datetime(2026, 3, 5, 4, tzinfo=UTC)),
        (OrderCompleted(order_id=ORDER_ID, cause="buyer"), datetime(2026, 3, 6, 4, tzinfo=UTC)),
        (
            ReviewPosted(review_id="v1", order_id=ORDER_ID, rating="good", score=5, text="很好"),
            datetime(2026, 3, 7, 1, tzinfo=UTC),
        ),
    ]
    assert {(fact.shop, fact.buyer) for fact in facts} == {("s1", "b1")}


def test_facts_of_one_instant_come_in_the_order_of_an_orders_life() -> None:
    instant = dict.fromkeys(("placed", "paid", "shipped", "signed", "completed"), "2026-03-07 09:00:00")
    facts, _ = told(record(order(**instant)))
    assert types(facts) == LIFE


def test_an_order_that_is_closed_without_a_time_was_closed_at_its_last_known_time() -> None:
    facts, _ = told(record(order(status="交易关闭", shipped="", signed="", completed="")))
    closed = facts[types(facts).index("order.closed")]
    assert closed.data == OrderClosed(order_id=ORDER_ID, reason="买家不想要了", paid=True)
    assert closed.time == datetime(2026, 3, 2, 2, 5, tzinfo=UTC)
    assert types(facts) == ["order.placed", "order.paid", "order.closed", "review.posted"]


def test_an_order_closed_before_it_was_paid_says_so() -> None:
    never = {"status": "交易关闭", "paid": "", "shipped": "", "signed": "", "completed": ""}
    facts, _ = told(record(order(**never, closed="2026-03-03 10:00:00")))
    assert not data_of(facts, "order.closed").paid
    assert facts[-2].time == datetime(2026, 3, 3, 2, tzinfo=UTC)


def test_a_status_that_the_rules_do_not_name_is_refused_not_guessed() -> None:
    facts, (refused,) = told(record(order(status=SECRET)))
    assert types(facts) == LIFE
    assert (refused.place, refused.field) == ("orders.csv row 17", "status")
    assert "order.closed" in refused.reason


@pytest.mark.parametrize(("stars", "means"), [(1, "bad"), (2, "bad"), (3, "neutral"), (4, "good"), (5, "good")])
def test_one_and_two_stars_are_bad_three_neutral_four_and_five_good(stars: int, means: str) -> None:
    assert rating(stars) == means
    facts, _ = told(record(reviews=[review(score=str(stars))]))
    assert data_of(facts, "review.posted").rating == means


def test_the_title_of_a_review_is_part_of_its_text_and_no_text_is_none() -> None:
    facts, _ = told(record(reviews=[review(title="一般", text="色差大"), review(review_id="v2", text="")]))
    assert [fact.data.text for fact in facts if fact.data.TYPE == "review.posted"] == ["一般\n色差大", None]


@pytest.mark.parametrize(
    ("changes", "tables", "total", "paid"),
    [
        ({"total": "60", "postage": "0.4", "payment": "59.9"}, {}, 6000, 5990),
        ({}, {"lines": [line(), line(line_id="2", price="0.20", postage="")]}, 6500, 6460),
        ({}, {"payments": [payment(), payment(amount="1")]}, 6460, 6560),
        ({}, {"payments": []}, 6460, 6460),
        ({}, {"lines": []}, 6460, 6460),
        ({}, {"lines": [], "payments": []}, 0, 0),
    ],
)
def test_what_an_order_does_not_say_of_its_money_is_summed_from_its_rows(
    changes: dict[str, str], tables: dict[str, Any], total: int, paid: int
) -> None:
    facts, refused = told(record(order(**changes), **tables))
    assert refused == []
    assert data_of(facts, "order.placed").total_fen == total
    assert data_of(facts, "order.paid").paid_fen == paid


def test_money_in_fen_is_a_whole_number() -> None:
    rules = {"money": "fen"}
    tables = {"lines": [line(price="2980", postage="0500")], "payments": [payment(amount="6460")]}
    facts, refused = told(record(rules=rules, **tables))
    assert (refused, data_of(facts, "order.placed").total_fen) == ([], 6460)
    assert "no amount in fen" in told(record(rules=rules))[1][0].reason


@given(st.integers(0, 2**53 - 1))
def test_yuan_become_fen_exactly(fen: int) -> None:
    facts, _ = told(record(order(payment=f"{fen // 100}.{fen % 100:02}")))
    assert data_of(facts, "order.paid").paid_fen == fen


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("29.805", "more than two decimals"),
        ("29.800", "more than two decimals"),
        ("-0.01", "negative"),
        ("NaN", "no amount"),
        ("Infinity", "no amount"),
        ("1e3", "no amount"),
        ("1,234.50", "no amount"),
        ("29.", "no amount"),
        ("¥29.80", "no amount"),
        ("２９", "no amount"),
        ("99999999999999.99", "<="),
        ("", "missing"),
    ],
)
def test_an_amount_that_is_none_is_refused_with_its_row_and_holds_back_what_it_is_part_of(cell: str, why: str) -> None:
    facts, (refused,) = told(record(lines=[line(), line(32, price=cell)]))
    assert (refused.place, refused.field) == ("order_items.csv row 32", "price")
    assert why in refused.reason
    assert refused.reason.endswith("not stated: order.placed")
    assert types(facts) == LIFE[1:]


def test_every_wrong_row_of_an_order_is_refused_not_only_the_first() -> None:
    _, refused = told(record(lines=[line(31, price="x"), line(32), line(33, quantity="0")]))
    assert [one.place for one in refused] == ["order_items.csv row 31", "order_items.csv row 33"]


def test_a_wrong_payment_holds_back_the_paying_alone() -> None:
    facts, (refused,) = told(record(payments=[payment(), payment(42, amount="-1")]))
    assert (refused.place, refused.field) == ("order_payments.csv row 42", "amount")
    assert types(facts) == [LIFE[0], *LIFE[2:]]


def test_a_bad_review_does_not_hold_up_its_order() -> None:
    facts, (refused,) = told(record(reviews=[review(51, score="6"), review(52, review_id="v2")]))
    assert (refused.place, refused.field) == ("order_reviews.csv row 51", "score")
    assert types(facts) == LIFE


@pytest.mark.parametrize("column", ["placed", "paid", "shipped", "signed", "completed"])
@pytest.mark.parametrize(
    "cell",
    ["yesterday", "2026-13-02 10:00:00", "02.03.2026", "0001-01-01 00:00:00", "1970-01-01 00:00:00", "2099-01-01", "1"],
)
def test_a_wrong_date_refuses_the_fact_of_that_column_alone(column: str, cell: str) -> None:
    facts, (refused,) = told(record(order(**{column: cell})))
    assert (refused.place, refused.field) == ("orders.csv row 17", column)
    assert types(facts) == [kind for kind in LIFE if kind != f"order.{column}"]


def test_a_wrong_date_also_holds_back_a_closing_whose_time_would_follow_from_it() -> None:
    facts, (refused,) = told(record(order(status="交易关闭", signed="soon")))
    assert refused.reason.endswith("not stated: order.signed, order.closed")
    assert "order.closed" not in types(facts)


def test_an_order_without_a_time_of_placing_is_refused_there() -> None:
    assert (refusal(record(order(placed=""))).field) == "placed"


def test_what_is_null_by_the_rules_states_nothing() -> None:
    rules = {"nulls": ["", "NULL", "0000-00-00 00:00:00"]}
    facts, refused = told(record(order(paid="NULL", shipped="0000-00-00 00:00:00", signed=" "), rules=rules))
    assert (types(facts), refused) == (["order.placed", "order.completed", "review.posted"], [])


def test_a_time_without_an_offset_is_the_zones_and_one_with_an_offset_its_own() -> None:
    facts, _ = told(record(order(paid="2026-03-02T10:05:00+00:00"), rules={"time_zone": "America/Sao_Paulo"}))
    assert facts[0].time == datetime(2026, 3, 2, 10, 5, tzinfo=UTC)
    assert facts[1].time == datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def test_times_are_read_in_the_format_of_the_rules() -> None:
    rules = {"time_format": "%Y/%m/%d %H:%M"}
    facts, refused = told(record(order(placed="2026/3/2 10:00"), rules=rules))
    assert facts[0].time == datetime(2026, 3, 2, 2, tzinfo=UTC)
    assert {one.field for one in refused} == {"paid", "shipped", "signed", "completed", "posted"}


@pytest.mark.parametrize("written", [f'="{ORDER_ID}"', f"'{ORDER_ID}", f" {ORDER_ID}\t"])
def test_an_id_is_kept_digit_for_digit_without_what_spreadsheets_put_around_it(written: str) -> None:
    facts, _ = told(record(order(order_id=written)))
    assert {fact.data.order_id for fact in facts} == {ORDER_ID}


@pytest.mark.parametrize(
    ("cell", "why"), [("", "missing"), ("4.61169E+18", "digits are lost"), ("x" * 201, "length"), ("a\0b", "NUL")]
)
def test_without_an_id_nothing_of_the_row_is_stated(cell: str, why: str) -> None:
    facts, (refused,) = told(record(order(order_id=cell), lines=[], payments=[], reviews=[]))
    assert facts == []
    assert (refused.place, refused.field) == ("orders.csv row 17", "order_id")
    assert why in refused.reason


@pytest.mark.parametrize("table", ["lines", "payments", "reviews"])
@pytest.mark.parametrize(("order_id", "why"), [("", "missing"), ("o9", "no order of this export")])
def test_a_row_that_belongs_to_no_order_is_refused_with_its_place(table: str, order_id: str, why: str) -> None:
    alone = {"format": "orders/1", "rules": record()["rules"], table: [row("f.csv", 9, {"order_id": order_id})]}
    facts, (refused,) = told(alone)
    assert facts == []
    assert (refused.place, refused.field) == ("f.csv row 9", "order_id")
    assert why in refused.reason


def test_a_buyer_may_come_from_a_file_of_buyers() -> None:
    known = order(buyer_id="", buyer_key="k1")
    facts, _ = told(record(known, buyers=[row("customers.csv", 5, {"buyer_key": "k1", "buyer_id": "b7"})]))
    assert {fact.buyer for fact in facts} == {"b7"}
    two = [row("customers.csv", n, {"buyer_key": "k1", "buyer_id": f"b{n}"}) for n in (5, 6)]
    assert told(record(known, buyers=two))[0] == []
    assert refusal(record(known, buyers=two)).field == "buyer_key"
    assert refusal(record(known)).field == "buyer_key"


@pytest.mark.parametrize("buyer", ["", "-", "x" * 201])
def test_an_order_without_a_buyer_states_nothing(buyer: str) -> None:
    facts, (refused,) = told(record(order(buyer_id=buyer)))
    assert (facts, refused.field) == ([], "buyer_id")
    assert refused.reason.endswith(", ".join(LIFE))


def test_a_second_row_of_an_order_is_refused_if_it_says_otherwise() -> None:
    facts, refused = told(record(order(17), order(18)))
    assert (types(facts), refused) == (LIFE, [])
    facts, (other,) = told(record(order(17), order(18, paid="2026-03-02 11:00:00")))
    assert (types(facts), other.place) == (LIFE, "orders.csv row 18")


def test_a_damaged_row_is_refused_as_a_whole() -> None:
    facts, (refused,) = told(record(reviews=[review() | {"fault": "width", "cells": 3, "header": 7}]))
    assert types(facts) == LIFE[:-1]
    assert (refused.place, refused.field) == ("order_reviews.csv row 51", "")
    assert refused.reason.startswith("row: a row of 3 cells under a header of 7;")


def test_a_refusal_quotes_nothing_that_the_sender_may_write_freely() -> None:
    assert refusal(record(reviews=[review() | {"fault": SECRET}])).field.endswith("fault")
    form = f"{SECRET} %Y-%m-%d %H:%M"
    sent = [
        record(reviews=[review() | {"fault": SECRET}]),
        record(reviews=[review() | {"file": f"{SECRET}/a\nb"}]),
        record(order(placed="?"), rules={"time_format": form}),
        record(rules={"time_format": f"{form} %d"}),
    ]
    for payload in sent:
        _, refusals = told(payload)
        assert refusals
        assert SECRET not in " ".join(f"{one.reason} {one.place} {one.field}" for one in refusals)


@pytest.mark.parametrize("file", ["订单导出 (2)_2026-03.csv", "订单（1）.csv", "f" * 100])
def test_a_plain_file_name_is_a_place(file: str) -> None:
    assert told(record(reviews=[review(score="x") | {"file": file}]))[1][0].place == f"{file} row 51"


@pytest.mark.parametrize("file", ["", "a/b.csv", "a.csv\n", "tel: 1.csv", "f" * 101])
def test_any_other_file_name_is_refused(file: str) -> None:
    assert refusal(record(reviews=[review() | {"file": file}])).field.endswith("file")


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M", "%d.%m.%y %H.%M.%S", "%Y-%m-%dT%H:%M:%S%z", ""])
def test_a_time_format_with_day_hour_and_minute_is_taken(form: str) -> None:
    assert reads_times(form)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (b"", ""),
        (b"[]", ""),
        (record() | {"format": "orders/2"}, "format"),
        (record(rules={"platform": SECRET}), "rules.platform"),
        (record(rules={"time_zone": SECRET}), "rules.time_zone"),
        (record(rules={"time_zone": "../x"}), "rules.time_zone"),
        (record(rules={"time_format": "%Y-%m-%d %d %H:%M"}), "rules.time_format"),
        (record(rules={"time_format": "%Y %"}), "rules.time_format"),
        (record(rules={"money": "dollar"}), "rules.money"),
        ({"format": "orders/1"}, "rules"),
        (record(lines=[{"file": "f.csv", "row": 2}]), "lines[].fields"),
    ],
)
def test_what_is_no_record_is_refused_with_its_field(payload: Any, field: str) -> None:
    found = refusal(payload)
    assert SECRET not in found.reason
    assert found.field.endswith(field.partition("[]")[2] or field)


def test_other_kinds_of_this_source_are_refused_and_chats_left_to_chat_ingest() -> None:
    assert told(record(), kind="chat") == ([], [])
    _, (refused,) = told(record(), kind="parcels")
    assert refused.field == "kind"


@given(
    st.sampled_from([("orders", name) for name in order()["fields"]] + [("lines", n) for n in line()["fields"]]
    + [("payments", n) for n in payment()["fields"]] + [("reviews", n) for n in review()["fields"]]),
    st.text(max_size=40),
)  # fmt: skip
def test_whatever_a_cell_holds_the_record_is_read_and_a_refusal_has_a_place_and_no_text(
    where: tuple[str, str], cell: str
) -> None:
    table, field = where
    whole = record()
    whole[table][0]["fields"] = whole[table][0]["fields"] | {field: f"{SECRET}{cell}"}
    _, refused = told(whole)
    for one in refused:
        assert ".csv row " in one.place
        assert one.reason.startswith(f"{one.field}: "), "what stands before the colon is a label of metrics and logs"
        assert SECRET not in one.reason + one.field + one.place
