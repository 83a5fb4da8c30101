"""Doors: HTTP paths of a service beside its health and metrics, for outside systems that cannot speak NATS.

A service names them (`Service.doors`); each is opened once, on the service's own connection, before it takes any
request. Every request under the prefix is the door's to answer.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from msgspec import Struct

from services.kernel import bus
from services.kernel.metrics import Metrics
from services.kernel.settings import Settings
from services.kernel.telemetry import Logger

Message = MutableMapping[str, Any]
"""An ASGI scope or event."""
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = Callable[[Message, Receive, Send], Awaitable[None]]
"""An ASGI application for requests of type `http`."""


class DoorMeans(Struct, frozen=True):
    """What a door works with."""

    settings: Settings
    nats: bus.Nats
    log: Logger
    metrics: Metrics


class Door(Struct, frozen=True, kw_only=True):
    """prefix: of the paths that are its own (`/in/`). open: raises SettingsError; the service does not start then."""

    prefix: str
    open: Callable[[DoorMeans], Answer]
