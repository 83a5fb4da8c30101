"""Which events `carebus tail` shows: types, and a place."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from schemas import subjects
from schemas.catalogue import EVENTS
from schemas.codec import entity
from services.kernel.reader import Message

ENTITIES = tuple(dict.fromkeys(map(entity, EVENTS)))


class FilterError(ValueError):
    """A filter that names nothing; the text says which and what there is."""


class EventFilter(Struct, frozen=True):
    """names: types (`order.paid`) and entities (`order`); empty: every event. shop, buyer: empty: every one."""

    names: frozenset[str] = frozenset()
    shop: str = ""
    buyer: str = ""

    @property
    def subject(self) -> str:
        """One NATS filter that lets through all that is wanted, and as little else as one can."""
        entities = {entity(name) for name in self.names}
        only = subjects.token(*entities) if len(entities) == 1 else "*"
        if self.buyer:
            return subjects.lane_filter(self.shop, self.buyer).replace(">", only)
        if self.shop:
            return subjects.shop_filter(self.shop).replace(">", f"*.{only}")
        return f"evt.*.*.*.{only}"

    def takes(self, message: Message) -> bool:
        """Whether a stored message is wanted; one that cannot be read has a place and an entity, but no type."""
        try:
            place = subjects.parse_event(message.subject)
        except subjects.SubjectError:
            return self == EventFilter()
        if (self.shop and place.shop != self.shop) or (self.buyer and place.buyer != self.buyer):
            return False
        if not self.names or place.entity in self.names:
            return True
        return _type(message.payload) in self.names


class _Typed(Struct):
    type: str


_typed = msgspec.json.Decoder(_Typed).decode


def _type(payload: bytes) -> str:
    try:
        return _typed(payload).type
    except (msgspec.MsgspecError, RecursionError):
        return ""


def parse_filter(words: Sequence[str]) -> EventFilter:
    """The filter in these words: `order`, `order.paid`, `shop/`, `shop/buyer`. Raises FilterError."""
    places = [word for word in words if "/" in word]
    names = frozenset(word for word in words if "/" not in word)
    for name in sorted(names - EVENTS.keys() - set(ENTITIES)):
        known = [event for event in EVENTS if entity(event) == entity(name)] or ENTITIES
        raise FilterError(f"{name!r} is no event type or entity; there are {', '.join(known)}. A shop is written SHOP/")
    if len(places) > 1:
        raise FilterError(f"{', '.join(places)}: give one place at most, SHOP/ or SHOP/BUYER")
    shop, _, buyer = places[0].partition("/") if places else ("", "", "")
    if places and not shop:
        raise FilterError(f"{places[0]!r} names no shop: write SHOP/ or SHOP/BUYER")
    return EventFilter(names, shop, buyer)
