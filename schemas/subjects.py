"""Where a message lives on the bus: building, parsing and filtering NATS subjects.

    evt.<partition>.<shop>.<buyer>.<entity>       the log; the lane is (shop, buyer)
    in.<source>.<shop>.<kind>                     raw facts, as outside systems publish them
    inbox.<partition>.<source>.<shop>.<kind>      the same, as the INBOX stream stores them
    cmd.<service>.<name>  query.<model>.<name>    request / reply
    notice.<source>.<shop>  desk.<shop>.<role>    told once, not stored

A token is the id itself where that is letters, digits, `_` and `-`; any other id (Chinese, dots,
spaces, wildcards, empty) is written `=` + base64url of its UTF-8 bytes, so that it reads back exactly.
"""

import base64
import re
from collections.abc import Collection
from functools import lru_cache

from msgspec import Struct

PARTITIONS = 16
"""Fixed at birth: changing it would move buyers between lanes (design.md, "The log")."""

NO_BUYER = "-"
"""The lane of facts without a buyer: agents, rosters, policy.

Its token is `-` itself. No buyer has this id: wherever the outside names a buyer the type is `BuyerId`, which
refuses it, so an id and its lane stay one to one and `token` needs no exception.
"""

_PARTITION_TOKENS = frozenset(str(number) for number in range(PARTITIONS))
_CLEAN = re.compile(r"[A-Za-z0-9_-]+")


class SubjectError(ValueError):
    """A subject that is not of the grammar above; the text names the subject and the fault."""


class EventSubject(Struct, frozen=True):
    partition: int
    shop: str
    buyer: str
    entity: str


class InboxSubject(Struct, frozen=True):
    partition: int
    source: str
    shop: str
    kind: str


@lru_cache(maxsize=16_384)
def token(identifier: str) -> str:
    """One subject token that `untoken` turns back into exactly this id.

    Raises SubjectError for a lone surrogate, which is no Unicode text.
    """
    if _CLEAN.fullmatch(identifier):
        return identifier
    try:
        return "=" + base64.urlsafe_b64encode(identifier.encode()).decode().rstrip("=")
    except UnicodeEncodeError as error:
        raise SubjectError(f"{identifier!r} is no Unicode text") from error


def untoken(text: str) -> str:
    """The id behind a token. Raises SubjectError for a token that `token` never writes."""
    if not text.startswith("="):
        if _CLEAN.fullmatch(text):
            return text
        raise SubjectError(f"{text!r} is no subject token")
    body = text[1:]
    try:
        identifier = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()
    except ValueError as error:
        raise SubjectError(f"{text!r} is no subject token: {error}") from error
    if token(identifier) != text:
        raise SubjectError(f"{text!r} is not the one spelling of {identifier!r}")
    return identifier


@lru_cache(maxsize=16_384)
def partition(shop: str, buyer: str) -> int:
    """The lane's partition: FNV-1a 32 of both tokens, as the server's `{{partition(16,1,2)}}` computes it."""
    return _fnv1a32((token(shop) + token(buyer)).encode()) % PARTITIONS


@lru_cache(maxsize=16_384)
def inbox_partition(shop: str) -> int:
    """The partition of a shop's raw facts, as INBOX's ingest transform computes it."""
    return _fnv1a32(token(shop).encode()) % PARTITIONS


def _fnv1a32(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


@lru_cache(maxsize=16_384)
def event(shop: str, buyer: str, entity: str) -> str:
    return f"evt.{partition(shop, buyer)}.{token(shop)}.{token(buyer)}.{token(entity)}"


def raw(source: str, shop: str, kind: str) -> str:
    """Where an outside system publishes a raw fact."""
    return f"in.{token(source)}.{token(shop)}.{token(kind)}"


def command(service: str, name: str) -> str:
    return f"cmd.{token(service)}.{token(name)}"


def query(model: str, name: str) -> str:
    return f"query.{token(model)}.{token(name)}"


def notice(source: str, shop: str) -> str:
    return f"notice.{token(source)}.{token(shop)}"


def desk(shop: str, role: str) -> str:
    return f"desk.{token(shop)}.{token(role)}"


@lru_cache(maxsize=16_384)
def parse_event(subject: str) -> EventSubject:
    """Raises SubjectError, also when the partition is not the one of (shop, buyer)."""
    number, shop, buyer, entity = _parts(subject, "evt")
    if number != partition(shop, buyer):
        raise SubjectError(f"{subject!r} belongs to partition {partition(shop, buyer)}")
    return EventSubject(number, shop, buyer, entity)


def parse_inbox(subject: str) -> InboxSubject:
    """Raises SubjectError, also when the partition is not the one of the shop."""
    number, source, shop, kind = _parts(subject, "inbox")
    if number != inbox_partition(shop):
        raise SubjectError(f"{subject!r} belongs to partition {inbox_partition(shop)}")
    return InboxSubject(number, source, shop, kind)


def _parts(subject: str, root: str) -> tuple[int, str, str, str]:
    tokens = subject.split(".")
    if len(tokens) != 5 or tokens[0] != root or tokens[1] not in _PARTITION_TOKENS:
        raise SubjectError(f"{subject!r} is not {root}.<partition>.<...>.<...>.<...>")
    return int(tokens[1]), untoken(tokens[2]), untoken(tokens[3]), untoken(tokens[4])


@lru_cache(maxsize=16_384)
def stored_partition(subject: str) -> int:
    """The partition that a stored subject names; -1, which nobody owns, for one that is not of the grammar."""
    number = subject.split(".", 2)[1]
    return int(number) if number.isascii() and number.isdecimal() else -1


def lane_filter(shop: str, buyer: str) -> str:
    """Everything about one buyer."""
    return f"evt.{partition(shop, buyer)}.{token(shop)}.{token(buyer)}.>"


def shop_filter(shop: str) -> str:
    """Everything about one shop, over all partitions."""
    return f"evt.*.{token(shop)}.>"


def partition_filter(root: str, partitions: Collection[int]) -> str:
    """One filter that matches these partitions, perhaps others too; `root` is `evt` or `inbox`.

    One, because a consumer with several filters delivers some 2,000 messages a second where one with a single
    filter delivers 70,000 (nats-server 2.15, two filters or sixteen, 5,000 subjects); the reader skips what is
    not its own.
    """
    return f"{root}.{next(iter(partitions))}.>" if len(partitions) == 1 else f"{root}.>"
