"""The small vocabulary that every event and command field is spelled in."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

MAX_SAFE_INTEGER = 2**53 - 1
"""Beyond this a JSON number loses digits in most languages; ids are strings for that reason."""

MAX_ITEMS = 1000
"""The most items one list or object of a message may hold."""

Id = Annotated[str, Meta(min_length=1, max_length=200, description="An identifier, kept digit for digit.")]
BuyerId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"[^-]|..",
        description="A real buyer's id (买家). Never `-` alone: that is the lane of facts without a buyer.",
    ),
]
Short = Annotated[str, Meta(max_length=500, description="A name, a reason, a code: one line.")]
Text = Annotated[str, Meta(max_length=20_000, description="What a person wrote, at most 20,000 characters.")]
Fen = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER, description="Money in fen (分), one hundredth of a yuan.")]
SignedFen = Annotated[
    int, Meta(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER, description="A difference of money in fen (分).")
]
Millis = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER, description="A duration in milliseconds.")]
Days = Annotated[int, Meta(ge=0, le=36_500, description="A duration in days.")]
Count = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER, description="How many.")]
Whole = Annotated[int, Meta(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER, description="An integer below 2^53.")]
Time = Annotated[datetime, Meta(tz=True, description="An instant with its offset; written in UTC.")]
Day = Annotated[
    str,
    Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="A local calendar day of the shop, YYYY-MM-DD."),
]
Digest = Annotated[
    str,
    Meta(min_length=1, max_length=128, description="A keyed hash in hex: tells equal from different, no more."),
]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in lower-case hex.")]

Ids = Annotated[tuple[Id, ...], Meta(max_length=MAX_ITEMS)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=MAX_ITEMS)]
Values = Annotated[
    dict[Short, Text], Meta(max_length=MAX_ITEMS, description="Placeholder -> text. Never contact data.")
]
JsonObject = Annotated[
    dict[Short, Any],
    Meta(max_length=MAX_ITEMS, description="Any JSON, at most 32 deep, integers below 2^53."),
]

Platform = Literal["taobao", "tmall", "jd", "douyin", "pdd", "other"]
Role = Literal["agent", "supervisor", "owner", "warehouse", "aftersales", "system"]
Department = Literal["care_desk", "warehouse", "aftersales"]
"""客服部, 仓储部, 售后部: they talk through order flags (domain.md 1)."""
FlagColour = Literal["red", "blue", "yellow", "green", "purple"]
"""红 special wish, 蓝 replacement's number, 黄 out of stock, 绿 goods back, 紫 urgent (domain.md 2, Flags
旗帜).
"""
Channel = Literal["platform", "sms", "email", "phone"]
"""Platform message (旺旺/千牛, 咚咚, 飞鸽), SMS, e-mail, phone task (domain.md 1)."""


class Ref(Struct, frozen=True):
    """A pointer from one thing to another."""

    kind: Literal[
        "order", "parcel", "conversation", "message", "case", "review", "refund", "promise", "grant", "care",
        "agent", "escalation", "campaign", "action", "faq_entry", "service", "source",
    ]  # fmt: skip
    id: Id


Refs = Annotated[tuple[Ref, ...], Meta(max_length=MAX_ITEMS)]
