"""Operations events: refused messages, parked messages, silent feeds.

Buyer lane `-`. Source: domain.md 4; design.md.
"""

from typing import ClassVar

from msgspec import Struct

from schemas.types import Count, Id, Millis, Short, Text, Time


class OpsMessageRefused(Struct, frozen=True, kw_only=True):
    """A raw message, or a part of it, was refused. `inbox_seq`: its INBOX sequence. `field`: the path that was wrong.

    `place`: where its sender finds it, where that has lines (`orders.csv row 17`).
    """

    TYPE: ClassVar[str] = "ops.message_refused"
    VERSION: ClassVar[int] = 1

    source: Id
    shop: Id
    inbox_seq: Count
    kind: Short = ""
    reason: Text
    field: Short | None = None
    place: Short | None = None


class OpsParkedGrowing(Struct, frozen=True, kw_only=True):
    """A service's parked messages grow: this many now, the oldest since then."""

    TYPE: ClassVar[str] = "ops.parked_growing"
    VERSION: ClassVar[int] = 1

    service: Id
    count: Count
    since: Time


class OpsFeedSilent(Struct, frozen=True, kw_only=True):
    """A source has been silent since then: 5 x the median of its last 50 gaps in service time, at least 10
    min.
    """

    TYPE: ClassVar[str] = "ops.feed_silent"
    VERSION: ClassVar[int] = 1

    source: Id
    since: Time
    silent_ms: Millis
    median_gap_ms: Millis | None = None


EVENTS = (OpsMessageRefused, OpsParkedGrowing, OpsFeedSilent)
