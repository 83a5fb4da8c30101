"""The services' roles in a local PostgreSQL: a random password for each, in a file that only its owner reads."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from services.cli.processes import ServerError
from services.cli.secret_files import secret_file

_ITERATIONS = 4096
_ALTER = "SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)"


def role_of(service: str) -> str:
    return f"carebus_{service}"


def password_file(directory: Path, service: str) -> Path:
    """The file that holds the password of a service's role, made (mode 0600) where it is absent."""
    return secret_file(directory / f"{service}.password", lambda: secrets.token_urlsafe(24))


async def set_passwords(dsn: str, files: Mapping[str, Path]) -> None:
    """Let each service's role log in by the password in its file. Raises ServerError.

    The server is sent the SCRAM verifier and never the password, so no log of statements can hold it.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=10, command_timeout=10)
        try:
            for service, path in files.items():
                verifier = scram_verifier(path.read_text(encoding="utf-8"), secrets.token_bytes(16))
                await connection.execute(await connection.fetchval(_ALTER, role_of(service), verifier))
        finally:
            await connection.close(timeout=5)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise ServerError(
            f"the services' roles could not be given passwords: {type(error).__name__}: {error}"
        ) from None


def scram_verifier(password: str, salt: bytes) -> str:
    """What PostgreSQL keeps of an ASCII password (RFC 5802, RFC 7677)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt64}${stored64}:{server64}"
