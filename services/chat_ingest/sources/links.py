"""Links in a message: to an item (商品), an order (订单) or a picture, by which a bare link is the card it stands for.

A message that is nothing but one link is a card or an image. A link within a sentence leaves it a text, but the order
or product that it names is kept, if it names exactly one: what is asked stays readable as a question, and what it is
about is known. Links to anything else, and of other shapes, say nothing here.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from schemas.chat import MessageKind

_LINK = re.compile(r"https?://[\w\-.~:/?#@!$&'()*+,;=%]+", re.ASCII)
_ITEM = re.compile(r"(?:item\.taobao|detail\.tmall|item\.jd|item\.m\.jd|a\.m\.taobao|h5\.m\.taobao)\.", re.ASCII)
_ORDER = re.compile(r"(?:trade\.taobao|buyertrade\.taobao|trade\.tmall|details\.jd|order\.jd)\.", re.ASCII)
_SKU = re.compile(r"[?&]sku_?id=([0-9]{4,20})(?![0-9])", re.ASCII | re.IGNORECASE)
_ITEM_ID = re.compile(r"(?:[?&](?:id|item_?id|num_iid)=|/(?:product/)?)([0-9]{4,20})(?:\.html?)?(?=[&#?/]|$)", re.ASCII)
_ORDER_ID = re.compile(
    r"[?&](?:biz_?order_?id|trade_?id|tid|order_?id)=([0-9]{4,20})(?![0-9])", re.ASCII | re.IGNORECASE
)
_PICTURE = re.compile(r"\.(?:jpe?g|png|gif|webp|bmp)(?:[?#_].*)?$", re.ASCII | re.IGNORECASE)


class Card(Struct, frozen=True):
    """What a message is and what it is about."""

    kind: MessageKind = "text"
    order_id: str | None = None
    sku: str | None = None


def card(text: str) -> Card:
    found = [match[0] for match in _LINK.finditer(text)]
    order = _only([id for link in found if (id := _order(link))])
    sku = _only([id for link in found if (id := _sku(link))])
    return Card(_kind(text, found, order, sku), order, sku)


def _kind(text: str, found: Sequence[str], order: str | None, sku: str | None) -> MessageKind:
    if len(found) != 1 or found[0] != text.strip():
        return "text"
    if order:
        return "order_card"
    if sku:
        return "product_card"
    return "image" if _PICTURE.search(found[0]) else "text"


def _order(link: str) -> str | None:
    return match[1] if _ORDER.search(link) and (match := _ORDER_ID.search(link)) else None


def _sku(link: str) -> str | None:
    """The stock unit where the link says it, else the item."""
    if not _ITEM.search(link):
        return None
    match = _SKU.search(link) or _ITEM_ID.search(link)
    return match[1] if match else None


def _only(ids: Sequence[str]) -> str | None:
    return ids[0] if len(set(ids)) == 1 else None
