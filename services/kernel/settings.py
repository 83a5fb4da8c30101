"""Settings of a running service, from the environment; read in this file and nowhere else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from msgspec import Meta, Struct


class SettingsError(ValueError):
    """An environment variable that is missing or wrong; the text names it and what it may hold."""


class Settings(Struct, frozen=True, kw_only=True):
    """Every variable is `CAREBUS_` + the field's name in capitals; `*_FILE` reads a secret from a file.

    nats_url, postgres_dsn: where the servers are. nats_password_file, postgres_password_file: a secret that is not
    in the URL. nats_credentials_file: a JWT and its seed instead. strict_logs: a wrong log field raises (tests).
    identity_key_file, vault_keys_file: what contact data is digested and sealed with (vault.py).
    door_file: who may publish through the HTTP door, with which secrets (trade_ingest/door_file.py).
    bridges_file: the shops' bridges, through which is acted on the platforms (trade_ingest/bridge_file.py).
    http_port: health, metrics and the HTTP door; 0 takes a free one. batch: most messages in one transaction.
    log_max_bytes, inbox_max_bytes: limits of the two streams, well below the disk. duplicate_window_s: how long
    JetStream itself remembers message ids. restored: the database comes from a backup that is older than the log;
    what is decided again is looked up in the log before it is sent (until the service has caught up).
    """

    nats_url: str = "nats://127.0.0.1:4222"
    nats_password_file: str = ""
    nats_credentials_file: str = ""
    postgres_dsn: str = "postgresql://127.0.0.1:5432/carebus"
    postgres_password_file: str = ""
    clock: Literal["wall", "driven"] = "wall"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    strict_logs: bool = False
    policy_directory: str = ""
    identity_key_file: str = ""
    vault_keys_file: str = ""
    door_file: str = ""
    bridges_file: str = ""
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    batch: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    log_max_bytes: Annotated[int, Meta(ge=1_048_576)] = 64 * 1024**3
    inbox_max_bytes: Annotated[int, Meta(ge=1_048_576)] = 16 * 1024**3
    duplicate_window_s: Annotated[int, Meta(ge=1, le=86_400)] = 600
    heartbeat_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    stale_s: Annotated[float, Meta(gt=0, le=600)] = 6.0
    restored: bool = False
    crash_at: str = ""
    """For fault tests: `<point>:<n>` kills the process at the n-th passage of a named crash point (crash.py)."""

    def dsn(self, role: str = "") -> str:
        """The PostgreSQL DSN, for another role if one is named, with the password from its file put in."""
        return _login(self.postgres_dsn, role, self.postgres_password_file, "CAREBUS_POSTGRES_PASSWORD_FILE")

    def nats(self) -> str:
        """The NATS URL with the password from its file put in."""
        return _login(self.nats_url, "", self.nats_password_file, "CAREBUS_NATS_PASSWORD_FILE")


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in this environment (default: the process's). Raises SettingsError."""
    source = os.environ if environment is None else environment
    given = {
        field.name: source[name]
        for field in msgspec.structs.fields(Settings)
        if (name := f"CAREBUS_{field.name.upper()}") in source
    }
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        name = f"CAREBUS_{path.rstrip('`').upper()}"
        raise SettingsError(f"{name}={source.get(name, '')!r}: {reason}") from None


def _login(url: str, user: str, password_file: str, variable: str) -> str:
    parts = urlsplit(url)
    user = user or parts.username or ""
    password = parts.password or ""
    if password_file:
        password = quote(_read(password_file, variable), safe="")
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    return urlunsplit(parts._replace(netloc=login + parts.netloc.rpartition("@")[2]))


def _read(path: str, variable: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{variable}: cannot read {path}: {error.strerror}") from None
