"""How an old version of an event becomes the next one: (type, version) -> function of its data.

An upcast takes the data as plain JSON values and returns the data of version + 1. The golden example of every
version that was ever published must pass through here (tests/contract).
"""

from collections.abc import Callable, Mapping
from typing import Any

Data = dict[str, Any]
Upcasts = Mapping[tuple[str, int], Callable[[Data], Data]]

UPCASTS: dict[tuple[str, int], Callable[[Data], Data]] = {}


class NoUpcast(LookupError):
    """A version from which no upcast leads to the wanted one: it is newer, or was never published."""


def upcast(event_type: str, version: int, to: int, data: Data, steps: Upcasts = UPCASTS) -> Data:
    """The data of `version` as that of version `to`. Raises NoUpcast."""
    while version != to:
        step = steps.get((event_type, version))
        if step is None:
            raise NoUpcast(event_type, version)
        data, version = step(data), version + 1
    return data
