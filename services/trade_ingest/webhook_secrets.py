"""Files with the secrets that HTTP requests are signed with, after Standard Webhooks.

One secret a line: base64 of 24 to 64 bytes, with or without the prefix `whsec_`. Several, so that a secret can be
changed without a request that is refused meanwhile. Errors say where, and quote no secret.
"""

import base64
from collections.abc import Sequence
from pathlib import Path

from standardwebhooks.webhooks import Webhook

from services.kernel.settings import SettingsError

SECRET_BYTES = (24, 64)
"""Shortest and longest secret of Standard Webhooks."""

_PREFIX = "whsec_"


def read_secrets(path: Path, variable: str) -> Sequence[Webhook]:
    """What signs and verifies with each secret of the file, at least one. Raises SettingsError, naming the variable."""
    lines = [(number, line.strip()) for number, line in enumerate(read_text(path, variable).splitlines(), 1)]
    found = [_webhook(line, f"{variable}: {path}: line {number}") for number, line in lines if line]
    if not found:
        raise SettingsError(f"{variable}: {path}: no secret in it")
    return found


def read_text(path: Path, variable: str) -> str:
    """Raises SettingsError, naming the variable."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{variable}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{variable}: {path}: no text in UTF-8") from None


def _webhook(line: str, place: str) -> Webhook:
    text = line.removeprefix(_PREFIX)
    try:
        secret = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        secret = b""
    least, most = SECRET_BYTES
    if not least <= len(secret) <= most:
        raise SettingsError(f"{place}: a secret is base64 of {least} to {most} bytes")
    return Webhook(secret)
