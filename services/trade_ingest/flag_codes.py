"""A platform's flag numbers: what shows none, which colour a number is, and who talks to whom by it (domain.md 2).

The numbers of the colours are policy (`flags.codes`). A number without a colour there, or of a colour that is no flag
here (Douyin's cyan), is kept as it is and not guessed at.
"""

from typing import Any, get_args

from msgspec.structs import replace

from schemas.flag import FLAG_ROUTES, OrderFlagCleared, OrderFlagged
from schemas.types import FlagColour, Platform
from services.kernel.policy import Policy, default_policy

NO_FLAG = ""

_GREY = "0"
_SHOW_NOTHING = frozenset({NO_FLAG, _GREY})
"""Grey is 0 wherever a platform has it; where it has not, its orders without a flag say 0 or nothing."""


def shown(raw_code: str) -> str:
    """The code of the flag that is shown; NO_FLAG where none is."""
    return NO_FLAG if raw_code in _SHOW_NOTHING else raw_code


def coloured(data: Any, platform: str, policy: Policy) -> Any:
    """A flag event with the colour of its code and the departments; any other event, or one with a colour, as it is."""
    if not isinstance(data, OrderFlagged | OrderFlagCleared) or data.colour is not None:
        return data
    if data.raw_code is None or not data.raw_code.isdecimal():
        return data
    colour = policy.flags.codes.of(platform).colour(int(data.raw_code))
    for flag, (sender, receiver) in FLAG_ROUTES.items():
        if flag == colour:
            return replace(data, colour=flag, from_department=sender, to_department=receiver)
    return data


def code_of(platform: Platform, colour: Any) -> str | None:
    """The code that a platform will show when it is asked for this colour; None as a colour takes the flag down.

    None: no colour, or none that this platform can show. The numbers are those of the default policy: sources and
    effects know no other, and a platform writes the same for all its shops.
    """
    if colour is None:
        return _GREY
    if colour not in get_args(FlagColour):
        return None
    code = default_policy().flags.codes.of(platform).code(colour)
    return None if code is None else str(code)
