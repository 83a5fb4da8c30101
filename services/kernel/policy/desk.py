"""Reception, shifts and figures of the desk (domain.md 3 and 7). Defaults and rules: `defaults.toml`."""

from typing import Annotated

from msgspec import Meta, Struct

from services.kernel.policy.trade import ReplyTargets
from services.kernel.policy.units import Days, Minutes, Number, Percent, Positive, Window


class Bargaining(Struct, frozen=True, kw_only=True):
    """Bargaining 议价: when the supervisor is asked, and the gifts an agent may give alone."""

    escalate_round: Positive
    grant_answer_s: Positive
    gift_per_units: Positive
    gifts_an_order: Number


class Shifts(Struct, frozen=True, kw_only=True):
    """Shifts in local time; `day` and `evening` are full shifts."""

    day: Window
    half: Window
    evening: Window
    sign_in_grace_minutes: Minutes


class Roster(Struct, frozen=True, kw_only=True):
    """What a published roster must satisfy; each broken rule is named."""

    full_day_after_evening: bool
    least_on_duty: Number
    rest_days_a_month: Annotated[int, Meta(ge=0, le=31)]
    rest_days_a_week: Annotated[int, Meta(ge=0, le=7)]
    longest_to_shortest_percent: Percent
    late_change_days: Days


class Faq(Struct, frozen=True, kw_only=True):
    """The shared book 常见问答."""

    days_without_entry: Days


class Reception(Struct, frozen=True, kw_only=True):
    """Chat reception."""

    reply: ReplyTargets
    bot_first: bool
    bot_answer_s: Positive
    conversation_idle_minutes: Minutes
    questions_a_conversation: Number
    bargaining: Bargaining
    complaint_review_days: Days
    shifts: Shifts
    roster: Roster
    faq: Faq
    archive_every_days: Positive

    def __post_init__(self) -> None:
        if self.bot_answer_s > self.reply.nudge_s:
            raise ValueError("bot_answer_s must not exceed reply.nudge_s: the ladder would not wait for the bot")


class Desk(Struct, frozen=True, kw_only=True):
    """Figures that the desk works from."""

    conversion_days: Annotated[tuple[Days, ...], Meta(min_length=1)]
