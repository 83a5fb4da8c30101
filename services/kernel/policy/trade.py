"""The shop, its calendar, its orders and flags (domain.md 1 and 2). Defaults and rules: `defaults.toml`."""

from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import holidays
from msgspec import Meta, Struct

from schemas.care import CareKind
from schemas.types import FlagColour, Platform
from services.kernel.policy.units import ClockTime, Days, Hours, Minutes, Name, Number, Positive, Weekday, Window


class Shop(Struct, frozen=True, kw_only=True):
    """What the shop is. `owner` is filled in from the owner's file."""

    name: str
    owner: str
    platform: Platform
    kind: Literal["c_shop", "mall"]
    main_accounts: tuple[Name, ...]
    ship_from: str


class ReplyTargets(Struct, frozen=True, kw_only=True):
    """Answer times in seconds of service time, and the ladder of one unanswered cycle."""

    target_s: Positive
    first_s: Positive
    average_s: Positive
    nudge_s: Positive
    warn_s: Positive
    breach_s: Positive

    def __post_init__(self) -> None:
        if not self.nudge_s < self.warn_s < self.breach_s:
            raise ValueError("the ladder climbs: nudge_s < warn_s < breach_s")


class DayOverride(Struct, frozen=True, kw_only=True):
    """One local day that differs from the rule. `service` absent: as usual; empty: closed all day."""

    day: date
    service: tuple[Window, ...] | None = None
    shipping: bool | None = None


class Promo(Struct, frozen=True, kw_only=True):
    """A campaign period (双11, 春节): local days, both included. `reply` absent: the usual targets."""

    name: Name
    first_day: date
    last_day: date
    reply: ReplyTargets | None = None
    transit_slack_days: Days = 0
    off_kinds: tuple[CareKind, ...] = ()

    def __post_init__(self) -> None:
        if self.last_day < self.first_day:
            raise ValueError(f"promo {self.name}: last_day lies before first_day")


class Calendar(Struct, frozen=True, kw_only=True):
    """When the shop answers and ships."""

    time_zone: str
    holidays_of: str
    service: tuple[Window, ...]
    service_on_holidays: bool
    shipping_weekdays: Annotated[tuple[Weekday, ...], Meta(min_length=1)]
    shipping_on_holidays: bool
    transit_slack_days: Days
    days: tuple[DayOverride, ...]
    promo: tuple[Promo, ...]

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"time_zone: {self.time_zone!r} is no IANA time zone") from error
        if self.holidays_of and not _is_country(self.holidays_of):
            raise ValueError(f'holidays_of: {self.holidays_of!r} is no country; an ISO code like "CN", or "" for none')


def _is_country(code: str) -> bool:
    """Whether the library `holidays` has this country; it would take its own class names for one too."""
    try:
        holidays.country_holidays(code)
    except NotImplementedError:
        return False
    return len(code) == len("CN")


class Transit(Struct, frozen=True, kw_only=True):
    """Expected days from shipping to signing."""

    same_province_days: Days
    elsewhere_days: Days
    far_days: Days
    far_regions: tuple[Name, ...]


class Orders(Struct, frozen=True, kw_only=True):
    """Paying, shipping, receiving; how long a fact waits for what it lacks, and an order is remembered."""

    pay_within_hours: Hours
    ship_due_cutoff: ClockTime
    ship_due_else_hours: Hours
    ship_warn_before_hours: Hours
    ship_sentence_until: ClockTime
    no_pickup_scan_hours: Hours
    platform_completes_days: Days
    extension_after_days: Days
    extension_days: Days
    extensions_by_itself: Number
    transit: Transit
    details_wait_minutes: Minutes
    waiting_hours: Hours
    remembered_days: Days
    fold_after_days: Days


class FlagCodes(Struct, frozen=True, kw_only=True):
    """A platform's number of each colour that it shows, also of those that are no flags here."""

    grey: int | None = None
    red: int | None = None
    yellow: int | None = None
    green: int | None = None
    blue: int | None = None
    purple: int | None = None
    cyan: int | None = None
    orange: int | None = None

    def colour(self, code: int) -> str | None:
        """The colour of this number; None: unmapped, keep the raw code and guess nothing."""
        return next((name for name in self.__struct_fields__ if getattr(self, name) == code), None)

    def code(self, colour: FlagColour) -> int | None:
        """The platform's number; None: this platform cannot show the colour."""
        number: int | None = getattr(self, colour)
        return number


class PlatformFlagCodes(Struct, frozen=True, kw_only=True):
    """The codes of each platform that has told them."""

    taobao: FlagCodes
    tmall: FlagCodes
    pdd: FlagCodes
    douyin: FlagCodes

    def of(self, platform: str) -> FlagCodes:
        """A platform not listed maps nothing: its codes stay raw."""
        codes: FlagCodes = getattr(self, platform) if platform in self.__struct_fields__ else FlagCodes()
        return codes


class Flags(Struct, frozen=True, kw_only=True):
    """Order flags 旗帜."""

    precedence: tuple[FlagColour, ...]
    stock_answer_hours: Hours
    codes: PlatformFlagCodes

    def __post_init__(self) -> None:
        if sorted(self.precedence) != ["blue", "green", "purple", "red", "yellow"]:
            raise ValueError("precedence: each of purple, yellow, red, green, blue stands in it once")
