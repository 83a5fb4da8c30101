"""`carebus show`: what the read models know, asked of the running projections by request/reply."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import typer
from msgspec import Struct
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from rich.console import Console
from rich.table import Table

from schemas import subjects
from schemas.envelope import Answer, QueryEnvelope, Rejected
from services.cli import target
from services.cli.client import connected
from services.cli.target import failure
from services.cli.text import SHANGHAI, local, printable, row, table

app = typer.Typer(
    help="What became of an order, what was said in a chat, how fast it was answered.", no_args_is_help=True
)

ANSWER_S = 10.0
PAGE = 1_000
"""The most rows of one answer."""

STATES: Mapping[str, str] = {
    "unknown": "unknown",
    "placed": "placed 等待买家付款",
    "paid": "paid 买家已付款",
    "shipped": "shipped 卖家已发货",
    "signed": "signed 已签收",
    "completed": "completed 交易成功",
    "closed": "closed 交易关闭",
}

Shop = Annotated[str, typer.Argument(metavar="SHOP")]
Buyer = Annotated[str, typer.Argument(metavar="BUYER", help="The platform's open id.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="The most rows to show.")]
Zone = Annotated[str, typer.Option("--zone", metavar="ZONE", help="The time zone to tell times in.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, times in UTC, money in fen.")]

T = TypeVar("T")


class Found(Struct):
    """The rows of all pages as they came. more: there are others beyond the limit."""

    rows: list[Any]
    more: bool = False

    def of(self, kind: type[T]) -> list[T]:
        return msgspec.convert(self.rows, list[kind])


@app.command()
def order(
    shop: Shop,
    order_id: Annotated[str, typer.Argument(metavar="ORDER")],
    limit: Limit = 200,
    zone: Zone = SHANGHAI.key,
    as_json: AsJson = False,
) -> None:
    """Where an order stands, and all that happened about it, in order of time."""
    from services.projections.order_timeline import OrderPage

    here = _zone(zone)
    found = _ask("order_timeline", "order", shop, {"order_id": order_id}, limit, _events_in)
    if not found.rows:
        raise failure(f"shop {printable(shop)} has no order {printable(order_id)}: nothing in the log is about it")
    if as_json:
        events = [event for row in found.rows for event in row["events"]]
        _write([{"order": found.rows[-1]["order"], "events": events}])
        return
    pages = found.of(OrderPage)
    stands = pages[-1].order
    shown = table(f"order {printable(order_id)} of {printable(shop)}", "what", "")
    row(shown, "state", STATES[stands.state])
    row(shown, "buyer", stands.buyer)
    row(shown, "goods", stands.goods)
    row(shown, "total, paid", f"{_yuan(stands.total_fen)}, {_yuan(stands.paid_fen)}")
    for name in ("placed", "paid", "shipped", "signed", "completed", "closed"):
        if time := getattr(stands, f"{name}_at"):
            row(shown, name, local(time, zone=here))
    history = table("history", "time", "what", "type", "event")
    for event in (event for page in pages for event in page.events):
        row(history, local(event.time, zone=here), event.summary, event.type, str(event.seq))
    _print(found, shown, history)


@app.command()
def orders(shop: Shop, buyer: Buyer, limit: Limit = 100, zone: Zone = SHANGHAI.key, as_json: AsJson = False) -> None:
    """A buyer's orders, the newest first."""
    from services.projections.order_timeline import OrderState

    here = _zone(zone)
    found = _ask("order_timeline", "of_buyer", shop, {"buyer": buyer}, limit)
    if as_json:
        _write(found.rows)
        return
    shown = table(f"orders of {printable(buyer)}", "order", "state", "since", "total", "paid", "goods")
    for one in found.of(OrderState):
        since = local(one.placed_at or one.first_at, zone=here)
        money = (_yuan(one.total_fen), _yuan(one.paid_fen))
        row(shown, one.order_id, STATES[one.state], since, *money, one.goods)
    _print(found, shown, nothing=f"no orders of buyer {printable(buyer)} in shop {printable(shop)}: {_ids(shop)}")


@app.command()
def chat(shop: Shop, buyer: Buyer, limit: Limit = 200, zone: Zone = SHANGHAI.key, as_json: AsJson = False) -> None:
    """What was said with a buyer, in order of time."""
    from services.projections.chat_history import Message

    here = _zone(zone)
    found = _ask("chat_history", "of_buyer", shop, {"buyer": buyer}, limit)
    if as_json:
        _write(found.rows)
        return
    shown = table(f"chat with {printable(buyer)}", "time", "who", "text")
    talk = ""
    for one in found.of(Message):
        if talk and one.conversation_id != talk:
            shown.add_section()
        talk = one.conversation_id
        row(shown, local(one.time, zone=here), _who(one), _text(one))
    _print(found, shown, nothing=f"no chat with buyer {printable(buyer)} in shop {printable(shop)}: {_ids(shop)}")


