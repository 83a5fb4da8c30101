"""`carebus import`: what other systems exported, published raw to INBOX; the ingest services do the rest."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
import typer
from msgspec import Struct
from nats.errors import Error as NatsError

from schemas import subjects
from services.cli import target
from services.cli.client import Lost, reached
from services.cli.progress import progress
from services.cli.reach import Unreachable
from services.cli.target import failure
from services.kernel import bus
from services.kernel.clock import monotonic
from services.kernel.settings import Settings
from services.kernel.telemetry import safe_url

if TYPE_CHECKING:
    from services.trade_ingest.exports.joining import Export

app = typer.Typer(help="Take in what other systems exported.", no_args_is_help=True)

IN_FLIGHT = 256
"""Messages that wait for their acknowledgement at once."""

ACK_S = 10.0
"""How long JetStream may take to acknowledge one; then it is published again, which does no harm: facts count once."""

ATTEMPTS = 5

_NO_STREAM = 10059


class Records(Protocol):
    """What can be published: payloads, and how many they are."""

    @property
    def messages(self) -> int: ...

    def records(self) -> Iterator[bytes]: ...


class Told(Struct, frozen=True, kw_only=True):
    """What an import did. rows: of each file. stray: rows without an order, published to be refused and kept."""

    shop: str
    orders: int
    rows: dict[str, int]
    stray: int
    idle_buyers: int
    messages: int
    seconds: float


@app.command()
def orders(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the export's CSV files are.")],
    mapping: Annotated[str, typer.Option(help="A TOML file, or the name of a mapping that ships: olist.")],
    shop: Annotated[str, typer.Option(help="Whose orders they are; by default the shop that the mapping names.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Publish an export of orders, one message an order. A second import adds nothing.

    The running trade_ingest turns them into events; rows that it refuses are kept with their file, row and field
    (`carebus parked list trade_ingest`) and in the log as ops.message_refused.
    """
    where = target.settings()
    owner, export = _read(directory, mapping, shop)
    begun = monotonic()
    publish_records(where, subjects.raw("csv", owner, "orders"), export, shown=not as_json)
    told = Told(
        shop=owner,
        orders=len(export.orders),
        rows=dict(export.rows),
        stray=len(export.stray),
        idle_buyers=export.idle_buyers,
        messages=export.messages,
        seconds=round(monotonic() - begun, 3),
    )
    typer.echo(msgspec.json.encode(told).decode() if as_json else _line(told))


def _read(directory: Path, name: str, shop: str) -> "tuple[str, Export]":
    """The shop, and its export read to the end before anything is published. Raises typer.Exit."""
    from services.trade_ingest.exports.joining import ExportError, read_export
    from services.trade_ingest.exports.mapping import MappingError, load_mapping

    try:
        mapping = load_mapping(name)
        if not (shop or mapping.shop):
            raise failure(f"mapping {name} names no shop: give --shop")
        return shop or mapping.shop, read_export(directory, mapping)
    except (MappingError, ExportError) as error:
        raise failure(f"{error} (nothing was published)") from None


def publish_records(where: Settings, subject: str, export: Records, *, shown: bool, in_flight: int = IN_FLIGHT) -> None:
    """Every record in INBOX. in_flight: 1 keeps their order. Raises typer.Exit where one cannot be published."""
    try:
        with progress(export.messages, "importing", shown=shown) as advance:
            asyncio.run(_publish_all(where, subject, export.records(), advance, in_flight))
    except Lost as error:
        raise _broken_off(error) from None
    except Unreachable as error:
        raise failure(f"{error}; {error.cure} (nothing was published)") from None
    except bus.BusError as error:
        cure = "start the services first, they make it" if error.code == _NO_STREAM else "is JetStream on there?"
        raise failure(f"INBOX at {safe_url(where.nats_url)}: {error}; {cure} (nothing was published)") from None
    except (NatsError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise _broken_off(f"NATS at {safe_url(where.nats_url)}: {reason}") from None


def _broken_off(why: object) -> typer.Exit:
    return failure(
        f"the import broke off: {why}; import again once that is mended, what was taken in already counts once"
    )


async def _publish_all(
    where: Settings, subject: str, records: Iterator[bytes], advance: Callable[[], None], in_flight: int
) -> None:
    """Every record is acknowledged when this returns."""
    async with reached(where) as client:
        await bus.stream_state(client, bus.INBOX)
        js = client.jetstream()

        async def work() -> None:
            for payload in records:  # one iterator for all: each record is taken once
                await _publish(js, subject, payload)
                advance()

        workers = [asyncio.create_task(work()) for _ in range(in_flight)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()


async def _publish(js: Any, subject: str, payload: bytes) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await js.publish(subject, payload, timeout=ACK_S)
            return
        except TimeoutError:
            if attempt == ATTEMPTS:
                raise


def _line(told: Told) -> str:
    rows = sum(told.rows.values())
    said = f"{told.orders} orders of shop {told.shop} ({rows} rows) published as {told.messages} messages"
    if told.stray:
        said += f", {told.stray} of them rows that belong to no order: they will be refused"
    return f"{said}, in {told.seconds:.1f} s; see `carebus parked list trade_ingest` for refused rows"
