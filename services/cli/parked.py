"""`carebus parked`: messages that could not be handled: looking at them, playing them again, giving them up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import asyncpg
import msgspec
import typer

from services.cli import target
from services.cli.client import database
from services.cli.target import failure, service_named
from services.cli.text import cut, local, printable
from services.kernel.parked import TICK, ask_retry, discard
from services.kernel.store import TRANSIENT
from services.kernel.telemetry import safe_url

app = typer.Typer(help="Messages that could not be handled.", no_args_is_help=True)

Target = Annotated[str, typer.Argument(metavar="SERVICE", help="trade_ingest or another, or MODULE:NAME of a Service.")]
Row = Annotated[int, typer.Argument(metavar="ID", help="The id that `list` shows.", min=1, max=2**63 - 1)]
Reason = Annotated[str, typer.Option("--reason", help="Only those whose reason begins so.")]
Shop = Annotated[str, typer.Option("--shop", help="Only those of this shop.")]
Work = Callable[[asyncpg.Connection], Awaitable[list[str]]]
"""What is done at the database; the lines to print when its connection is closed."""

MAX_PAYLOAD = 20_000
"""Characters of a payload that `show` prints; `--json` has all of it."""

# A refusal's detail says where its sender finds it ("orders.csv row 17, placed"); a traceback is for `show`.
_LIST = """
SELECT id, status, shop, buyer, key, stream, seq, part, parked, split_part(reason, ':', 1) AS reason,
       CASE WHEN strpos(detail, E'\\n') = 0 THEN detail ELSE '' END AS detail, code
FROM parked
WHERE (status <> 'waiting' OR $1) AND starts_with(reason, $2) AND ($3 = '' OR shop = $3)
ORDER BY id LIMIT 1000
"""
_SHOW = """
SELECT p.*, (SELECT count(*) FROM parked w WHERE (w.shop, w.buyer, w.key) = (p.shop, p.buyer, p.key)
             AND w.status = 'waiting' AND w.id > p.id) AS behind
FROM parked p WHERE p.id = $1
"""
_FAILED = """
SELECT id FROM parked
WHERE status IN ('failed', 'aside') AND starts_with(reason, $1) AND ($2 = '' OR shop = $2) ORDER BY id
"""


@app.command(name="list")
def list_(
    service: Target,
    waiting: Annotated[bool, typer.Option(help="Also those that only wait behind a failed one.")] = False,
    reason: Reason = "",
    shop: Shop = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List parked messages, the oldest first (1,000 at most); never their contents."""

    async def told(connection: asyncpg.Connection) -> list[str]:
        rows = await connection.fetch(_LIST, waiting, reason, shop)
        if not rows and not as_json:
            return ["nothing is parked"]
        return [msgspec.json.encode(dict(row)).decode() if as_json else _line(row) for row in rows]

    _run(service, told)


@app.command()
def show(
    service: Target,
    row: Row,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, the payload whole.")] = False,
) -> None:
    """Show all there is of a parked message, its contents too (they may be personal data)."""

    async def told(connection: asyncpg.Connection) -> list[str]:
        found = await connection.fetchrow(_SHOW, row)
        if found is None:
            raise _unknown(row, service)
        return [msgspec.json.encode(_whole(found)).decode() if as_json else _page(found)]

    _run(service, told)


@app.command()
def retry(
    service: Target,
    row: Annotated[int | None, typer.Argument(metavar="[ID]", help="The id that `list` shows.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that failed (with --reason, --shop: of those).")] = False,
    reason: Reason = "",
    shop: Shop = "",
) -> None:
    """Have the owner of the partition play a failed message and those behind it again, in order."""
    if every is (row is not None):
        raise failure("give the ID of one message, or --all")
    if (reason or shop) and not every:
        raise failure("--reason and --shop choose among --all")

    async def asked(connection: asyncpg.Connection) -> list[str]:
        rows = [r["id"] for r in await connection.fetch(_FAILED, reason, shop)] if row is None else [row]
        done = [one for one in rows if await ask_retry(connection, one)]
        if row is not None and not done:
            raise failure(f"{row} is no failed message of {service}; see `carebus parked list {service}`")
        what = f"{row}" if row is not None else f"{len(done)} messages"
        return [f"{what} will be played again by the running service; `list` shows what failed once more"]

    _run(service, asked)


