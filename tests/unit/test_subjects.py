"""Subjects: an id becomes one clean token and back; lanes, partitions and filters follow from it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import subjects
from schemas.subjects import NO_BUYER, PARTITIONS, EventSubject, InboxSubject, SubjectError

AWKWARD = ["", "张三", "a.b", "a b", "*", ">", "=", "=YQ", "-", "\u3000", "😀" * 200, "x" * 200, "\0", "a\nb"]
ids = st.text(max_size=200) | st.sampled_from(AWKWARD)


@given(ids)
def test_an_id_becomes_one_clean_token_and_reads_back_exactly(identifier: str):
    token = subjects.token(identifier)
    assert re.fullmatch(r"=?[A-Za-z0-9_-]*", token)
    assert token
    assert subjects.untoken(token) == identifier


@given(ids, ids)
def test_different_ids_have_different_tokens(one: str, other: str):
    assert (subjects.token(one) == subjects.token(other)) == (one == other)


def test_a_clean_id_is_its_own_token_so_that_subjects_can_be_read():
    assert subjects.token("AAFX-1x2y_3z") == "AAFX-1x2y_3z"
    assert subjects.token(NO_BUYER) == NO_BUYER


def test_the_longest_ids_fit_the_servers_control_line_of_4096_bytes():
    assert len(subjects.event("😀" * 200, "😀" * 200, "order")) < 4096 - 1000


@pytest.mark.parametrize("text", ["", "a.b", "张", "*", "=YW", "=YWI=", "=YR", "=_w", "=YWJj", "=é", "=Y W I"])
def test_a_token_that_is_never_written_is_refused(text: str):
    with pytest.raises(SubjectError):
        subjects.untoken(text)


def test_a_lone_surrogate_is_no_id():
    with pytest.raises(SubjectError, match="no Unicode text"):
        subjects.token("\ud800")


@given(ids, ids, st.sampled_from(["order", "chat"]))
def test_an_event_subject_reads_back_as_its_lane_and_entity(shop: str, buyer: str, entity: str):
    parsed = subjects.parse_event(subjects.event(shop, buyer, entity))
    assert parsed == EventSubject(subjects.partition(shop, buyer), shop, buyer, entity)
    assert 0 <= parsed.partition < PARTITIONS


@given(ids, ids, ids)
def test_an_inbox_subject_reads_back_as_what_was_published(source: str, shop: str, kind: str):
    stored = subjects.raw(source, shop, kind).replace("in.", f"inbox.{subjects.inbox_partition(shop)}.", 1)
    assert subjects.parse_inbox(stored) == InboxSubject(subjects.inbox_partition(shop), source, shop, kind)


@pytest.mark.parametrize(
    "subject",
    ["", "evt", "evt.0.s.b", "evt.0.s.b.order.x", "in.0.s.b.order", "evt.16.s.b.order", "evt.-1.s.b.order",
     "evt.０.s.b.order", "evt.x.s.b.order", f"evt.{'9' * 5000}.s.b.order", "evt.0.s..order"],
    ids=lambda subject: subject[:20],
)  # fmt: skip
def test_a_subject_of_another_form_is_refused(subject: str):
    with pytest.raises(SubjectError):
        subjects.parse_event(subject)


def test_a_partition_with_a_leading_zero_is_refused():
    right = subjects.event("shop-1", "buyer-1", "order")
    number = subjects.partition("shop-1", "buyer-1")
    with pytest.raises(SubjectError):
        subjects.parse_event(right.replace(f".{number}.", f".0{number}.", 1))


def test_an_event_in_another_partition_than_its_lanes_is_refused():
    number = subjects.partition("shop-1", "buyer-1")
    wrong = subjects.event("shop-1", "buyer-1", "order").replace(f".{number}.", f".{(number + 1) % 16}.", 1)
    with pytest.raises(SubjectError, match=f"belongs to partition {number}"):
        subjects.parse_event(wrong)


def test_an_inbox_message_in_another_partition_than_its_shops_is_refused():
    number = subjects.inbox_partition("shop-1")
    with pytest.raises(SubjectError, match=f"belongs to partition {number}"):
        subjects.parse_inbox(f"inbox.{(number + 1) % 16}.taobao.shop-1.trade")


def test_the_hash_is_fnv_1a_32():
    assert subjects._fnv1a32(b"") == 0x811C9DC5
    assert subjects._fnv1a32(b"foobar") == 0xBF9CF968


def test_a_lane_filter_is_the_lanes_subject_with_any_entity():
    subject = subjects.event("店", "b.1", "order")
    assert subjects.lane_filter("店", "b.1") == subject.removesuffix("order") + ">"


def test_filters_of_shops_and_partitions():
    assert subjects.shop_filter("shop-1") == "evt.*.shop-1.>"
    assert subjects.partition_filter("inbox", {11}) == "inbox.11.>"
    assert subjects.partition_filter("inbox", {11, 2}) == "inbox.>"


def test_the_other_subjects():
    assert subjects.raw("taobao", "店", "trade") == "in.taobao.=5bqX.trade"
    assert subjects.command("trade_ingest", "close_order") == "cmd.trade_ingest.close_order"
    assert subjects.query("chat_history", "by_buyer") == "query.chat_history.by_buyer"
    assert subjects.notice("taobao", "shop-1") == "notice.taobao.shop-1"
    assert subjects.desk("shop-1", "agent") == "desk.shop-1.agent"
