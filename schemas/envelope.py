"""What surrounds every message: events as CloudEvents 1.0, commands, queries and their answers."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from msgspec import Meta, Raw, Struct, field

from schemas.subjects import NO_BUYER
from schemas.types import Id, Role, Short, Time


class EventData(Protocol):
    """The data of an event: a frozen Struct that says its type and version; its first field is what it is
    about.
    """

    TYPE: ClassVar[str]
    VERSION: ClassVar[int]


class CommandData(Protocol):
    """The data of a command: a frozen Struct that says its name and the rejection codes of its own."""

    NAME: ClassVar[str]
    REJECTIONS: ClassVar[tuple[str, ...]]


COMMON_REJECTIONS = (
    "not_permitted", "unknown_id", "invalid_field", "stale_version", "command_conflict", "lane_blocked",
    "unavailable", "internal_error",
)  # fmt: skip
"""Rejection codes that any command may be answered with; each command adds its `REJECTIONS`."""

T = TypeVar("T", covariant=True)


class Event(Struct, Generic[T], frozen=True, kw_only=True):
    """An event in memory. `encode` writes it as a CloudEvent; the reader adds `seq` and `recordedtime`.

    time: when it happened (UTC). recordedtime: when the log took it (the JetStream timestamp).
    basis: the EVENTS sequence of the last input folded into the key that decided it, or `in:<seq>` for INBOX.
    ordinal: its place among the events of one decision. policy: digest of the policy that decided it.
    """

    data: T
    shop: str
    buyer: str = NO_BUYER
    time: datetime
    id: str = ""
    source: str = ""
    actor: str = ""
    correlationid: str = ""
    causationid: str = ""
    basis: str = ""
    ordinal: int = 0
    policy: str = ""
    seq: int = 0
    recordedtime: datetime | None = None


class CloudEvent(Struct, frozen=True, kw_only=True):
    """The wire form: CloudEvents 1.0, structured mode, JSON (cloudevents.io)."""

    specversion: Literal["1.0"] = "1.0"
    id: Id
    source: Short
    type: Short
    subject: Id
    time: Time
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Short
    shop: Id
    buyer: Id
    actor: Short = ""
    correlationid: Short = ""
    causationid: Short = ""
    basis: Short = ""
    ordinal: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    policy: Short = ""
    data: Raw


class Actor(Struct, frozen=True):
    """Who asks: an agent, a supervisor, the owner, another system."""

    id: Id
    role: Role


class Command(Struct, Generic[T], frozen=True, kw_only=True):
    """A wish, sent by request/reply to `cmd.<service>.<name>`.

    The same command_id always gets the same answer.
    """

    command_id: Id
    shop: Id
    actor: Actor
    data: T
    correlation_id: Short = ""


def _no_data() -> Raw:
    return Raw(b"{}")


class CommandEnvelope(Struct, frozen=True, kw_only=True):
    """A command as it arrives: its data is decoded once its name is known."""

    command_id: Id
    shop: Id
    actor: Actor
    data: Raw = field(default_factory=_no_data)
    correlation_id: Short = ""


class Accepted(Struct, frozen=True, kw_only=True, tag="accepted", tag_field="result"):
    """The command was carried out. `events` are the ids of what it decided; empty: it was so already."""

    command_id: str
    events: tuple[str, ...] = ()


class Rejected(Struct, frozen=True, kw_only=True, tag="rejected", tag_field="result"):
    """The command or query was refused.

    `message` says what to do, in English; `message_zh` the same, for agents.

    `code` is one of COMMON_REJECTIONS (`unavailable`: try again later) or of the command's own REJECTIONS.
    """

    code: str
    message: str
    field: str = ""
    message_zh: str = ""
    command_id: str = ""


class Query(Struct, Generic[T], frozen=True, kw_only=True):
    """A question, sent by request/reply to `query.<model>.<name>`.

    at_least_seq: answer only once the model has read the log up to here (read your own writes); bounded wait.
    """

    shop: Id
    data: T
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Short = ""
    at_least_seq: Annotated[int, Meta(ge=0, le=2**53 - 1)] = 0


class QueryEnvelope(Struct, frozen=True, kw_only=True):
    """A query as it arrives."""

    shop: Id
    data: Raw = field(default_factory=_no_data)
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Short = ""
    at_least_seq: Annotated[int, Meta(ge=0, le=2**53 - 1)] = 0


class Answer(Struct, frozen=True, kw_only=True, tag="answer", tag_field="result"):
    """Rows, where the next page starts (empty: no more), and how far the model had read the log."""

    rows: list[Any]
    next_cursor: str = ""
    seq: int = 0
