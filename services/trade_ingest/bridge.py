"""The bridge: performs `platform.action_requested`, once, and records `platform.action_done`, `_failed` or `_unknown`.

    transaction 1: a row `attempting`
    a flag: `in.bridge.<shop>.pushed`, so that the platform's message of it is known to be an echo when it comes
    the request (bridge_http.py)
    transaction 2: the row's end together with the event that tells of it; or `waiting`, where nothing was done
    an unknown end: `in.bridge.<shop>.unclear`, for which a late answer is waited (bridge_results.py)

An attempt that died in between may have left the house: it becomes `unknown` and is never repeated by itself. What is
known not to have been done is asked for again, later each time, at most ATTEMPTS times.

**One action of a buyer at a time**: two flags of an order must not overtake each other on their way. Another one waits
until the first has ended; in which order those that wait follow is not promised.

**A shop without a bridge fails for good, at once.** Whoever asked hears it while it matters and does it by hand. Kept
until somebody configures a bridge, the backlog of days would be performed on orders that have gone on since (an order
closed that was paid meanwhile), as switching a shop live never sends what came due before. One whose bridge is taken
out of the file while it waits fails alike, once no replica has asked for it during the span of the attempts.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

import aiohttp
import msgspec
from nats.errors import Error as NatsError

from schemas.envelope import Event
from schemas.platform import (
    PlatformActionDone,
    PlatformActionFailed,
    PlatformActionRequested,
    PlatformActionUnknown,
)
from services.kernel.bus import BusError
from services.kernel.effects import Effect, Later, Means, Rest, Transaction
from services.kernel.ids import unique
from services.kernel.settings import Settings
from services.trade_ingest import bridge_http
from services.trade_ingest.bridge_file import Bridge, Bridges, read_bridges
from services.trade_ingest.bridge_http import Outcome, Request
from services.trade_ingest.flag_codes import code_of

DEAD_S = 40.0
"""An attempt older than this has died with its replica: the request's TOTAL_S, the time for what comes before and
behind it, and some to spare.
"""
BUSY_S = 1.0
"""When an action is looked at again that waits for its own attempt, or for another action of its buyer."""
ATTEMPTS = 9
"""How often an action is asked for that is known not to have been done: with PAUSE_S for four minutes and more, after
which a bridge that was started anew is back. Not longer: what waits counts against `effects.PENDING`, for all shops.
"""
PAUSE_S = (1.0, 120.0)
"""The pause after the first attempt, doubled each time, and the longest."""
NO_BRIDGE = "no bridge is configured for this shop"

_FIND = """
SELECT shop, action_id, status, attempts, attempted_at < now() - make_interval(secs => $3) AS dead,
    attempted_at < now() - make_interval(secs => $4) AS over
FROM acting
WHERE (shop, action_id) IN (SELECT * FROM unnest($1::text[], $2::text[])) ORDER BY shop, action_id FOR UPDATE
"""
_BEGIN = """
INSERT INTO acting (shop, action_id, buyer, status, attempt, ended_at)
SELECT shop, action_id, buyer, status, attempt, CASE WHEN status = 'attempting' THEN NULL ELSE now() END
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
    AS n (shop, action_id, buyer, status, attempt, place)
