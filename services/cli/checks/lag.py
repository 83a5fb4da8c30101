"""How far a service is behind: its checkpoints beside the streams."""

import asyncio
from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.subjects import PARTITIONS
from services.kernel import bus
from services.kernel.clock import from_rfc3339

_NO_MESSAGE = 10037

Ends = dict[tuple[str, int], int]
"""(stream, partition) -> its last sequence; 0 where it holds nothing."""


class Lag(Struct, frozen=True):
    """behind: sequences from the furthest partition's checkpoint to its end. since: when the first of them came."""

    behind: int = 0
    since: datetime | None = None


async def ends(nats: bus.Nats, stream: str) -> Ends:
    """Raises BusError."""
    found = await asyncio.gather(
        *(_message(nats, stream, {"last_by_subj": _filter(stream, number)}) for number in range(PARTITIONS))
    )
    return {(stream, number): message["seq"] if message else 0 for number, message in enumerate(found)}


async def lag(nats: bus.Nats, stream: str, last: Ends, checkpoints: dict[tuple[str, int], int]) -> Lag:
    """Of one service on one stream. Raises BusError."""
    behind = {
        number: last[stream, number] - checkpoints.get((stream, number), 0)
        for number in range(PARTITIONS)
        if last[stream, number] > checkpoints.get((stream, number), 0)
    }
    if not behind:
        return Lag()
    waiting = await asyncio.gather(
        *(
            _message(
                nats,
                stream,
                {"seq": checkpoints.get((stream, number), 0) + 1, "next_by_subj": _filter(stream, number)},
            )
            for number in behind
        )
    )
    since = [from_rfc3339(message["time"]) for message in waiting if message]
    return Lag(max(behind.values()), min(since, default=None))


def _filter(stream: str, partition: int) -> str:
    return f"{bus.ROOTS[stream]}.{partition}.>"


async def _message(nats: bus.Nats, stream: str, which: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return (await bus.request(nats, f"STREAM.MSG.GET.{stream}", which))["message"]
    except bus.BusError as error:
        if error.code == _NO_MESSAGE:
            return None
        raise
