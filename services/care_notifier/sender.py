"""The sender: performs `care.requested`, once, and records `care.sent`, `care.failed` or `care.unknown`.

    transaction 1: a row `attempting`, or the message is held back (shadow, paused, expired)
    the channel
    transaction 2: the row's end, or the next channel's attempt, together with the event that tells of it

An attempt that died in between may have left the house: it becomes `unknown` and is never repeated by itself. This is
the one place that looks at the real clock (design.md, "Time"): a message that has waited too long is not sent.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from schemas.care import CareFailed, CareRequested, CareSent, CareSuppressed, CareUnknown, SuppressReason
from schemas.envelope import Event
from schemas.subjects import NO_BUYER
from schemas.types import Channel
from services.care_notifier import sending
from services.care_notifier.channels import TRANSPORTS, Message, NotSent, Transport
from services.care_notifier.texts import filled
from services.kernel.effects import Effect, Later, Means
from services.kernel.ids import unique
from services.kernel.store import Connection

ATTEMPT_S = 10.0
"""How long a channel may take to answer; then it is unknown whether the message went out."""
DEAD_S = 30.0
"""An attempt older than this has died with its replica: ATTEMPT_S, and time for its second transaction."""
BUSY_S = 5.0
"""When a message is looked at again whose attempt is under way, or whose shop's state is folded anew just now."""

_SENDING = "SELECT version, state FROM state WHERE process = $1 AND shop = $2 AND buyer = $3 AND key = $2 FOR SHARE"
_FIND = """
SELECT status, place, attempted_at < now() - make_interval(secs => $2) AS dead
FROM sending WHERE care_id = $1 FOR UPDATE
"""
_BEGIN = """
INSERT INTO sending (care_id, shop, buyer, status, attempt, ended_at)
VALUES ($1, $2, $3, $4, $5, CASE WHEN $4 = 'attempting' THEN NULL ELSE now() END)
ON CONFLICT DO NOTHING RETURNING true
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

    async def perform(event: Event[Any], means: Means) -> None:
        if not isinstance(event.data, CareRequested):
            return
        attempt = await _begin(event, event.data, means)
        while attempt is not None:
            message = _message(event, event.data, attempt.place)
            outcome = await _attempt(transports[message.channel], message, means)
            attempt = await _settle(event, event.data, attempt, message, outcome, means)

    return Effect(name="sender", entity="care", perform=perform)


async def _begin(event: Event[Any], request: CareRequested, means: Means) -> Attempt | None:
    """Transaction 1. None: there is nothing to send. Raises Later."""
    token = unique()
    async with means.transaction() as connection:
        found = await connection.fetchrow(_FIND, request.care_id, DEAD_S)
        if found is None:
            reason = await _held_back(connection, event, request, means)
            status = "suppressed" if reason else "attempting"
            if not await connection.fetchval(_BEGIN, request.care_id, event.shop, event.buyer, status, token):
                raise Later(BUSY_S)  # the same message, delivered twice, has begun elsewhere
            if reason is None:
                return Attempt(token)
            data = CareSuppressed(**_step(request), reason=reason, marketing=request.marketing)
            await means.tell(connection, event, request.care_id, data)
        elif found["status"] == "attempting":
            if not found["dead"]:
                raise Later(BUSY_S)
            await connection.execute(_DIED, request.care_id)
            died = Outcome("unknown", "the attempt died before it was settled")
            data = _told(request, _message(event, request, found["place"]), died)
            await means.tell(connection, event, request.care_id, data, found["place"])
        return None


async def _held_back(
    connection: Connection, event: Event[Any], request: CareRequested, means: Means
) -> SuppressReason | None:
    """Why it is not sent. The shop's state is locked, so that no message leaves once a pause was accepted.

    Raises Later while the state is of another version than this code's.
    """
    row = await connection.fetchrow(_SENDING, "sending", event.shop, NO_BUYER)
    if row is not None and row["state"] is not None and row["version"] != sending.VERSION:
        raise Later(BUSY_S)
    shop = _decode_sending(row["state"]) if row is not None and row["state"] is not None else sending.Sending()
    assert event.recordedtime is not None
    if reason := shop.holds_back(request.kind, event.recordedtime):
        return reason
    if request.expires_at is not None and means.clock.now() >= request.expires_at:
        return "expired"
    return None


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
    async with means.transaction() as connection:
        if goes_on:
            mine = await connection.fetchval(_NEXT, request.care_id, attempt.token, attempt.place + 1)
        else:
            mine = await connection.fetchval(_END, request.care_id, attempt.token, _overall(results))
        if not mine:
            return None  # it took longer than DEAD_S, and another replica has called it unknown
        await means.tell(connection, event, request.care_id, _told(request, message, outcome), attempt.place)
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
    step, channel = _step(request), message.channel
    match outcome.status:
        case "sent":
            digest = message.text_digest
            return CareSent(**step, channel=channel, provider_id=outcome.note, attempts=1, text_digest=digest)
        case "failed":
            return CareFailed(**step, channel=channel, attempts=1, error=outcome.note)
        case "unknown":
            return CareUnknown(**step, channel=channel, attempts=1, error=outcome.note)


def _step(request: CareRequested) -> dict[str, Any]:
    """What every event of one care message says."""
    return {
        "care_id": request.care_id,
        "kind": request.kind,
        "order_id": request.order_id,
        "parcel_id": request.parcel_id,
        "step": request.step,
    }
