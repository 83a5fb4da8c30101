"""`carebus import chats`: files of chats, published raw to INBOX; chat_ingest does the rest (domain.md 3).

Records go one after the other: which message answers which, and where a conversation ends, is told by their order.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from msgspec import Struct

from schemas import subjects
from services.cli import imports, target
from services.cli.target import failure
from services.kernel.clock import monotonic
from services.kernel.settings import Settings

if TYPE_CHECKING:
    from services.chat_ingest.records.batches import Batch, ReportedLine

TEXT = "qianniu-text"
"""The one format that does not say itself who is the shop."""


class Told(Struct, frozen=True, kw_only=True):
    """What an import did. chats: the messages in the files, as far as that can be seen without understanding them.

    messages: the records that they were published as. skipped: lines that nobody said, and blank ones. lines: those
    that fit nothing, published to be refused and kept; reported: the first of them.
    """

    shop: str
    format: str
    files: int
    chats: int
    messages: int
    skipped: int
    lines: int
    reported: "list[ReportedLine]"
    seconds: float


def chats(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, or a directory: all files in it, by name.")],
    shop: Annotated[str, typer.Option(help="Whose chats they are.")],
    form: Annotated[
        str, typer.Option("--format", help="qianniu-text (copied or exported), chatlog-json (pages) or jsonl (events).")
    ],
    main_account: Annotated[
        str, typer.Option(help="The shop's main account (主号); for qianniu-text, which does not name it.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Publish chats from files. A second import adds nothing.

    qianniu-text: what Qianniu (千牛) copies or exports, in UTF-8 or GB18030. chatlog-json: files of one page, or a list
    of pages, as the bridge pushes them. jsonl: one CloudEvent of the canonical feed a line. All files are read before
    anything is published. Lines that fit nothing are told, and kept with what chat_ingest refuses, by file and line
    (`carebus parked list chat_ingest`); the rest goes on.
    """
    if not shop.strip():
        raise failure("--shop is empty: say whose chats they are")
    batch = _read(path, form, main_account.strip())
    where = target.settings()
    begun = monotonic()
    _publish(where, shop, batch, shown=not as_json)
    told = Told(
        shop=shop,
        format=form,
        files=len(batch.files),
        chats=batch.chats,
        messages=batch.messages,
        skipped=batch.skipped,
        lines=batch.lines,
        reported=batch.reported,
        seconds=round(monotonic() - begun, 3),
    )
    if as_json:
        typer.echo(msgspec.json.encode(told).decode())
        return
    for one in told.reported:
        typer.echo(f"{one.file} line {one.line}: {one.reason}", err=True)
    if told.lines > len(told.reported):
        typer.echo(f"and {told.lines - len(told.reported)} lines more that fit nothing", err=True)
    typer.echo(_line(told))


def _read(path: Path, form: str, main_account: str) -> "Batch":
    """The files, each of which can be read. Raises typer.Exit."""
    from services.chat_ingest.records.batches import FORMATS, Batch
    from services.chat_ingest.records.files import FileError

    if form not in FORMATS:
        raise failure(f"no format {form!r}: give one of {', '.join(FORMATS)}")
    if form == TEXT and not main_account:
        raise failure(f"{TEXT} does not say who is the shop: give --main-account, what stands before `:` in its names")
    if form != TEXT and main_account:
        raise failure(f"{form} says itself who is the shop: leave --main-account out")
    try:
        return Batch(path, form, main_account)
    except FileError as error:
        raise failure(f"{error} (nothing was published)") from None


def _publish(where: Settings, shop: str, batch: "Batch", *, shown: bool) -> None:
    from services.chat_ingest.records.files import FileError

    try:
        imports.publish_records(where, subjects.raw("records", shop, "chat"), batch, shown=shown, in_flight=1)
    except FileError as error:  # it could be read a moment ago
        raise failure(
            f"{error}; it was changed under the import: import again, what was taken in counts once"
        ) from None


def _line(told: Told) -> str:
    files = f"{told.files} file" + "s" * (told.files != 1)
    said = f"{told.chats} messages of shop {told.shop} from {files} published as {told.messages} records"
    if told.lines:
        said += f", with {told.lines} lines that fit nothing and will be refused"
    return f"{said}, in {told.seconds:.1f} s; see `carebus parked list chat_ingest` for what was refused"
