"""`carebus demo`: a whole stack of its own, a day of a shop played through it, and what came of it."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import msgspec
import typer
from msgspec import Struct
from nats.errors import Error as NatsError
from rich.console import Console

from schemas import subjects
from schemas.envelope import Answer, Event, QueryEnvelope, Rejected
from services.cli import registry
from services.cli.client import connected, database
from services.cli.demo_tables import tables
from services.cli.local import LocalStack, Ports, interruptible, stack
from services.cli.processes import ServerError
from services.cli.progress import progress
from services.cli.target import failure
from services.cli.text import TO_THE_MINUTE, local
from services.kernel import bus
from services.kernel.history import history
from services.kernel.inputs import decode_message
from services.kernel.reader import message_of
from services.kernel.settings import Settings
from services.kernel.store import TRANSIENT
from services.replay.drive import Driver, NotSettled, Played, require_order
from services.replay.stream import Entry, StreamError, read_stream

DAY = Path(__file__).parents[2] / "tests" / "streams" / "day.jsonl"
ANSWER_S = 10.0

_PARKED = """
SELECT '{service}' AS service, status, reason
FROM {service}.parked WHERE status <> 'waiting'
"""


class Outcome(Struct, frozen=True):
    """What a played stream left behind: the log, the answer times of each shop, what is parked."""

    played: Played
    events: Sequence[Event[Any]]
    answer_times: dict[str, list[dict[str, Any]]]
    parked: list[dict[str, Any]]


def demo(
    file: Annotated[Path, typer.Argument(help="A stream file whose lines have their times.", show_default=False)] = DAY,
    keep: Annotated[bool, typer.Option("--keep", help="Leave data and logs, and say where they are.")] = False,
) -> None:
    """Start everything here on free ports, play a day of a shop, show what came of it, stop.

    The services run under a clock that the demo moves, so a day takes some seconds. Nothing is sent to anybody, and
    nothing is left behind; a stack that runs already (carebus up) is not touched.
    """
    entries = _checked(file)
    console = Console(highlight=False)
    say: Callable[[str], None] = lambda line: console.print(line, markup=False, soft_wrap=True)  # noqa: E731
    began = time.monotonic()
    try:
        with interruptible(), _directory(keep=keep, say=say) as directory:
            console.print(
                f"CareBus is started here, beside whatever runs already; {_what(file)} is played through it, and what"
                " came of it is shown. Nothing is sent to anybody.\n",
                markup=False,
            )
            say("starting NATS, PostgreSQL and five services ...")
            with stack(directory, Ports.free(), variables={"CAREBUS_CLOCK": "driven"}, say=say) as local:
                ready = time.monotonic()
                say(f"ready after {ready - began:.1f} s; playing {len(entries)} lines of {file.name} ...")
                outcome = _run(_outcome(local.settings, entries))
                seconds = time.monotonic() - ready
                say(f"played in {seconds:.1f} s: {_span(entries)}, {len(outcome.events)} events in the log")
                for line, answer in outcome.played.answers.items():
                    if answer.get("result") != "accepted":
                        say(f"line {line}: the command was rejected, {answer.get('code')}: {answer.get('message')}")
                say("")
                _show(console, outcome, local)
        say(f"\nEverything is stopped again; it took {time.monotonic() - began:.0f} s in all.")
        say("Next: `carebus up` starts a stack that stays; then `carebus tail`, `carebus publish`, `carebus show`.")
    except KeyboardInterrupt:
        say("Everything is stopped again.")
        raise typer.Exit(130) from None
    except (ServerError, NotSettled, bus.BusError) as error:
        raise failure(str(error)) from None
    except (NatsError, asyncpg.PostgresError, *TRANSIENT) as error:
        raise failure(f"the stack of the demo failed: {type(error).__name__}: {error}; see its logs (--keep)") from None


def _checked(file: Path) -> list[Entry]:
    try:
        entries = list(read_stream(file))
        require_order(entries, str(file))
    except StreamError as error:
        raise failure(str(error)) from None
    if not entries:
        raise failure(f"{file} has no lines to play")
    return entries


@contextmanager
def _directory(*, keep: bool, say: Callable[[str], None]) -> Iterator[Path]:
    """A directory of the demo's own, that PostgreSQL's user may enter where root runs it."""
    directory = Path(tempfile.mkdtemp(prefix="carebus-demo-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        if keep:
            say(f"data and logs are in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


def _run(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Closed even where the interruption comes before the loop has begun with it: Python would say so on stderr."""
    try:
        return asyncio.run(coroutine)
    finally:
        coroutine.close()


async def _outcome(settings: Settings, entries: Sequence[Entry]) -> Outcome:
    async with database(settings) as connection, connected(settings) as client:
        services = [registry.service(name) for name in registry.NAMES]
        with progress(len(entries), "playing") as advance:
            played = await Driver(client, connection, services).play(entries, lambda entry: advance(_hour(entry)))
        events = [
            item.input
            async for msg in history(client, bus.EVENTS, "evt.>")
            for item in decode_message(message_of(bus.EVENTS, msg, driven=True), {})
            if isinstance(item.input, Event)
        ]
        shops = sorted({event.shop for event in events})
        times = {shop: await _answer_times(client, shop) for shop in shops}
        parked = await connection.fetch(
            " UNION ALL ".join(_PARKED.format(service=name) for name in registry.NAMES) + " ORDER BY 1, 2"
        )
        return Outcome(played, events, times, [dict(row) for row in parked])


async def _answer_times(client: Any, shop: str) -> list[dict[str, Any]]:
    ask = msgspec.json.encode(QueryEnvelope(shop=shop))
    reply = await client.request(subjects.query("chat_history", "answer_times"), ask, timeout=ANSWER_S)
    answer = msgspec.json.decode(reply.data, type=Answer | Rejected)
    if isinstance(answer, Rejected):
        raise bus.BusError(f"projections refused to tell the answer times: {answer.message}")
    return answer.rows


def _hour(entry: Entry) -> str:
    assert entry.at is not None
    return local(entry.at, TO_THE_MINUTE)


def _show(console: Console, outcome: Outcome, local: LocalStack) -> None:
    files = [service.log for service in local.services.values()]
    for says, table in tables(outcome.events, outcome.answer_times, outcome.parked, files):
        console.print(says)
        console.print(table)
        console.print()


def _what(file: Path) -> str:
    return "a made-up day of a shop" if file == DAY else file.name


def _span(entries: Sequence[Entry]) -> str:
    first, last = entries[0].at, entries[-1].at
    assert first is not None
    assert last is not None
    return " to ".join(local(at)[: -len(":00")] for at in (first, last))
