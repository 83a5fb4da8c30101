"""Is this still the log that the checkpoints speak of? A restored one must stop a service, never be skipped over."""

from datetime import datetime

import asyncpg

from services.kernel import bus
from services.kernel.clock import from_rfc3339

_CREATED = "SELECT created FROM stream WHERE stream = $1"
_FURTHEST = "SELECT seq, recorded FROM checkpoint WHERE stream = $1 AND seq > 0 ORDER BY seq DESC LIMIT 1"
_REMEMBER = "INSERT INTO stream (stream, created) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_NO_MESSAGE = 10037


class LogRestored(Exception):
    """The log is older or another one than the checkpoints speak of. Never skipped over: an operator decides."""


async def require_same_log(pool: asyncpg.Pool, nats: bus.Nats, stream: str, *, driven: bool) -> bus.StreamState:
    """The stream's state, and its creation time remembered where it is new to this service.

    Raises LogRestored where it was made anew, where it ends before a checkpoint, and where the message at the
    furthest checkpoint was recorded later than the one that was handled (it was restored and has grown since; not
    seen under a driven clock, whose instants are not the stream's). Raises BusError and what asyncpg raises.
    """
    created: datetime | None = await pool.fetchval(_CREATED, stream)
    furthest = await pool.fetchrow(_FURTHEST, stream)  # before the state, or a neighbour's checkpoint may overtake it
    state = await bus.stream_state(nats, stream)
    if created is None:
        await pool.execute(_REMEMBER, stream, state.created)
    elif state.created != created:
        raise LogRestored(
            f"{stream} was created {state.created.isoformat()}, the checkpoints speak of one created "
            f"{created.isoformat()}: restore the log or the database that belong together"
        )
    if furthest is None:
        return state
    if furthest["seq"] > state.last:
        raise LogRestored(
            f"{stream} ends at {state.last}, but it was handled up to {furthest['seq']}: the log was restored to an "
            "older state; restore the database of that time (database first)"
        )
    there = None if driven else await _recorded(nats, stream, furthest["seq"])
    if there is not None and there > furthest["recorded"]:
        raise LogRestored(
            f"{stream}: the message at {furthest['seq']} was recorded {there.isoformat()}, the one handled "
            f"{furthest['recorded'].isoformat()}: the log was restored to an older state and has grown since; "
            "restore the database of that time (database first)"
        )
    return state


async def _recorded(nats: bus.Nats, stream: str, seq: int) -> datetime | None:
    """When the stream took the message at this sequence; None where it is gone (too old, or erased)."""
    try:
        reply = await bus.request(nats, f"STREAM.MSG.GET.{stream}", {"seq": seq})
    except bus.BusError as error:
        if error.code == _NO_MESSAGE:
            return None
        raise
    return from_rfc3339(reply["message"]["time"])
