"""`carebus live on|off SHOP`: whether a shop's care messages are really sent (domain.md 4, shadow mode)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
import typer
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from schemas import subjects
from schemas.commands.care_notifier import PauseSending, ResumeSending, SwitchLive
from schemas.envelope import Accepted, Actor, Command, Rejected
from services.cli import target
from services.cli.client import connected
from services.cli.target import failure
from services.kernel import bus
from services.kernel.ids import unique
from services.kernel.settings import Settings

app = typer.Typer(help="Send a shop's care messages, or hold them back.", no_args_is_help=True)

SERVICE = "care_notifier"
ANSWER_S = 10.0
OPERATOR = Actor(id="carebus-cli", role="owner")

Shop = Annotated[str, typer.Argument(metavar="SHOP", help="The shop's id, as its feeds say it.")]

_decode_answer = msgspec.json.Decoder(Accepted | Rejected).decode


@app.command()
def on(shop: Shop) -> None:
    """Send what falls due from now on; what fell due before, in shadow mode or in a pause, is never sent."""
    _run(shop, _on)


@app.command()
def off(shop: Shop) -> None:
    """Send nothing until `live on`; what falls due meanwhile is recorded as held back, and never sent."""
    _run(shop, _off)


async def _on(client: Client, shop: str) -> str:
    switched = await _changed(client, shop, SwitchLive())
    resumed = await _changed(client, shop, ResumeSending(reason="carebus live on"))
    if switched:
        return f"{shop} is live: what falls due from now on is sent; what fell due in shadow mode never is"
    if resumed:
        return f"{shop} sends again: what falls due from now on; what was held back in the pause never is"
    return f"{shop} is live already; nothing was changed"


async def _off(client: Client, shop: str) -> str:
    if await _changed(client, shop, PauseSending(reason="carebus live off")):
        return (
            f"{shop} is paused: nothing is sent until `carebus live on {shop}`; what falls due meanwhile is recorded"
            " as held back (care.suppressed, reason paused) and never sent"
        )
    return f"{shop} is paused already; nothing was changed"


def _run(shop: str, act: Callable[[Client, str], Awaitable[str]]) -> None:
    where = target.settings()
    if not 1 <= len(shop) <= 200:
        raise failure("SHOP: an id has 1 to 200 characters")
    try:
        asyncio.run(_acted(where, shop, act))
    except NoRespondersError:
        raise failure(f"{SERVICE} is not running: start it (carebus up, or carebus run {SERVICE})") from None
    except TimeoutError:
        raise failure(f"{SERVICE} did not answer within {ANSWER_S:g} s; give the same command again") from None
    except NatsError as error:
        raise failure(f"NATS: {error or type(error).__name__}; run carebus doctor") from None


async def _acted(where: Settings, shop: str, act: Callable[[Client, str], Awaitable[str]]) -> None:
    async with connected(where) as client:
        said = await act(client, shop)
        typer.echo(said)
        if not await _is_known(client, shop):
            typer.echo(f"the log has nothing else of {shop} yet: is this the id that its feeds say?")


async def _changed(client: Client, shop: str, data: Any) -> bool:
    """Whether the command changed anything; False: it was so already. Raises typer.Exit, and what nats-py raises."""
    command = Command(command_id=unique(), shop=shop, actor=OPERATOR, data=data)
    subject = subjects.command(SERVICE, data.NAME)
    reply = await client.request(subject, msgspec.json.encode(command), timeout=ANSWER_S)
    answer = _decode_answer(reply.data)
    if isinstance(answer, Rejected) and answer.code != "already":
        raise failure(f"{SERVICE} refused {data.NAME} for shop {shop}: {answer.code}: {answer.message}")
    return isinstance(answer, Accepted)


async def _is_known(client: Client, shop: str) -> bool:
    """Whether the log has anything of a buyer of this shop, or of its policy; True where that cannot be asked."""
    try:
        entities = ("order", "chat", "buyer", "policy")
        return any([await bus.last_of(client, f"evt.*.{subjects.token(shop)}.*.{entity}") for entity in entities])
    except bus.BusError:
        return True