@app.command(name="answer-times")
def answer_times(
    shop: Shop,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="A day, or a time: 2026-11-24T09:00.")] = "",
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="A time (not included), or a whole day.")] = "",
    limit: Limit = 1_000,
    zone: Zone = SHANGHAI.key,
    as_json: AsJson = False,
) -> None:
    """How fast buyers were answered: the whole shop, then each agent; bots apart. Without times: ever."""
    from services.projections.chat_history import AnswerTimes, Period

    here = _zone(zone)
    period = {"since": _instant(since, here, "--from"), "until": _instant(until, here, "--to", ends=True)}
    found = _ask("chat_history", "answer_times", shop, period, limit)
    if as_json:
        _write(found.rows)
        return
    golden, good, breach = (ms / 1000 for ms in (Period().golden_ms, Period().good_ms, Period().breach_ms))
    counts = (f"<= {golden:g} s", f"< {good:g} s", f">= {breach:g} s")
    title = f"answer times of {printable(shop)}"
    shown = table(title, "agent", "answered", "first", "average", "longest", *counts)
    for one in found.of(AnswerTimes):
        who = one.agent_id or ("all bots" if one.by_bot else "all people")
        shares = [f"{count} ({count / one.answered:.0%})" for count in (one.golden, one.good, one.breaches)]
        times = [_seconds(one.first_average_ms), _seconds(one.average_ms), _seconds(one.longest_ms)]
        row(shown, f"{who} (bot)" if one.by_bot and one.agent_id else who, str(one.answered), *times, *shares)
    _print(found, shown, nothing=f"no buyer of shop {printable(shop)} was answered then: {_ids(shop)}")


def _ask(
    model: str, name: str, shop: str, data: Mapping[str, Any], limit: int, size: Callable[[list[Any]], int] = len
) -> Found:
    """All pages up to `limit`. size: how much of the limit a page takes. Raises typer.Exit."""
    settings = target.settings()

    async def asked() -> Found:
        found = Found(rows=[])
        cursor, left = "", limit
        async with connected(settings) as nats:
            while True:
                envelope = QueryEnvelope(
                    shop=shop, data=msgspec.Raw(msgspec.json.encode(data)), limit=min(PAGE, left), cursor=cursor
                )
                reply = await nats.request(subjects.query(model, name), msgspec.json.encode(envelope), timeout=ANSWER_S)
                answer = msgspec.json.decode(reply.data, type=Answer | Rejected)
                if isinstance(answer, Rejected):
                    field = f" at {printable(answer.field)}" if answer.field else ""
                    raise failure(f"projections refused the query{field} ({answer.code}): {printable(answer.message)}")
                found.rows += answer.rows
                cursor, left = answer.next_cursor, left - size(answer.rows)
                if not cursor or left < 1:
                    found.more = bool(cursor)
                    return found

    try:
        return asyncio.run(asked())
    except NoRespondersError:
        raise failure("projections is not running: carebus up, or carebus run projections") from None
    except TimeoutError:
        raise failure(f"projections did not answer within {ANSWER_S:g} s: look at its log") from None
    except NatsError as error:
        raise failure(f"NATS: {error or type(error).__name__}: run carebus doctor") from None
    except UnicodeEncodeError:
        raise failure("an argument is no UTF-8 text: look at the terminal's locale") from None


def _ids(shop: str) -> str:
    return f"are the ids those of the shop's feeds? `carebus tail {printable(shop)}/` shows some"


def _events_in(rows: list[Any]) -> int:
    return sum(len(row["events"]) for row in rows)


def _write(rows: list[Any]) -> None:
    for one in rows:
        typer.echo(msgspec.json.encode(one).decode())


def _print(found: Found, *tables: Table, nothing: str = "") -> None:
    """nothing: what is said where there is no row."""
    if not found.rows:
        typer.echo(nothing)
        return
    console = Console(highlight=False)
    for one in tables:
        console.print(one)
    if found.more:
        typer.echo("there is more: give a larger --limit", err=True)


def _who(message: Any) -> str:
    if message.who == "buyer":
        return "buyer"
    return message.agent_id + (" (bot)" if message.who == "bot" else "") if message.agent_id else "shop"


def _text(message: Any) -> str:
    if message.kind == "recall":
        return "took back a message 撤回"
    kind = "" if message.kind == "text" else f"[{message.kind}] "
    return f"{kind}{message.text}{'  (taken back 撤回)' if message.recalled else ''}"


def _yuan(fen: int | None) -> str:
    return "-" if fen is None else f"{fen // 100:,}.{fen % 100:02} CNY"


def _seconds(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise failure(f"--zone {printable(name)}: no such time zone; write it as in {SHANGHAI.key}") from None


def _instant(text: str, zone: tzinfo, option: str, *, ends: bool = False) -> datetime | None:
    """A local time, or one with its offset. ends: a day means its end. Raises typer.Exit."""
    if not text:
        return None
    try:
        if len(text) == len("2026-11-24"):
            day = date.fromisoformat(text) + timedelta(days=1 if ends else 0)
            return datetime.combine(day, datetime.min.time(), zone).astimezone(UTC)
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise failure(f"{option} {printable(text)}: no time; write it as in 2026-11-24 or 2026-11-24T09:00") from None
