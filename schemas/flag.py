"""Order flag events (旗帜): how care desk, warehouse and aftersales talk. Source: domain.md 2, Flags."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from msgspec import Struct

from schemas.types import Count, Department, FlagColour, Id, Short, Text, Time

FLAG_ROUTES: Mapping[FlagColour, tuple[Department, Department]] = {
    "red": ("care_desk", "warehouse"),
    "blue": ("warehouse", "care_desk"),
    "yellow": ("warehouse", "care_desk"),
    "green": ("warehouse", "aftersales"),
    "purple": ("care_desk", "warehouse"),
}
"""Who raises a flag, and whom it speaks to: only the one raises it, only the other clears it."""


class OrderFlagged(Struct, frozen=True, kw_only=True):
    """A flag was raised, by command or on the platform.

    A platform colour without a meaning here has no `colour`, only its `raw_code`, and no departments.
    `memo_version`: the order memo's version with this flag. `waybill`: the replacement's number (blue).
    """

    TYPE: ClassVar[str] = "order.flagged"
    VERSION: ClassVar[int] = 1

    order_id: Id
    colour: FlagColour | None = None
    raw_code: Short | None = None
    memo: Text
    memo_version: Count | None = None
    from_department: Department | None = None
    to_department: Department | None = None
    waybill: Id | None = None


class OrderFlagCleared(Struct, frozen=True, kw_only=True):
    """A flag was taken down: by its receiver, or on the platform (`raw_code` may be all there is)."""

    TYPE: ClassVar[str] = "order.flag_cleared"
    VERSION: ClassVar[int] = 1

    order_id: Id
    colour: FlagColour | None = None
    raw_code: Short | None = None
    memo: Text = ""
    memo_version: Count | None = None
    from_department: Department | None = None
    to_department: Department | None = None


class OrderFlagRefused(Struct, frozen=True, kw_only=True):
    """A flag was refused, and why."""

    TYPE: ClassVar[str] = "order.flag_refused"
    VERSION: ClassVar[int] = 1

    order_id: Id
    colour: FlagColour
    reason: Literal["wrong_department", "no_memo", "not_paid", "already_shipped", "not_raised"]
    department: Department | None = None
    memo: Text = ""


class OrderFlagConflicted(Struct, frozen=True, kw_only=True):
    """A red or purple flag is newer than the printed label: the parcel would leave without it.

    Told to both departments for the whole waybill; `order_id` is the flagged order.
    """

    TYPE: ClassVar[str] = "order.flag_conflicted"
    VERSION: ClassVar[int] = 1

    order_id: Id
    colour: FlagColour
    reason: Short
    waybill: Id | None = None
    flagged_at: Time
    printed_at: Time


EVENTS = (OrderFlagged, OrderFlagCleared, OrderFlagRefused, OrderFlagConflicted)
