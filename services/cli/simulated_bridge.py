"""A platform and its bridge, simulated: what `bridge_http.py` asks is verified, remembered, and performed or not.

    simulator = Simulator({"s1": secret}, script)
    url = await simulator.start()          # 127.0.0.1; the bridge of a shop is url + "/" + the shop's token
    ... simulator.done                     # the actions performed, in their order; once each, or the product is wrong

| behaviour | performs | answers |
| --- | --- | --- |
| done | yes | 200 done |
| slow | yes | 200 done, after `slow_s` |
| twice | yes | 200 done, and the same once more as `in.bridge.<shop>.result` |
| late | yes, after `slow_s` | 202 at once; then `in.bridge.<shop>.result` |
| refuse | no | 200 refused |
| busy | the second time it is asked | 503 not_done, then 200 done |
| error | yes | 500, without a word about it |
| hang | yes | nothing |
| reset | yes | the connection is reset |

Asked again for what it has performed, it answers done and does not perform it again, as the key of a request demands.
"""

import asyncio
import random
import tomllib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from schemas.platform import ActionKind
from schemas.subjects import token
from services.trade_ingest.bridge_http import Request

Behaviour = Literal["done", "slow", "twice", "late", "refuse", "busy", "error", "hang", "reset"]

Say = Callable[[str, str, str, Any], Awaitable[None]]
"""Publishes a raw fact: source, shop, kind, and what becomes its JSON."""

Echo = Callable[[Request], "tuple[str, str, Any] | None"]
"""The platform's own message of an action: source, kind, JSON. None: it sends none."""


class ScriptError(ValueError):
    """A behaviour file that cannot be used; the text says where and why."""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked about this order, of this kind, by this buyer (absent: of any) behaves so."""

    behaviour: Behaviour
    order_id: str | None = None
    kind: ActionKind | None = None
    buyer: str | None = None

    def fits(self, request: Request) -> bool:
        wanted = ((self.order_id, request.args.get("order_id")), (self.kind, request.kind), (self.buyer, request.buyer))
        return all(one is None or one == found for one, found in wanted)


class Script(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the bridge behaves: the first rule that fits, else by chance.

    shares: kind of action, or `any` -> behaviour -> its share among them; nothing: `done`. The chance is that of the
    action's id, so it is the same whatever comes before it. slow_s: seconds.
    """

    seed: int = 1
    slow_s: Annotated[float, Meta(ge=0, le=600)] = 2.0
    rules: tuple[Rule, ...] = ()
    shares: dict[ActionKind | Literal["any"], dict[Behaviour, Annotated[int, Meta(ge=0, le=1_000_000)]]] = {}

    def behaviour(self, request: Request) -> Behaviour:
        if rule := next((rule for rule in self.rules if rule.fits(request)), None):
            return rule.behaviour
        shares = self.shares.get(request.kind) or self.shares.get("any") or {}
        if not any(shares.values()):
            return "done"
        chance = random.Random(f"{self.seed}:{request.shop}:{request.action_id}")
        return chance.choices(list(shares), list(shares.values()))[0]


