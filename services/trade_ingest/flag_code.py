"""The code by which a platform will show the flag that it is asked to set (domain.md 2, Flags)."""

from typing import Any, get_args

from schemas.types import FlagColour, Platform
from services.kernel.policy import default_policy

NO_FLAG = "0"
"""Grey, where a platform has it; an order without a flag says 0 on the others, or nothing."""


def code_of(platform: Platform, colour: Any) -> str | None:
    """None as a colour takes the flag down. None: no colour, or none that this platform can show.

    The numbers are those of the default policy: sources and effects know no other, and a platform writes the same for
    all its shops.
    """
    if colour is None:
        return NO_FLAG
    if colour not in get_args(FlagColour):
        return None
    code = default_policy().flags.codes.of(platform).code(colour)
    return None if code is None else str(code)
