"""The sender: performs `care.requested`, once, and records `care.sent`, `care.failed` or `care.unknown`.

    transaction 1: a row `attempting`, or the message is held back (shadow, paused, expired)
    the channel
    transaction 2: the row's end, or the next channel's attempt, together with the event that tells of it

An attempt that died in between may have left the house: it becomes `unknown` and is never repeated by itself. This is
the one place that looks at the real clock (design.md, "Time"): a message that has waited too long is not sent.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from schemas.care import CareFailed, CareRequested, CareSent, CareSuppressed, CareUnknown, SuppressReason
from schemas.envelope import Event
from schemas.subjects import NO_BUYER
from schemas.types import Channel
from services.care_notifier import sending
from services.care_notifier.channels import TRANSPORTS, Message, NotSent, Transport
from services.care_notifier.steps import step_of
from services.care_notifier.texts import filled
from services.kernel.effects import Effect, Later, Means, Rest, Transaction
from services.kernel.ids import unique
from services.kernel.store import Connection

ATTEMPT_S = 10.0
"""How long a channel may take to answer; then it is unknown whether the message went out."""
DEAD_S = 30.0
"""An attempt older than this has died with its replica: ATTEMPT_S, and time for its second transaction."""
BUSY_S = 5.0
"""When a message is looked at again whose attempt is under way, or whose shop's state is folded anew just now."""

_SENDING = """
SELECT shop, version, state FROM state
WHERE process = $1 AND shop = ANY($2::text[]) AND buyer = $3 AND key = shop ORDER BY shop FOR SHARE
"""
_FIND = """
SELECT care_id, status, place, attempted_at < now() - make_interval(secs => $2) AS dead
FROM sending WHERE care_id = ANY($1::text[]) ORDER BY care_id FOR UPDATE
"""
_BEGIN = """
INSERT INTO sending (care_id, shop, buyer, status, attempt, ended_at)
SELECT care_id, shop, buyer, status, attempt, CASE WHEN status = 'attempting' THEN NULL ELSE now() END
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS n (care_id, shop, buyer, status, attempt)
ORDER BY care_id
ON CONFLICT DO NOTHING RETURNING care_id
"""
_NEXT = """
UPDATE sending SET place = $3, attempted_at = now()
WHERE care_id = $1 AND attempt = $2 AND status = 'attempting' RETURNING true
"""
_END = """
UPDATE sending SET status = $3, ended_at = now()
WHERE care_id = $1 AND attempt = $2 AND status = 'attempting' RETURNING true
"""
_DIED = "UPDATE sending SET status = 'unknown', ended_at = now() WHERE care_id = $1"

Status = Literal["sent", "failed", "unknown"]

_decode_sending = msgspec.json.Decoder(sending.Sending).decode


class Outcome(Struct, frozen=True):
    """What a channel made of a message. note: the provider's id if it was sent, else what went wrong."""

    status: Status
    note: str


class Attempt(NamedTuple):
    """Whose turn it is: the channel's place among the request's, and what the channels before it came to."""

    token: str
    place: int = 0
    before: tuple[Status, ...] = ()


def sender(transports: Mapping[Channel, Transport] = TRANSPORTS) -> Effect:
    """The effect that sends by these transports, one for each channel."""

    async def begin(events: Sequence[Event[CareRequested]], means: Means) -> Sequence[Rest]:
        return [
            partial(go_on, event, begun, means) if isinstance(begun, Attempt) else begun
            for event, begun in zip(events, await _begin(events, means), strict=True)
        ]

    async def go_on(event: Event[CareRequested], first: Attempt, means: Means) -> None:
        attempt: Attempt | None = first
        while attempt is not None:
            message = _message(event, event.data, attempt.place)
            outcome = await _attempt(transports[message.channel], message, means)
            attempt = await _settle(event, event.data, attempt, message, outcome, means)

    return Effect(name="sender", types=(CareRequested,), begin=begin)


async def _begin(events: Sequence[Event[CareRequested]], means: Means) -> list[Attempt | Later | None]:
    """Transaction 1, for all of them. None: there is nothing to send."""
    token = unique()
    async with means.transaction() as transaction:
        connection = transaction.connection
        cares = [event.data.care_id for event in events]
        known = {row["care_id"]: row for row in await connection.fetch(_FIND, cares, DEAD_S)}
        new = {event.data.care_id: event for event in events if event.data.care_id not in known}
        held = await _held_back(connection, list(new.values()), means)
        rows = [
            (care, event.shop, event.buyer, "suppressed" if held[care] else "attempting", token)
            for care, event in sorted(new.items())
            if not isinstance(held[care], Later)
        ]
        mine = {row["care_id"] for row in await connection.fetch(_BEGIN, *_columns(rows))} if rows else set[str]()
        begun: list[Attempt | Later | None] = []
        for event in events:
            request, care = event.data, event.data.care_id
            why = held.get(care)
            if care in known:
                begun.append(await _found(transaction, event, known[care]))
            elif isinstance(why, Later):
                begun.append(why)
            elif new[care] is not event or care not in mine:
                begun.append(Later(BUSY_S))  # the same message, delivered twice, has begun
            elif why is not None:
                data = CareSuppressed(**step_of(request), reason=why, marketing=request.marketing)
                transaction.tell(event, care, data)
                begun.append(None)
            else:
                begun.append(Attempt(token))
        return begun


