"""`carebus publish`: put a stream file on the bus, as outside systems would."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from msgspec import Struct, field
from nats.errors import Error as NatsError

from services.cli import target
from services.cli.client import reached
from services.cli.progress import progress
from services.cli.reach import Unreachable
from services.cli.target import failure
from services.kernel.bus import BusError
from services.kernel.settings import Settings
from services.replay.send import Sender
from services.replay.stream import Entry, StreamError, parse_stream, read_stream


class Rejection(Struct, frozen=True):
    """A command that was not carried out. line: in the stream file."""

    line: int
    subject: str
    code: str
    message: str


class Summary(Struct):
    """What came of a stream file. published: facts that INBOX has stored; accepted: commands carried out.

    fault: why it was stopped; empty where it came to its end.
    """

    published: int = 0
    accepted: int = 0
    rejected: list[Rejection] = field(default_factory=list[Rejection])
    fault: str = ""


def publish(
    file: Annotated[Path, typer.Argument(help="A stream file (JSON Lines); - reads it from the standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="The summary as one JSON object.")] = False,
) -> None:
    """Publish the facts and send the commands of a stream file, in its order.

    The whole file is checked first: nothing is published while a line of it is wrong. Facts (in.*) count once
    JetStream has acknowledged them; a command (cmd.*) is sent when all facts before it are stored, and waited for.

    Exit status: 0 all was taken, 1 a command was rejected, 2 it could not be published (some of it may be stored:
    the line says how much).
    """
    entries = _checked(file)
    where = target.settings()
    summary = Summary()
    try:
        with progress(len(entries), "publishing", shown=not as_json) as advance:
            asyncio.run(_publish(entries, where, summary, advance))
    except (Unreachable, BusError, NatsError, OSError) as error:
        summary.fault = str(error) or type(error).__name__
        if isinstance(error, Unreachable):
            summary.fault += f"; {error.cure}"
        if as_json:
            typer.echo(msgspec.json.encode(summary).decode())
        raise failure(f"{summary.fault}; {_done(summary, entries)}") from None
    typer.echo(msgspec.json.encode(summary).decode() if as_json else _sentence(summary))
    if not as_json:
        for one in summary.rejected:
            typer.echo(f"  line {one.line}  {one.subject}  {one.code}: {one.message}")
    raise typer.Exit(1 if summary.rejected else 0)


async def _publish(entries: Sequence[Entry], where: Settings, summary: Summary, advance: Callable[[], None]) -> None:
    async with reached(where) as client, Sender(client, advance) as sender:
        try:
            for entry in entries:
                if entry.kind == "fact":
                    await sender.publish(entry)
                else:
                    await sender.settled()
                    _answered(entry, await sender.command(entry), summary)
                    advance()
            await sender.settled()
        finally:
            summary.published = sender.stored


def _answered(entry: Entry, answer: dict[str, Any], summary: Summary) -> None:
    if answer.get("result") == "accepted":
        summary.accepted += 1
    else:
        code, message = str(answer.get("code", "")), str(answer.get("message", ""))
        summary.rejected.append(Rejection(entry.line, entry.subject, code, message))


def _checked(file: Path) -> list[Entry]:
    try:
        if str(file) == "-":
            return list(parse_stream(sys.stdin.buffer, "standard input"))
        return list(read_stream(file))
    except StreamError as error:
        raise failure(f"{error} (nothing was published)") from None


def _done(summary: Summary, entries: Sequence[Entry]) -> str:
    facts = sum(entry.kind == "fact" for entry in entries)
    commands = summary.accepted + len(summary.rejected)
    done = f"{summary.published} of {facts} facts were stored"
    return f"{done}, {commands} commands answered" if commands else done


def _sentence(summary: Summary) -> str:
    commands = summary.accepted + len(summary.rejected)
    said = f"{summary.published} facts published"
    if commands:
        said += f", {summary.accepted} commands accepted"
    if summary.rejected:
        said += f", {len(summary.rejected)} rejected:"
    return said
