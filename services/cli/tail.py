"""`carebus tail`: the log as it is written, one line an event.

Read with JetStream consumers, never with a core subscription: that would also show batches which are not committed.
"""

import asyncio
import select
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated

import typer
from msgspec.structs import replace
from nats.errors import Error as NatsError

from schemas.subjects import PARTITIONS
from services.cli import target
from services.cli.client import connected
from services.cli.event_filter import EventFilter, FilterError, parse_filter
from services.cli.event_lines import as_line, as_object
from services.cli.target import failure
from services.kernel import bus
from services.kernel.history import history
from services.kernel.reader import RECORDED_HEADER, Message, Reader, ReaderLost, message_of
from services.kernel.settings import Settings

LAST = 10
_WINDOW, _WIDER = 256, 8
"""How many messages back the search for the last ones begins, and how much wider it is when it finds too few."""
_LOOK_S = 0.5
_NO_STREAM = 10059
_RETRY_S = 0.5
_TAKE = 500


class LogReplaced(Exception):
    """The log ends before what was already shown: it was made anew or restored."""


def tail(
    filters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILTER]...",
            help="order (an entity) or order.paid (a type), any number of them; SHOP/ or SHOP/BUYER, one at most."
            " An event is shown if it has one of the types and lies in the place. SHOP/- are a shop's facts"
            " without a buyer.",
        ),
    ] = None,
    last: Annotated[int, typer.Option("--last", min=0, help="Begin with so many of the newest events.")] = LAST,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the first event of the log.")] = False,
    follow: Annotated[bool, typer.Option(help="Go on with new events until Ctrl-C.")] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="The CloudEvent as stored, with seq and recordedtime; one a line.")
    ] = False,
) -> None:
    """Show events of the log: the time in Shanghai, type, shop, buyer, what it is about, some of its fields.

    For example: carebus tail order.paid refund demo_shop/
    """
    try:
        wanted = parse_filter(filters or [])
    except FilterError as error:
        raise failure(str(error)) from None
    where = target.settings()
    tailing = Tail(wanted, as_json=as_json, driven=where.clock == "driven")
    try:
        asyncio.run(_run(tailing, where, None if from_start else last, follow=follow))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except bus.BusError as error:
        hint = "; the services make it when they start: carebus up" if error.code == _NO_STREAM else ""
        raise failure(f"{error}{hint}") from None
    except (NatsError, LogReplaced) as error:
        raise failure(str(error) or type(error).__name__) from None


async def _run(tailing: "Tail", where: Settings, last: int | None, *, follow: bool) -> None:
    async with connected(where, again=follow) as client:
        await tailing.past(client, last)
        while follow:
            try:
                await tailing.live(client)
            except (ReaderLost, bus.BusError, NatsError, OSError):
                _require_reader()  # what fails may be the output
                await asyncio.sleep(_RETRY_S)


def _require_reader() -> None:
    """Raises BrokenPipeError where nobody reads the output any more, and OSError where it cannot be written."""
    sys.stdout.flush()
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        raise BrokenPipeError


class Tail:
    """What is shown, and how far: position is the last sequence that has been looked at."""

    def __init__(self, wanted: EventFilter, *, as_json: bool, driven: bool) -> None:
        self.position = 0
        self._wanted = wanted
        self._write = as_object if as_json else as_line
        self._driven = driven

    async def past(self, client: bus.Nats, last: int | None) -> None:
        """Show the last so many matching events up to the present end; None: all. Raises BusError."""
        end = (await bus.stream_state(client, bus.EVENTS)).last
        if last is None:
            async for message in self._read(client, 1):
                self._show(message)
        elif last:
            for message in await self._newest(client, last, end):
                self._show(message)
        sys.stdout.flush()
        self.position = max(self.position, end)

    async def live(self, client: bus.Nats) -> None:
        """Show what is written from now on. Raises ReaderLost, BusError (open it again) and LogReplaced."""
        if (await bus.stream_state(client, bus.EVENTS)).last < self.position:
            raise LogReplaced(f"the log ends before event {self.position}, which was shown already: it is another log")
        wake = asyncio.Event()
        reader = Reader(client, bus.EVENTS, wake, driven=self._driven)
        await reader.open(dict.fromkeys(range(PARTITIONS), self.position))
        while True:
            wake.clear()
            messages = await reader.take(_TAKE)
            for message in messages:
                self.position = message.seq
                if self._wanted.takes(message):
                    self._show(message)
            _require_reader()
            if not messages:
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), _LOOK_S)

    async def _newest(self, client: bus.Nats, count: int, end: int) -> Sequence[Message]:
        """The last matching messages, looked for from the end backwards."""
        window = max(count, _WINDOW)
        while True:
            start = max(1, end - window + 1)
            found: deque[Message] = deque(maxlen=count)
            async for message in self._read(client, start):
                found.append(message)
            if len(found) == count or start == 1:
                return found
            window *= _WIDER

    async def _read(self, client: bus.Nats, start: int) -> AsyncIterator[Message]:
        async for msg in history(client, bus.EVENTS, self._wanted.subject, start):
            message = message_of(bus.EVENTS, msg)
            if self._driven and (recorded := (msg.headers or {}).get(RECORDED_HEADER)):
                message = replace(message, recorded=datetime.fromisoformat(recorded))
            if self._wanted.takes(message):
                yield message

    def _show(self, message: Message) -> None:
        self.position = max(self.position, message.seq)
        sys.stdout.write(self._write(message) + "\n")
