"""`stack.json`: where a local stack's servers and services are, so that every command finds them.

It holds no secret, and only its owner may read it. The settings of a command are the environment over the stack of
`CAREBUS_DIRECTORY` (default `.carebus`) over the defaults.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from services.kernel.settings import Settings, SettingsError, read_settings

DIRECTORY = "CAREBUS_DIRECTORY"
DEFAULT_DIRECTORY = ".carebus"
STACK = "stack.json"

_BELONG_TOGETHER = {
    "CAREBUS_NATS_URL": ("CAREBUS_NATS_PASSWORD_FILE", "CAREBUS_NATS_CREDENTIALS_FILE"),
    "CAREBUS_POSTGRES_DSN": ("CAREBUS_POSTGRES_PASSWORD_FILE",),
}
"""A server that the environment names is not logged in to with a secret of the stack's."""

_PLAIN = re.compile(r"[a-z]+://([^\s:@/?#,]+@)?[\w.,:\[\]-]+(/[\w.%-]*)?")
_OPEN_OPTIONS = {"sslmode", "sslrootcert", "application_name", "connect_timeout", "target_session_attrs"}
"""Of a DSN's query, what is no secret."""


class Place(Struct, frozen=True):
    """Of a running service."""

    url: str
    log: str


class Stack(Struct, frozen=True, kw_only=True):
    """variables: the settings of a client, as `CAREBUS_*`. services: by name. nats_monitoring: of its own NATS."""

    variables: dict[str, str]
    services: dict[str, Place]
    nats_monitoring: str = ""


def directory(environment: Mapping[str, str] | None = None) -> Path:
    """Where this command's local stack is, or would be."""
    source = os.environ if environment is None else environment
    return Path(source.get(DIRECTORY) or DEFAULT_DIRECTORY)


def write_stack(folder: Path, stack: Stack) -> None:
    unfinished = folder / f"{STACK}.unfinished"
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(stack)))
    unfinished.rename(folder / STACK)


def read_stack(folder: Path) -> Stack | None:
    """The stack of this directory; None where there never was one. Raises SettingsError."""
    path = folder / STACK
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stack)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise SettingsError(f"{path} is damaged ({error}): delete it and run `carebus up` again") from None


def found_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of a command. Raises SettingsError."""
    source = os.environ if environment is None else environment
    stack = read_stack(directory(source))
    return read_settings(source if stack is None else over(stack.variables, source))


def over(variables: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The stack's variables with the environment's over them."""
    foreign = {name for server, names in _BELONG_TOGETHER.items() if server in environment for name in names}
    return {name: value for name, value in variables.items() if name not in foreign} | dict(environment)


def absolute(variables: Mapping[str, str]) -> dict[str, str]:
    """The same settings for a process or a reader in another directory."""
    paths = ("_FILE", "_DIRECTORY")
    return {name: os.path.abspath(value) if name.endswith(paths) else value for name, value in variables.items()}


def clear_of_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """The settings as they may be written to a file.

    A password within a URL stays with whoever gave it. So does a whole URL, with the files that belong to it, if a
    secret may be anywhere else in it: in a query, in a second login, as a token of NATS, or where it is no URL.
    """
    kept = dict(variables)
    for name, files in _BELONG_TOGETHER.items():
        if name not in kept:
            continue
        kept[name] = _without_password(kept[name])
        has_password = ":" in urlsplit(variables[name]).netloc.rpartition("@")[0]
        has_user = has_password or name != "CAREBUS_NATS_URL" or files[0] in kept  # a NATS login of one part: a token
        if not _is_plain(kept[name], has_user=has_user):
            kept = {other: value for other, value in kept.items() if other not in (name, *files)}
    return kept


def _is_plain(url: str, *, has_user: bool) -> bool:
    """Whether nothing in a URL can be a secret. has_user: what is before its @ is a name."""
    address, _, query = url.partition("?")
    options = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    match = _PLAIN.fullmatch(address)
    return match is not None and (has_user or match[1] is None) and options <= _OPEN_OPTIONS


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login.partition(':')[0]}{at}{place}"))
