"""What makes two statements of an order the same fact, and the mark by which a fact is known again (domain.md 2).

A fact is told from its repetitions by what IDENTITIES says of its type, never by a message id: platforms reuse them.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from schemas.buyer import BuyerContactStored
from schemas.flag import OrderFlagCleared, OrderFlagged
from schemas.order import (
    OrderAddressChanged,
    OrderArrived,
    OrderClosed,
    OrderCompleted,
    OrderDepositPaid,
    OrderMemoChanged,
    OrderPaid,
    OrderParcelException,
    OrderParcelMoved,
    OrderPickupScanned,
    OrderPlaced,
    OrderPriceAdjusted,
    OrderPrinted,
    OrderReceiptExtended,
    OrderRejected,
    OrderRestocked,
    OrderShipped,
    OrderSigned,
)
from schemas.refund import (
    RefundAgreed,
    RefundClosed,
    RefundCompleted,
    RefundGoodsReturned,
    RefundRefused,
    RefundRequested,
)
from schemas.review import ReviewChanged, ReviewPosted, ReviewReplied

DIGEST_BYTES = 12
"""96 bits tell the few hundred facts of one order apart."""


class Identity(Struct, frozen=True):
    """What makes two statements of one order the same fact: these fields, and (`timed`) the platform's time."""

    fields: tuple[str, ...]
    timed: bool


def _once(*fields: str) -> Identity:
    """It happens once; feeds give it different times (a message's own, a snapshot's) and details."""
    return Identity(fields, timed=False)


def _each(*fields: str) -> Identity:
    """It may happen again with the same value: only the platform's time tells that from a repetition."""
    return Identity(fields, timed=True)


IDENTITIES: Mapping[type[Any], Identity] = {
    # Once an order. What a later statement says differently has facts of its own (price, address, refund).
    OrderPlaced: _once(),
    OrderDepositPaid: _once(),
    OrderPaid: _once(),
    OrderCompleted: _once(),
    # The whole order, or each set of lines: what is closed does not open again, and feeds word its reason differently.
    OrderClosed: _once("line_ids"),
    # Once a parcel. A parcel is shipped under one waybill; one sent anew is another parcel.
    OrderShipped: _once("parcel_id"),
    OrderPickupScanned: _once("parcel_id"),
    OrderArrived: _once("parcel_id"),
    OrderRejected: _once("parcel_id"),
    # A station signs, then the buyer.
    OrderSigned: _once("parcel_id", "by"),
    # There and back again: a price, an address, a memo, a place may return to what it was.
    OrderPriceAdjusted: _each("line_id", "price_fen", "postage_fen", "total_fen"),
    OrderAddressChanged: _each("address_digest"),
    OrderMemoChanged: _each("memo", "memo_version", "by"),
    OrderParcelMoved: _each("parcel_id", "action", "city"),
    # Delivery may fail, labels may be printed, receipt extended and goods restocked several times alike.
    OrderParcelException: _each("parcel_id", "kind"),
    OrderPrinted: _each("waybill", "memo_version", "address_digest"),
    OrderReceiptExtended: _each("days"),
    OrderRestocked: _each("line_ids"),
    # A review is posted once, its changes and replies are values of a time.
    ReviewPosted: _once("review_id"),
    ReviewChanged: _each("review_id", "rating", "score", "text"),
    ReviewReplied: _each("review_id", "text"),
    # After a refusal the buyer may ask again under the same id, even for the same sum, and be refused again.
    RefundRequested: _each("refund_id", "kind", "fee_fen"),
    RefundRefused: _each("refund_id", "kind", "fee_fen"),
    # Another kind or sum agreed is another agreement (a return first, then the refund).
    RefundAgreed: _once("refund_id", "kind", "fee_fen"),
    RefundGoodsReturned: _once("refund_id"),
    RefundCompleted: _once("refund_id"),
    RefundClosed: _once("refund_id"),
}
"""What a feed may state of an order as it stands in the contract. `order.assigned` and flags are not among it."""

FLAGS: Mapping[type[Any], Identity] = {
    OrderFlagged: _each("colour", "raw_code", "memo"),
    OrderFlagCleared: _each("colour", "raw_code"),
}
"""Flags that are stated as such, by a warehouse (sources/wms.py); what a platform shows is a value (`stated.Flag`)."""

_MARKED: Mapping[type[Any], Identity] = {**IDENTITIES, **FLAGS, BuyerContactStored: _once("vault_ref")}


def mark(data: Any, time: datetime) -> str:
    """The fact's identity within its order: the type, and a digest of the values (no text of a person is kept)."""
    identity = _MARKED[type(data)]
    values = [_value(getattr(data, name)) for name in identity.fields]
    if identity.timed:
        values.append(time.astimezone(UTC))
    return f"{data.TYPE}:{digest(values)}" if values else data.TYPE


def digest(values: Sequence[Any]) -> str:
    """Equal for equal values; 16 characters."""
    hashed = blake2b(msgspec.json.encode(values), digest_size=DIGEST_BYTES).digest()
    return base64.urlsafe_b64encode(hashed).decode()


def _value(value: Any) -> Any:
    """Lines are a set, in whatever order a feed lists them."""
    return sorted(value) if isinstance(value, tuple) else value
