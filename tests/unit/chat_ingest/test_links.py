"""Links in messages: what a bare one stands for, and what one within a sentence is about."""

import pytest

from services.chat_ingest.sources.links import Card, card


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://item.taobao.com/item.htm?spm=a.1&id=745839201733", Card("product_card", None, "745839201733")),
        ("https://detail.tmall.com/item.htm?id=745839201733&skuId=51802", Card("product_card", None, "51802")),
        ("https://item.jd.com/10026084786191.html", Card("product_card", None, "10026084786191")),
        (
            "https://trade.taobao.com/trade/detail/trade_order_detail.htm?biz_order_id=4010123456789012345",
            Card("order_card", "4010123456789012345"),
        ),
        ("https://img.alicdn.com/imgextra/i1/O1CN01.jpg", Card("image")),
        ("https://img.alicdn.com/imgextra/i1/O1CN01.jpg_400x400.jpg?x=1", Card("image")),
        ("这个 https://item.taobao.com/item.htm?id=745839201733 有货吗", Card("text", None, "745839201733")),
        ("https://item.taobao.com/item.htm?id=1001有货吗", Card("text", None, "1001")),
        ("https://item.taobao.com/item.htm?id=1001 https://item.taobao.com/item.htm?id=1002", Card()),
        ("https://example.com/item.htm?id=745839201733", Card()),
        ("https://detail.tmall.com/", Card()),
        ("在吗", Card()),
        ("", Card()),
    ],
)
def test_a_link_stands_for_what_it_names_if_it_names_one(text: str, found: Card) -> None:
    assert card(text) == found
