"""The shops' bridges: the file that `CAREBUS_BRIDGES_FILE` names.

    [shop.s1]
    url = "https://bridge.example/s1"
    platform = "taobao"
    secret_file = "bridge-s1.secret"

A bridge acts on one shop's platform. The secret file (webhook_secrets.py) is named from the TOML file's folder; a
request carries a signature made with each of the secrets in it, so a secret is changed by adding the new one, changing
the bridge, and removing the old one. Without TLS a bridge may only be on this machine. Both files are read when the
service starts, and not again.
"""

import tomllib
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct
from standardwebhooks.webhooks import Webhook

from schemas.types import Id, Platform
from services.kernel.settings import Settings, SettingsError
from services.trade_ingest.webhook_secrets import read_secrets, read_text

_VARIABLE = "CAREBUS_BRIDGES_FILE"


class Bridge(Struct, frozen=True, kw_only=True):
    """Where a shop's actions are asked for. signers: one for each secret; a request carries all their signatures."""

    url: str
    platform: Platform
    signers: Sequence[Webhook]


Bridges = Mapping[str, Bridge]
"""Shop -> its bridge."""


class _Shop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str
    platform: Platform
    secret_file: Annotated[str, Meta(min_length=1)]


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    shop: dict[Id, _Shop]


def read_bridges(settings: Settings) -> Bridges:
    """No bridges where the setting is empty. Raises SettingsError, which quotes no secret."""
    if not settings.bridges_file:
        return {}
    path = Path(settings.bridges_file)
    try:
        shops = msgspec.convert(tomllib.loads(read_text(path, _VARIABLE)), _File).shop
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{_VARIABLE}: {path}: {error}") from None
    return {name: _bridge(path, name, shop) for name, shop in shops.items()}


def _bridge(path: Path, name: str, shop: _Shop) -> Bridge:
    if fault := _url_fault(shop.url):
        raise SettingsError(f"{_VARIABLE}: {path}: shop.{name}.url: {fault}")
    signers = read_secrets(path.parent / shop.secret_file, _VARIABLE)
    return Bridge(url=shop.url, platform=shop.platform, signers=signers)


def _url_fault(url: str) -> str:
    """Why a bridge cannot be there; quotes nothing: a URL may hold a login."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "no URL"
    if parts.scheme not in ("http", "https") or not host:
        return "no URL like https://bridge.example/s1"
    if parts.username or parts.password:
        return "a login in it; the signature says who asks"
    if parts.scheme == "http" and not _is_here(host):
        return "http, where only this machine (127.0.0.1) is reached without TLS; give https"
    return ""


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
