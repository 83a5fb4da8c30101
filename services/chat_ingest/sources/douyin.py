"""`in.douyin.<shop>.chat`: messages of 飞鸽, one object or a list of them.

The shape of a shop's 飞鸽 message is not public. This is the smallest that a bridge has to push; names that the open
platform documents for its customer-service push (`msg_id`, `conversation_id`, `create_time`, `msg_type` text and image,
`content`, `pic_url`) are kept, `doudian_open_id` is that of the order detail (feeds.md), and the rest is ours:

    {"msg_id": 7494460928000411111, "create_time": 1744940173524, "doudian_open_id": "1@#...",
     "sender": "buyer", "agent_id": "小林", "msg_type": "text", "content": "在吗"}

- `sender`: buyer, agent, bot, or system: a line that nobody said, which is skipped
- `doudian_open_id`, or `nick`, under whose lane the message then lives
- `agent_id`: needed of an agent's message
- `create_time`: seconds or milliseconds; `content` may be the text or the JSON `{"text": ...}` in a string
- `msg_type`: text, image, file, order_card (with `order_id`), product_card (with `product_id`), and recall: then
  `msg_id` is the message that was taken back, if it is known
"""

from collections.abc import Iterable, Iterator
from typing import Any

from schemas.chat import MessageKind
from schemas.types import BuyerId, Id
from services.chat_ingest.facts import BOT, TakenBack
from services.chat_ingest.sources.message import KIND, Ids, Message, clean, fact, nick_lane
from services.kernel.fields import Fields, Unreadable, messages, told
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact

RECALL = "recall"
SYSTEM = "system"

_SENDERS = {name: name for name in ("buyer", "agent", BOT, SYSTEM)}
_KINDS: dict[str, MessageKind | None] = {
    "text": None,
    "image": "image",
    "file": "file",
    "order_card": "order_card",
    "product_card": "product_card",
}


def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    if raw.kind != KIND:
        return
    try:
        said = messages(raw)
    except Unreadable as error:
        yield Refused(str(error), error.field)
        return
    ids = Ids(raw.shop)
    for one in said:
        yield from told(lambda one=one: _facts(raw, one, ids))


def _facts(raw: RawFact, said: Fields, ids: Ids) -> Iterator[Fact[Any]]:
    sender = said.must("sender", said.choice("sender", _SENDERS))
    if sender == SYSTEM:
        return
    by_shop = sender != "buyer"
    buyer, time = _buyer(raw, said), said.must("create_time", said.epoch("create_time"))
    if said.text("msg_type") == RECALL:
        taken = TakenBack(channel="feige", message_id=said.id("msg_id"), by="shop" if by_shop else "buyer")
        yield Fact(data=taken, shop=raw.shop, buyer=buyer, time=time)
        return
    if said.must("msg_type", said.text("msg_type")) not in _KINDS:
        raise said.wrong("msg_type", "not one of the values that are known here")
    message = Message(
        buyer=buyer,
        by_shop=by_shop,
        time=time,
        text=_text(said) or said.long_text("pic_url") or "",
        agent=BOT if sender == BOT else said.text("agent_id") or "",
        message_id=said.id("msg_id") or "",
        kind=_KINDS[said.must("msg_type", said.text("msg_type"))],
        order_id=said.id("order_id"),
        sku=said.id("product_id"),
    )
    yield fact(raw, "feige", message, ids)


def _buyer(raw: RawFact, said: Fields) -> str:
    if known := said.id("doudian_open_id", BuyerId):
        return clean(known, Id, said.path("doudian_open_id"))
    return nick_lane(raw, said.must("doudian_open_id", said.text("nick")), said.path("nick"))


def _text(said: Fields) -> str | None:
    """`{"text": ...}` in a string, or the text itself."""
    try:
        inner = said.object("content")
        return inner.long_text("text") if inner and "text" in inner else said.long_text("content")
    except Unreadable:
        return said.long_text("content")
