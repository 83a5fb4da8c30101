"""Buyers: a nick and an open id that one message names are one buyer, told once (domain.md 1, Linking).

The story of an alias (the digest of a nick). A nick changes hands: each open id that it was seen with is linked, and
the evidence is the order that names both.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.buyer import BuyerLinked
from schemas.envelope import Event
from services.kernel.policy import Policy
from services.kernel.process import Cause, Emit, Fact
from services.trade_ingest.stated import Owner

VERSION = 1
INBOX = True


class Buyers(Struct, frozen=True):
    """open_ids: those that this alias is linked with."""

    open_ids: tuple[str, ...] = ()


State = Buyers


def key(item: Event[Any] | Fact[Any]) -> str | None:
    match item.data:
        case Owner(alias=alias) if alias:
            return alias
        case BuyerLinked(alias_kind="nick"):
            return item.data.alias_digest
        case _:
            return None


def evolve(buyers: Buyers, item: Event[Any] | Fact[Any]) -> Buyers:
    match item.data:
        case BuyerLinked(open_id=open_id):
            return Buyers((*buyers.open_ids, open_id))
        case _:
            return buyers


def decide(buyers: Buyers, cause: Cause, now: datetime, policy: Policy) -> Iterable[Emit]:
    match cause:
        case Fact(data=Owner() as owner) if owner.open_id not in buyers.open_ids:
            linked = BuyerLinked(
                alias_kind="nick",
                alias_digest=owner.alias,
                open_id=owner.open_id,
                evidence=f"order {owner.order_id}",
            )
            yield Emit(data=linked, buyer=owner.open_id, time=cause.time)
        case _:
            return


def due(buyers: Buyers, policy: Policy) -> datetime | None:
    """A link holds for ever; whoever doubts it undoes it (`unlink_buyer`)."""
    return None
