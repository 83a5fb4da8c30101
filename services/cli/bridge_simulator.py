"""`carebus simulate`: the bridges of some shops to a platform that is not there, for trying out.

It writes the file that `CAREBUS_BRIDGES_FILE` is to name, with a secret beside it for each shop, and then plays the
platform until it is stopped.
"""

import asyncio
import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from nats.errors import Error as NatsError

from schemas import subjects
from schemas.subjects import token
from services.cli import target
from services.cli.client import connected
from services.cli.local import interruptible
from services.cli.simulated_bridge import Say, Script, ScriptError, Simulator, read_script
from services.cli.simulated_taobao import taobao
from services.cli.target import failure
from services.kernel.bus import BusError
from services.kernel.bus import publish as store
from services.kernel.ids import unique
from services.kernel.settings import Settings, SettingsError
from services.trade_ingest.webhook_secrets import read_secrets

HOST = "127.0.0.1"


def bridge_simulator(
    shop: Annotated[list[str], typer.Option(help="A shop whose bridge this is; give it once for each.")],
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 0,
    behaviour: Annotated[
        Path | None, typer.Option(help="A TOML file of rules and shares; without it everything is done at once.")
    ] = None,
    bridges: Annotated[
        Path, typer.Option(help="Where to write what CAREBUS_BRIDGES_FILE is to name; the secrets go beside it.")
    ] = Path(".carebus/bridges.toml"),
    echo: Annotated[bool, typer.Option(help="Publish the platform's own message of what was done.")] = True,
) -> None:
    """Play a platform (Taobao) and its bridge: verify, perform and answer what trade_ingest asks for, until Ctrl-C.

    Start it before the services, and these with CAREBUS_BRIDGES_FILE set to the file that it writes. Each action
    that was performed is one line.
    """
    try:
        script = read_script(behaviour) if behaviour else Script()
        keys = {name: _secret(bridges.parent / _secret_name(name)) for name in shop}
    except ScriptError as error:
        raise failure(f"--behaviour: {error}") from None
    except SettingsError as error:
        raise failure(str(error)) from None
    except OSError as error:
        raise failure(f"--bridges: {error.filename or bridges} cannot be used: {error.strerror}") from None
    try:
        with interruptible():
            asyncio.run(_play(keys, script, port, bridges.absolute(), target.settings() if echo else None))
    except KeyboardInterrupt:
        typer.echo("The simulator has stopped.")


async def _play(keys: Mapping[str, str], script: Script, port: int, file: Path, settings: Settings | None) -> None:
    if settings is None:
        await _serve(Simulator(keys, script, told=_told), port, file, list(keys))
        return
    async with connected(settings, again=True) as nats:

        async def say(source: str, shop: str, kind: str, message: Any) -> None:
            try:
                payload = msgspec.json.encode(message)
                await store(nats, subjects.raw(source, shop, kind), payload, {"Nats-Msg-Id": unique()})
            except (BusError, NatsError) as error:
                typer.echo(f"in.{source}.{shop}.{kind} could not be published: {type(error).__name__}", err=True)

        heard: Say = say
        await _serve(Simulator(keys, script, heard, taobao(), told=_told), port, file, list(keys))


async def _serve(simulator: Simulator, port: int, file: Path, shops: list[str]) -> None:
    try:
        url = await simulator.start(port)
    except OSError as error:
        raise failure(f"--port: {HOST}:{port} cannot be listened on: {error.strerror}") from None
    try:
        _write(file, bridges_file(url, shops))
        typer.echo(f"The bridge simulator is ready at {url}; CAREBUS_BRIDGES_FILE={file}")
        await asyncio.Event().wait()
    finally:
        await simulator.stop()


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise failure(f"--bridges: {file} cannot be written: {error.strerror}") from None


def _told(line: str) -> None:
    typer.echo(line)


def bridges_file(url: str, shops: list[str]) -> str:
    """The TOML of these shops' bridges, all at one simulator."""
    return "\n".join(
        f"[shop.{json.dumps(shop, ensure_ascii=False)}]\n"
        f"url = {json.dumps(f'{url}/{token(shop)}')}\n"
        'platform = "taobao"\n'
        f"secret_file = {json.dumps(_secret_name(shop))}\n"
        for shop in shops
    )


def _secret_name(shop: str) -> str:
    return f"bridge-{token(shop)}.secret"


def _secret(path: Path) -> str:
    """The first secret in this file, made (mode 0600) where it is absent. Raises OSError and SettingsError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    read_secrets(path, "--bridges")
    return path.read_text(encoding="ascii").split()[0]
