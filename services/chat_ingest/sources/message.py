"""What the chat feeds share: a message as they tell it, whose it is, and its id where the platform gives none.

**Ids.** Chat logs and records have no message ids: one is derived from shop, buyer, speaker, time, text and ordinal, so
that a message that is told again is known (domain.md 3). The ordinal counts equal messages (same speaker, second and
text) within one page or file: a second import, a repeated page and a file that repeats a page add nothing, and the same
text said twice in one second is two messages. Its limit: two pages or files that overlap must both hold all of the
equal messages of a second or none of them; where a page ends between two equal ones, the second of them is lost.
"""

import hashlib
from collections import Counter
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas.chat import MessageKind
from schemas.types import Id, Text
from services.chat_ingest.facts import BOT, MAIN, BuyerWrote, ChatChannel, ShopWrote
from services.chat_ingest.sources import links
from services.kernel.fields import Unreadable, is_masked
from services.kernel.inputs import RawFact
from services.kernel.process import Fact

KIND = "chat"

ROBOTS = frozenset({"服务助手", "店小蜜"})
"""Sub-accounts under which Taobao's robot 店小蜜 speaks; they are no person's."""


class Message(Struct, frozen=True, kw_only=True):
    """One message as a feed tells it. buyer: the lane. agent: who of the shop spoke or was spoken to; empty: not told.

    message_id: the platform's; empty: it gives none. kind: empty where the feed does not say: then it is a text,
    unless it is nothing but a link (links.py).
    """

    buyer: str
    by_shop: bool
    time: datetime
    text: str
    agent: str = ""
    message_id: str = ""
    kind: MessageKind | None = None
    order_id: str | None = None
    sku: str | None = None
    auto: bool = False
    offline: bool = False


class Ids:
    """The derived ids of one page or file of a shop."""

    def __init__(self, shop: str) -> None:
        self._shop = shop
        self._equal = Counter[tuple[str, ...]]()

    def derived(self, message: Message) -> str:
        """The id of the next message; nothing can be read out of it."""
        speaker = "shop" if message.by_shop else "buyer"
        parts = (self._shop, message.buyer, speaker, message.time.isoformat(), message.text)
        ordinal = self._equal[parts]
        self._equal[parts] += 1
        return "d-" + hashlib.sha256("\x1f".join((*parts, str(ordinal))).encode()).hexdigest()[:32]


def fact(raw: RawFact, channel: ChatChannel, message: Message, ids: Ids) -> Fact[Any]:
    """Raises Unreadable where the message does not fit the contract."""
    text = clean(message.text.strip(), Text, "text")
    message = replace(message, text=text)
    card = links.card(text) if message.kind is None else links.Card(message.kind, message.order_id, message.sku)
    message_id = clean(message.message_id, Id, "message_id") if message.message_id else ids.derived(message)
    agent = clean(message.agent, Id, "agent_id") if message.agent else None
    if message.by_shop:
        if agent is None:
            raise Unreadable("missing: who of the shop said it", "agent_id")
        auto = message.auto or agent == BOT
        said: Any = ShopWrote(
            channel=channel, message_id=message_id, kind=card.kind, text=text, agent_id=agent, auto=auto
        )
    else:
        said = BuyerWrote(
            channel=channel,
            message_id=message_id,
            kind=card.kind,
            text=text,
            agent_id=agent,
            order_id=clean(order_id, Id, "order_id") if (order_id := message.order_id or card.order_id) else None,
            sku=clean(sku, Id, "sku") if (sku := message.sku or card.sku) else None,
            offline=message.offline,
        )
    return Fact(data=said, shop=raw.shop, buyer=message.buyer, time=message.time)


def nick_lane(raw: RawFact, nick: str, field: str) -> str:
    """The buyer id of a nick. Raises Unreadable for a masked one, which is nobody's (feeds.md, trap 6)."""
    if is_masked(nick):
        raise Unreadable("a masked nick, which names nobody", field)
    return raw.keys.nick_lane(raw.shop, clean(nick.strip(), Id, field))


def agent_of(account: str, main_account: str) -> str | None:
    """The agent of a sub-account `main:agent`, or of the main account; None: an account of somebody else.

    A full-width colon is one too.
    """
    if account == main_account:
        return MAIN
    rest = account.removeprefix(main_account)
    if rest == account or rest[:1] not in (":", "："):
        return None
    name = rest[1:].strip()
    return BOT if name in ROBOTS else name or MAIN


def clean(text: str, type: Any, field: str) -> str:
    """A text that can be stored and published, within the limits of a type of schemas.types. Raises Unreadable."""
    if "\0" in text:
        raise Unreadable("a NUL character", field)
    try:
        text.encode()
        return msgspec.convert(text, type)
    except UnicodeEncodeError:
        raise Unreadable("half of a surrogate pair, which is no Unicode text", field) from None
    except msgspec.ValidationError as error:
        raise Unreadable(str(error).partition(" - at")[0], field) from None
