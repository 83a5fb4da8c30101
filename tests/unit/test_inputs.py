"""A subject that is not of the grammar: one service takes it, refuses it, and tells the sender that was meant."""

from datetime import UTC, datetime

import pytest

from schemas.subjects import inbox_partition, token
from services.chat_ingest.app import SERVICE as CHAT
from services.kernel.inputs import WHOLE, Item, decode_message
from services.kernel.reader import Message
from services.trade_ingest.app import SERVICE as TRADE

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def taken(place: str, payload: bytes = b"{}") -> dict[str, list[Item]]:
    """What each of the two services that read INBOX makes of `in.<place>`."""
    message = Message("INBOX", 7, f"inbox.3.{place}", NOW, payload)
    return {service.name: decode_message(message, service.sources) for service in (TRADE, CHAT)}


@pytest.mark.parametrize(
    ("place", "service", "source", "shop"),
    [
        ("canonical.店铺.trade", "trade_ingest", "canonical", "店铺"),
        ("canonical.店铺.chat", "chat_ingest", "canonical", "店铺"),
        ("csv.店铺.orders", "trade_ingest", "csv", "店铺"),
        ("canonical.s1.交易", "trade_ingest", "canonical", "s1"),
        ("淘宝.s1.trade", "trade_ingest", "淘宝", "s1"),
        ("淘宝.s1.chat", "chat_ingest", "淘宝", "s1"),
        ("canonical.=5bqX.trade", "trade_ingest", "canonical", "店"),
        ("canonical.=.trade", "trade_ingest", "canonical", "="),
        ("canonical.=!.trade", "trade_ingest", "canonical", "=!"),
        ("canonical.=AA.chat", "chat_ingest", "canonical", "=AA"),
        ("=.s1.trade", "trade_ingest", "=", "s1"),
    ],
)
@pytest.mark.parametrize("payload", [b"{}", b"[]", b"", b'{"format":"orders/1"}'])
def test_one_service_refuses_it_whatever_it_says_and_the_other_leaves_it(
    place: str, service: str, source: str, shop: str, payload: bytes
) -> None:
    found = taken(place, payload)
    (item,) = found.pop(service)
    assert list(found.values()) == [[]]
    assert (item.source, item.lane, item.part, item.aside) == (source, (shop, "-"), WHOLE, True)
    assert item.field == "subject"
    assert "店" not in item.reason


@pytest.mark.parametrize("shop", ["", "\0", "x" * 201])
def test_a_shop_that_no_event_may_have_is_refused_in_the_right_partition_too(shop: str) -> None:
    message = Message("INBOX", 7, f"inbox.{inbox_partition(shop)}.canonical.{token(shop)}.trade", NOW, b"{}")
    (item,) = decode_message(message, TRADE.sources)
    assert (item.field, item.lane[0]) == ("subject", token(shop)[:200])
    assert decode_message(message, CHAT.sources) == []


def test_a_token_longer_than_an_id_is_cut_to_one() -> None:
    (item,) = taken(f"canonical.{'店' * 300}.trade")["trade_ingest"]
    assert item.lane == ("店" * 200, "-")


def test_the_right_subject_of_that_shop_is_read() -> None:
    message = Message("INBOX", 7, f"inbox.{inbox_partition('店铺')}.canonical.=5bqX6ZO6.trade", NOW, b"{}")
    (item,) = decode_message(message, TRADE.sources)
    assert item.field != "subject"
