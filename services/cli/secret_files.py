"""Files that hold a secret: made once, mode 0600, never half written."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from services.kernel.vault import new_vault_key


def secret_file(path: Path, make: Callable[[], str]) -> Path:
    """The file, made with what `make` returns where it is absent."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())
        unfinished.rename(path)
    return path


def key_files(directory: Path) -> dict[str, str]:
    """The settings that name the files of the vault's keys and the identity key, made where they are absent."""
    identity = secret_file(directory / "identity.key", lambda: secrets.token_urlsafe(48))
    vault = secret_file(directory / "vault.keys", new_vault_key)
    return {"CAREBUS_IDENTITY_KEY_FILE": str(identity), "CAREBUS_VAULT_KEYS_FILE": str(vault)}
