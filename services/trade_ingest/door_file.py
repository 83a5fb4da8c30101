"""Who may publish through the HTTP door: the file that `CAREBUS_DOOR_FILE` names.

    [[door]]
    source = "erp"
    shop = "s1"
    secret_file = "erp-s1.secrets"

A door is one source of one shop. Its secret file (webhook_secrets.py) is named from the TOML file's folder; each of the
secrets in it opens the door, so a secret is changed by adding the new one first. Both files are read when the service
starts and not again: what is wrong with them is then said at once, and never while a shop is selling.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from standardwebhooks.webhooks import Webhook

from schemas.types import Id
from services.kernel.settings import Settings, SettingsError
from services.trade_ingest.webhook_secrets import read_secrets, read_text

_VARIABLE = "CAREBUS_DOOR_FILE"

Doors = Mapping[tuple[str, str], Sequence[Webhook]]
"""(source, shop) -> what verifies the signatures made with each of its secrets."""


class _Door(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    source: Id
    shop: Id
    secret_file: Annotated[str, Meta(min_length=1)]


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    door: list[_Door]


def read_doors(settings: Settings) -> Doors:
    """No doors where the setting is empty. Raises SettingsError, which quotes no secret."""
    if not settings.door_file:
        return {}
    path = Path(settings.door_file)
    try:
        entries = msgspec.convert(tomllib.loads(read_text(path, _VARIABLE)), _File).door
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{_VARIABLE}: {path}: {error}") from None
    doors: dict[tuple[str, str], Sequence[Webhook]] = {}
    for entry in entries:
        if (entry.source, entry.shop) in doors:
            raise SettingsError(f"{_VARIABLE}: {path}: two doors of source {entry.source!r}, shop {entry.shop!r}")
        doors[entry.source, entry.shop] = read_secrets(path.parent / entry.secret_file, _VARIABLE)
    return doors