async def _found(transaction: Transaction, event: Event[CareRequested], row: Any) -> Later | None:
    """What was begun before: it has ended, is under way, or died and is told to be unknown."""
    if row["status"] != "attempting":
        return None
    if not row["dead"]:
        return Later(BUSY_S)
    await transaction.connection.execute(_DIED, event.data.care_id)
    died = Outcome("unknown", "the attempt died before it was settled")
    message = _message(event, event.data, row["place"])
    transaction.tell(event, event.data.care_id, _told(event.data, message, died), row["place"])
    return None


async def _held_back(
    connection: Connection, events: Sequence[Event[CareRequested]], means: Means
) -> dict[str, SuppressReason | Later | None]:
    """care id -> why it is not sent. The shops' states are locked, so that no message leaves once a pause was accepted.

    Later while a shop's state is of another version than this code's.
    """
    shops = sorted({event.shop for event in events})
    rows = {row["shop"]: row for row in await connection.fetch(_SENDING, "sending", shops, NO_BUYER)}
    now = means.clock.now()
    return {event.data.care_id: _judged(event, rows.get(event.shop), now) for event in events}


def _judged(event: Event[CareRequested], row: Any, now: datetime) -> SuppressReason | Later | None:
    shop = sending.Sending()
    if row is not None and row["state"] is not None:
        if row["version"] != sending.VERSION:
            return Later(BUSY_S)
        shop = _decode_sending(row["state"])
    assert event.recordedtime is not None
    if reason := shop.holds_back(event.data.kind, event.recordedtime):
        return reason
    expires = event.data.expires_at
    return "expired" if expires is not None and now >= expires else None


async def _attempt(transport: Transport, message: Message, means: Means) -> Outcome:
    try:
        async with asyncio.timeout(ATTEMPT_S):
            return Outcome("sent", await transport(message, means.log))
    except NotSent as refused:
        return Outcome("failed", str(refused))
    except TimeoutError:
        return Outcome("unknown", f"no answer within {ATTEMPT_S:g} s")
    except Exception as error:  # it may have left before this was raised: never again by itself
        return Outcome("unknown", type(error).__name__)


async def _settle(
    event: Event[Any], request: CareRequested, attempt: Attempt, message: Message, outcome: Outcome, means: Means
) -> Attempt | None:
    """Transaction 2: tell what came of the attempt, and end the message or begin with the next channel."""
    results = (*attempt.before, outcome.status)
    is_last = attempt.place + 1 == len(request.channels)
    goes_on = not is_last and (request.mode == "all" or outcome.status == "failed")
    async with means.transaction() as transaction:
        connection = transaction.connection
        if goes_on:
            mine = await connection.fetchval(_NEXT, request.care_id, attempt.token, attempt.place + 1)
        else:
            mine = await connection.fetchval(_END, request.care_id, attempt.token, _overall(results))
        if not mine:
            return None  # it took longer than DEAD_S, and another replica has called it unknown
        transaction.tell(event, request.care_id, _told(request, message, outcome), attempt.place)
    return Attempt(attempt.token, attempt.place + 1, results) if goes_on else None


def _overall(results: tuple[Status, ...]) -> Status:
    """Of all channels tried: sent if one has sent it, unknown if one may have."""
    return "sent" if "sent" in results else "unknown" if "unknown" in results else "failed"


def _message(event: Event[Any], request: CareRequested, place: int) -> Message:
    channel = request.channels[place]
    return Message(
        care_id=request.care_id,
        kind=request.kind,
        shop=event.shop,
        channel=channel.channel,
        address_ref=channel.address_ref,
        text=filled(channel.text),
    )


def _told(request: CareRequested, message: Message, outcome: Outcome) -> CareSent | CareFailed | CareUnknown:
    step, channel = step_of(request), message.channel
    match outcome.status:
        case "sent":
            digest = message.text_digest
            return CareSent(**step, channel=channel, provider_id=outcome.note, attempts=1, text_digest=digest)
        case "failed":
            return CareFailed(**step, channel=channel, attempts=1, error=outcome.note)
        case "unknown":
            return CareUnknown(**step, channel=channel, attempts=1, error=outcome.note)


def _columns(rows: Sequence[tuple[str, ...]]) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)]
