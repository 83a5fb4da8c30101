"""Policies: a shop's effective policy goes into the log when it differs from the last one there (design.md, "Time").

One story a shop, so that versions count 1, 2, 3... whoever loads, however often.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.envelope import Event
from schemas.policy import PolicyChanged
from services.kernel.policy import Policy, changed
from services.kernel.process import Emit, Fact
from services.trade_ingest.sources.policy import PolicyStated

VERSION = 1
INBOX = True


class Policies(Struct, frozen=True):
    """The last `policy.changed` of the shop."""

    version: int = 0
    digest: str | None = None


State = Policies


def key(item: Event[Any] | Fact[Any]) -> str | None:
    return "policy" if isinstance(item.data, PolicyStated | PolicyChanged) else None


def evolve(last: Policies, item: Event[Any] | Fact[Any]) -> Policies:
    match item.data:
        case PolicyChanged(version=version, digest=digest):
            return Policies(version, digest)
        case _:
            return last


def decide(last: Policies, cause: object, now: datetime, policy: Policy) -> Iterable[Emit]:
    match cause:
        case Fact(data=PolicyStated(policy=stated)):
            if told := changed(cause.shop, stated, last.digest, last.version + 1):
                yield Emit(data=told)
        case _:
            return


def due(last: Policies, policy: Policy) -> datetime | None:
    return None
