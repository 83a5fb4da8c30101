"""What comes into a story: events, facts and commands in few words, with everything that does not matter filled in."""

from datetime import UTC, datetime, time
from typing import Any

from msgspec import Struct

from schemas.envelope import Actor, Command, Event
from schemas.subjects import NO_BUYER
from schemas.types import Role
from services.kernel.process import Fact
from services.replay.telling import DAY

SHOP = "s1"
BUYER = "b1"
BEGINNING = "10:00:00"
"""When something happens of which nothing says when."""

When = datetime | str


class Wish(Struct, frozen=True, kw_only=True):
    """A command on its way to the story of `key`; without a key, to that buyer's, or to the only one there is."""

    command: Command[Any]
    key: str = ""
    buyer: str = ""
    at: datetime | None = None


def at(when: When) -> datetime:
    """`"10:00:20"` as an instant of DAY, in UTC unless it says another offset. Raises ValueError."""
    if isinstance(when, datetime):
        return when
    clock = time.fromisoformat(when)
    return datetime.combine(DAY, clock, clock.tzinfo or UTC).astimezone(UTC)


_instant = at


def event(
    data: Any,
    at: When = BEGINNING,
    *,
    recorded: When | None = None,
    shop: str = SHOP,
    buyer: str = BUYER,
    actor: str = "",
) -> Event[Any]:
    """An event that another process decided. at: when it happened; recorded: when the log took it, if later."""
    learnt = _instant(recorded or at)
    return Event(data=data, shop=shop, buyer=buyer, time=_instant(at), actor=actor, recordedtime=learnt)


def fact(
    data: Any,
    at: When = BEGINNING,
    *,
    recorded: When | None = None,
    shop: str = SHOP,
    buyer: str = NO_BUYER,
    actor: str = "",
) -> Fact[Any]:
    """A fact as a source translates it, for a process that reads INBOX."""
    learnt = _instant(recorded or at)
    return Fact(data=data, shop=shop, buyer=buyer, time=_instant(at), actor=actor, recordedtime=learnt)


def command(
    data: Any,
    at: When | None = None,
    *,
    key: str = "",
    shop: str = SHOP,
    buyer: str = "",
    command_id: str = "",
    actor: str = "a1",
    role: Role = "agent",
) -> Wish:
    """A command to one story of the process. command_id: by default one that the story has not seen."""
    return Wish(
        command=Command(command_id=command_id, shop=shop, actor=Actor(id=actor, role=role), data=data),
        key=key,
        buyer=buyer,
        at=None if at is None else _instant(at),
    )
