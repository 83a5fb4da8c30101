"""Where ids are made: deterministic for what is decided, random for what merely runs."""

import hashlib
import os
import socket
import uuid

_NAMESPACE = uuid.UUID("5a4f1c7e-52c5-5f0e-9d6a-0c1f6a1b7d11").bytes


def event_id(source: str, shop: str, buyer: str, key: str, cause: str, ordinal: int) -> str:
    """The id a process gives an event: uuid5 of who decided it, for whom, why, and its place among its siblings.

    The same decision always gets the same id, so a repeated one is recognised by the log and by its own process.
    """
    name = "\x1f".join((source, shop, buyer, key, cause, str(ordinal)))
    digest = hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16]
    return str(uuid.UUID(bytes=digest, version=5))


def replica_name() -> str:
    """A name for this running process, unique among replicas."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def unique() -> str:
    """A random id for a batch or a consumer."""
    return uuid.uuid4().hex