@app.command(name="discard")
def discard_(
    service: Target,
    row: Row,
    reason: Annotated[str, typer.Option("--reason", help="Why it is given up: printed, for your own record.")],
) -> None:
    """Give a failed message up for good; what waits behind it is played. Its lane's state does without it.

    CareBus itself keeps no record yet of who discarded what: what is printed is the record.
    """
    if not reason.strip():
        raise failure("--reason: say why it is given up")

    async def given_up(connection: asyncpg.Connection) -> list[str]:
        async with connection.transaction():
            found = await connection.fetchrow(_SHOW, row)
            status = await discard(connection, row)
        if found is None or not status:
            raise _unknown(row, service)
        if refusal := _NOT_DISCARDED.get(status):
            raise failure(f"{row} was not discarded: {refusal}")
        then = "nobody waited behind it"
        if status == "failed":
            then = f"the running service goes on with its lane, {found['behind']} messages waited behind it"
        return [f"discarded {_line(found)}", f"reason: {printable(reason)}; {then}"]

    _run(service, given_up)


_NOT_DISCARDED = {
    TICK: "it is a tick, which would fire again; mend the service, then `retry`",
    "waiting": "it has not failed, it waits behind another; `list` shows which",
    "retry": "the running service is about to play it again; look at `list` afterwards",
}


def _unknown(row: int, service: str) -> typer.Exit:
    return failure(f"no message {row} is parked in {service}; see `carebus parked list {service} --waiting`")


def _run(name: str, work: Work) -> None:
    service, where = service_named(name), target.settings()

    async def worked() -> list[str]:
        try:
            async with database(where, service.name) as connection:
                return await work(connection)
        except (asyncpg.PostgresError, *TRANSIENT) as error:
            said = str(error).partition("\n")[0]
            raise failure(f"{service.name} ({safe_url(where.postgres_dsn)}): {type(error).__name__}: {said}") from None

    for line in asyncio.run(worked()):
        typer.echo(line)


def _line(row: Any) -> str:
    place = f"shop {row['shop']}  buyer {row['buyer']}" + (f"  key {row['key']}" if row["key"] else "")
    where = f"{row['stream']} {row['seq']}" + (f".{row['part']}" if row["part"] > 0 else "")
    reason = row["reason"].partition(":")[0]
    detail = f"  ({cut(row['detail'], 200)})" if row["detail"] and "\n" not in row["detail"] else ""
    return printable(f"{row['id']}  {row['status']}  {place}  {where}  since {local(row['parked'])}  {reason}{detail}")


def _whole(row: asyncpg.Record) -> dict[str, Any]:
    """Every column; the payload as JSON where it is, else as text with its odd bytes escaped."""
    return dict(row) | {"payload": _payload(row["payload"])}


def _payload(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return payload.decode(errors="backslashreplace")


def _page(row: asyncpg.Record) -> str:
    fields = {
        name: row[name]
        for name in ("id", "status", "stream", "seq", "part", "subject", "shop", "buyer", "key", "partition", "code")
    }
    fields |= {
        "recorded": local(row["recorded"]),
        "parked": local(row["parked"]),
        "behind": f"{row['behind']} messages wait behind it",
        "reason": row["reason"],
    }
    lines = [f"{name:<10} {printable(value)}" for name, value in fields.items() if value != ""]
    lines += ["payload", *_indented(_pretty(row["payload"]))]
    if row["detail"]:
        lines += ["detail", *_indented(row["detail"])]
    return "\n".join(lines)


def _pretty(payload: bytes) -> str:
    found = _payload(payload)
    text = found if isinstance(found, str) else msgspec.json.format(msgspec.json.encode(found)).decode()
    return text if len(text) <= MAX_PAYLOAD else f"{text[:MAX_PAYLOAD]}\n… {len(text) - MAX_PAYLOAD} characters more"


def _indented(text: str) -> list[str]:
    return [f"    {printable(line)}" for line in text.splitlines()]