def read_script(path: Path) -> Script:
    """Raises ScriptError."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Script)
    except OSError as error:
        raise ScriptError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ScriptError(f"{path}: {error}") from None


class Simulator:
    """The bridges of some shops. asked: every request that was well signed. done: every one that was performed.

    say: what is published with; may be given when it runs already. told: hears a line for each that was performed.
    """

    def __init__(
        self,
        secrets: Mapping[str, str],
        script: Script | None = None,
        say: Say | None = None,
        echo: Echo | None = None,
        told: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.asked: list[Request] = []
        self.done: list[Request] = []
        self.refused_signatures = 0
        self._verifiers = {shop: Webhook(secret) for shop, secret in secrets.items()}
        self._script = script or Script()
        self.say = say
        self._echo = echo
        self._told = told
        self._bodies: dict[tuple[str, str], bytes] = {}
        self._references: dict[tuple[str, str], str] = {}
        self._ended = asyncio.Event()
        self._later: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None

    @property
    def performed(self) -> Counter[tuple[str, str]]:
        """(shop, action id) -> how often it was performed."""
        return Counter((request.shop, request.action_id) for request in self.done)

    async def start(self, port: int = 0) -> str:
        """Listen on 127.0.0.1, on a free port for 0. Raises OSError."""
        application = web.Application(client_max_size=1024**2)
        application.router.add_post("/{shop}", self._handle)
        self._ended.clear()
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port: int = self._runner.addresses[0][1]
        return f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        """What it has promised to do later is not done any more."""
        self._ended.set()
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        shops = {token(shop): shop for shop in self._verifiers}
        shop = shops.get(http.match_info["shop"])
        body = await http.read()
        if shop is None or not self._is_signed(shop, http, body):
            self.refused_signatures += 1
            return _said(401, "refused", error="no such bridge, or not signed with its secret")
        try:
            request = msgspec.json.decode(body, type=Request)
        except msgspec.MsgspecError as error:
            return _said(400, "refused", error=str(error))
        name = token(request.action_id)
        if request.shop != shop or {http.headers.get("Idempotency-Key"), http.headers["webhook-id"]} != {name}:
            return _said(400, "refused", error="shop, Idempotency-Key and webhook-id are not those of the body")
        known = (shop, request.action_id)
        first = self._bodies.setdefault(known, body) is body
        if self._bodies[known] != body:
            return _said(422, "refused", error="this key was used for another action")
        self.asked.append(request)
        if known in self._references:
            return _said(200, "done", platform_ref=self._references[known])
        return await self._behave(self._script.behaviour(request), request, http, first=first)

    def _is_signed(self, shop: str, http: web.Request, body: bytes) -> bool:
        try:
            self._verifiers[shop].verify(body, dict(http.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):  # the library unpacks and decodes whatever was sent
            return False
        return True

    async def _behave(
        self, behaviour: Behaviour, request: Request, http: web.Request, *, first: bool
    ) -> web.StreamResponse:
        match behaviour:
            case "refuse":
                return _said(200, "refused", error="the platform does not allow it")
            case "busy" if first:
                return _said(503, "not_done", error="busy")
            case "late":
                self._afterwards(self._perform_late(request))
                return _said(202, "accepted")
            case "slow":
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), self._script.slow_s)
            case _:
                pass
        reference = await self._perform(request)
        match behaviour:
            case "error":
                return web.Response(status=500, text="Internal Server Error")
            case "hang":
                await self._ended.wait()
            case "reset" if http.transport is not None:
                http.transport.abort()
            case "twice":
                await self._report(request)
            case _:
                pass
        return _said(200, "done", platform_ref=reference)

    async def _perform(self, request: Request) -> str:
        """As the platform does it: its own message follows, by whatever feed it has."""
        self.done.append(request)
        self._told(f"{request.shop} {request.kind} {request.args.get('order_id', '')} {request.action_id}")
        reference = f"sim-{len(self.done)}"
        self._references[request.shop, request.action_id] = reference
        if self.say and self._echo and (told := self._echo(request)):
            source, kind, message = told
            await self.say(source, request.shop, kind, message)
        return reference

    async def _perform_late(self, request: Request) -> None:
        await asyncio.sleep(self._script.slow_s)
        if (request.shop, request.action_id) not in self._references:
            await self._perform(request)
        await self._report(request)

    async def _report(self, request: Request) -> None:
        if self.say:
            reference = self._references[request.shop, request.action_id]
            result = {"action_id": request.action_id, "status": "done", "platform_ref": reference}
            await self.say("bridge", request.shop, "result", result)

    def _afterwards(self, what: Any) -> None:
        task = asyncio.get_running_loop().create_task(what)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


def _said(http_status: int, status: str, **more: str) -> web.Response:
    body = msgspec.json.encode({"status": status, **more})
    return web.Response(status=http_status, body=body, content_type="application/json")