ORDER BY shop, buyer, place
ON CONFLICT DO NOTHING RETURNING shop, action_id
"""
_AGAIN = """
UPDATE acting SET status = 'attempting', attempt = $3, attempts = attempts + 1, attempted_at = now()
WHERE shop = $1 AND action_id = $2 AND status = 'waiting' RETURNING attempts
"""
_END = "UPDATE acting SET status = $3, ended_at = now() WHERE shop = $1 AND action_id = $2"
_SETTLE = """
UPDATE acting SET status = $4, ended_at = CASE WHEN $4 = 'waiting' THEN NULL ELSE now() END
WHERE shop = $1 AND action_id = $2 AND attempt = $3 AND status = 'attempting' RETURNING true
"""

Asked = Event[PlatformActionRequested]
Name = tuple[str, str]
"""(shop, action id)"""


class Attempt(NamedTuple):
    """Whose turn it is, and the how-many-th."""

    token: str
    number: int = 1


class Held(NamedTuple):
    """What the effect works with as long as its service runs."""

    bridges: Bridges
    client: aiohttp.ClientSession


def bridge() -> Effect:
    """The effect that acts on the platforms, through the bridges that the settings name."""
    return Effect(name="bridge", types=(PlatformActionRequested,), begin=_begin, hold=_hold, ack_wait_s=60.0)


@asynccontextmanager
async def _hold(settings: Settings) -> AsyncGenerator[Held]:
    bridges = read_bridges(settings)
    async with bridge_http.session() as client:
        yield Held(bridges, client)


async def _begin(events: Sequence[Asked], means: Means) -> Sequence[Rest]:
    """Transaction 1, for all of them."""
    token, bridges = unique(), _held(means).bridges
    async with means.transaction() as transaction:
        connection = transaction.connection
        shops, actions = [event.shop for event in events], [event.data.action_id for event in events]
        known = {_name(row): row for row in await connection.fetch(_FIND, shops, actions, DEAD_S, span_s())}
        new: dict[Name, Asked] = {}
        for event in events:
            if (name := _name_of(event)) not in known:
                new.setdefault(name, event)
        rows = [
            (event.shop, event.data.action_id, event.buyer, "attempting" if event.shop in bridges else "failed", token)
            for event in new.values()
        ]
        mine = {_name(row) for row in await connection.fetch(_BEGIN, *zip(*rows, strict=True))} if rows else set[Name]()
        rests: list[Rest] = []
        for event in events:
            name = _name_of(event)
            if name in known:
                rests.append(await _found(transaction, event, known[name], token, means))
            elif new[name] is not event or name not in mine:
                rests.append(Later(BUSY_S))  # delivered twice, or an action of the same buyer is under way
            elif event.shop not in bridges:
                _tell(transaction, event, Outcome("failed", NO_BRIDGE), 1)
                rests.append(None)
            else:
                rests.append(partial(_go_on, event, Attempt(token), means))
        return rests


async def _found(transaction: Transaction, event: Asked, row: Any, token: str, means: Means) -> Rest:
    """What was begun before: it has ended, is under way, is to be asked for again, or died: then it is unknown."""
    unclear = partial(_state_unclear, event, row["attempts"], means)
    match row["status"]:
        case "unknown":
            return unclear  # the replica may have died before it had stated it
        case "attempting" if row["dead"]:
            await _end(transaction, event, row, Outcome("unknown", "the attempt died before it was settled"))
            return unclear
        case "attempting":
            return Later(BUSY_S)
        case "waiting" if event.shop in _held(means).bridges:
            number = await transaction.connection.fetchval(_AGAIN, *_name(row), token)
            return partial(_go_on, event, Attempt(token, number), means)
        case "waiting" if not row["over"]:
            return Later(PAUSE_S[1])  # this replica was started with another file than the one that began it
        case "waiting":  # and no replica has the other file any more, or it would have asked again
            await _end(transaction, event, row, Outcome("failed", NO_BRIDGE))
            return None
        case _:
            return None


async def _end(transaction: Transaction, event: Asked, row: Any, outcome: Outcome) -> None:
    await transaction.connection.execute(_END, *_name(row), outcome.status)
    _tell(transaction, event, outcome, row["attempts"])


async def _go_on(event: Asked, attempt: Attempt, means: Means) -> None:
    outcome = await _attempt(event, attempt, means)
    if outcome.status == "again" and attempt.number >= ATTEMPTS:
        outcome = Outcome("failed", f"given up after {attempt.number} attempts: {outcome.note}")
    async with means.transaction() as transaction:
        status = "waiting" if outcome.status == "again" else outcome.status
        if not await transaction.connection.fetchval(_SETTLE, *_name_of(event), attempt.token, status):
            return  # it took longer than DEAD_S, and another replica has called it unknown
        if outcome.status != "again":
            _tell(transaction, event, outcome, attempt.number)
    if outcome.status == "again":
        raise Later(pause_s(attempt.number))
    if outcome.status == "unknown":
        await _state_unclear(event, attempt.number, means)


async def _attempt(event: Asked, attempt: Attempt, means: Means) -> Outcome:
    bridges, client = _held(means)
    asked, shop = event.data, bridges[event.shop]
    try:
        await _state_pushed(event, shop, attempt, means)
    except (BusError, NatsError) as error:  # the request has not left yet
        return Outcome("again", f"NATS was away ({type(error).__name__})")
    request = Request(action_id=asked.action_id, shop=event.shop, buyer=event.buyer, kind=asked.kind, args=asked.args)
    return await bridge_http.ask(client, shop, request)


def pause_s(attempts: int) -> float:
    """How long an action waits that was not done after so many attempts."""
    first, longest = PAUSE_S
    return min(first * 2 ** (attempts - 1), longest)


def span_s() -> float:
    """From an action's first attempt to its last: longer than any pause between two of them."""
    return sum(map(pause_s, range(1, ATTEMPTS)))


async def _state_pushed(event: Asked, shop: Bridge, attempt: Attempt, means: Means) -> None:
    """State which flag the platform is about to show, if it is a flag, and one that the platform can show.

    At each attempt anew: what somebody has flagged in between has made the last statement out of date.
    """
    args = event.data.args
    colour: Any = args.get("colour")
    if event.data.kind != "set_flag" or code_of(shop.platform, colour) is None:
        return
    said = {
        "order_id": args.get("order_id"), "platform": shop.platform, "colour": colour, "memo": args.get("memo"),
    }  # fmt: skip
    message_id = f"pushed:{event.data.action_id}:{attempt.number}"
    await means.publish("bridge", event.shop, "pushed", msgspec.json.encode(said), message_id)


async def _state_unclear(event: Asked, attempts: int, means: Means) -> None:
    asked = event.data
    said = {"action_id": asked.action_id, "kind": asked.kind, "buyer": event.buyer, "attempts": attempts}
    await means.publish("bridge", event.shop, "unclear", msgspec.json.encode(said), f"unclear:{asked.action_id}")


def _tell(transaction: Transaction, event: Asked, outcome: Outcome, attempts: int) -> None:
    action, kind = event.data.action_id, event.data.kind
    match outcome.status:
        case "done":
            data = PlatformActionDone(action_id=action, kind=kind, platform_ref=outcome.note or None, attempts=attempts)
        case "failed":
            data = PlatformActionFailed(action_id=action, kind=kind, error=outcome.note, attempts=attempts)
        case _:
            data = PlatformActionUnknown(action_id=action, kind=kind, error=outcome.note, attempts=attempts)
    transaction.tell(event, action, data)


def _held(means: Means) -> Held:
    return means.held


def _name_of(event: Asked) -> Name:
    return event.shop, event.data.action_id


def _name(row: Any) -> Name:
    return row["shop"], row["action_id"]
