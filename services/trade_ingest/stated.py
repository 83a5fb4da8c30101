"""What the feeds state of an order beside the contract's own events: values as they are now, and facts without details.

A snapshot is many statements, each with its own time: the contract's facts it tells of (`order.placed` at its creation,
`order.paid` at its payment...) and the values it shows (Price, Address, Memo, Flag, Owner). `order_facts` compares a
value with the last one known and states an event only where it is new. A notification that lacks what its event needs
(no waybill, no lines) is a Hint: it waits for the statement that has it.
"""

from typing import ClassVar, Literal

from msgspec import Struct

from schemas.types import BuyerId, Digest, Fen, Id, Ids, Platform, Short, Text
from services.kernel.vault import Deposit

RefundStage = Literal["requested", "agreed", "refused", "goods_returned", "completed", "closed"]
"""The steps of a refund, in every feed."""


class LinePrice(Struct, frozen=True):
    line_id: Id
    price_fen: Fen


class Price(Struct, frozen=True, kw_only=True):
    """The order's price at the fact's time. lines, postage_fen: None where the feed does not say them."""

    TYPE: ClassVar[str] = "stated.price"

    order_id: Id
    total_fen: Fen
    postage_fen: Fen | None = None
    lines: tuple[LinePrice, ...] | None = None


class Address(Struct, frozen=True, kw_only=True):
    """The receiver at the fact's time; digest of name, phone and address together. deposit: sealed, for the vault."""

    TYPE: ClassVar[str] = "stated.address"

    order_id: Id
    address_digest: Digest
    region: Short = ""
    deposit: Deposit | None = None


class Memo(Struct, frozen=True, kw_only=True):
    """A memo (备注) at the fact's time; empty where there is none."""

    TYPE: ClassVar[str] = "stated.memo"

    order_id: Id
    memo: Text
    by: Literal["buyer", "seller", "other"] = "seller"


class Flag(Struct, frozen=True, kw_only=True):
    """The one flag (旗帜) that the platform shows at the fact's time, by the platform's own code.

    raw_code: digits as the platform writes them; what shows no flag (Taobao 0) is a code as well. memo: None where the
    feed does not say it.
    """

    TYPE: ClassVar[str] = "stated.flag"

    order_id: Id
    platform: Platform
    raw_code: Short
    memo: Text | None = None


class FlagPushed(Struct, frozen=True, kw_only=True):
    """Our bridge was asked to show this flag: the platform's message of it is an echo and no news."""

    TYPE: ClassVar[str] = "stated.flag_pushed"

    order_id: Id
    raw_code: Short
    memo: Text


class Owner(Struct, frozen=True, kw_only=True):
    """Whose order it is. alias: `Keys.alias` of the nick that the same message names; empty: none, or masked."""

    TYPE: ClassVar[str] = "stated.owner"

    order_id: Id
    open_id: BuyerId
    alias: Short = ""


class ParcelTraced(Struct, frozen=True, kw_only=True):
    """A scan of the courier, as a trace tells it: what became of which parcel where.

    waybill: None where the message names only the order: the parcel is known when the order has but one. action: the
    platform-neutral word. city: where it was, as far as it is told. place: the station's name (代收点).
    """

    TYPE: ClassVar[str] = "stated.parcel_traced"

    order_id: Id
    waybill: Id | None
    action: Literal[
        "created", "consigned", "pickup", "arrival", "departure", "sent_city", "sent_scan", "signed", "failed", "lost",
        "damaged", "returned", "confiscated", "rejected", "other",
    ]  # fmt: skip
    city: Short = ""
    place: Short = ""
    signed_by: Literal["self", "station", "locker", "other"] = "other"
    reason: Short = ""


class Shipped(Struct, frozen=True, kw_only=True):
    """Hint: shipped, but the message has no waybill. line_ids: None where it may be the whole order."""

    TYPE: ClassVar[str] = "stated.shipped"

    order_id: Id
    partial: bool = False
    line_ids: Ids | None = None


class Placed(Struct, frozen=True, kw_only=True):
    """Hint: placed, but the message has no lines. total_fen: None where it does not say it.

    presale: it is one whose balance and window are not known yet (预售): it is never told without them.
    """

    TYPE: ClassVar[str] = "stated.placed"

    order_id: Id
    platform: Platform
    total_fen: Fen | None = None
    cash_on_delivery: bool = False
    presale: bool = False


class Paid(Struct, frozen=True, kw_only=True):
    """Hint: paid, but the message has no amount."""

    TYPE: ClassVar[str] = "stated.paid"

    order_id: Id


class AddressTouched(Struct, frozen=True, kw_only=True):
    """Hint: the address was changed, but the message does not say to what."""

    TYPE: ClassVar[str] = "stated.address_touched"

    order_id: Id


class Reviewed(Struct, frozen=True, kw_only=True):
    """Hint: the buyer has reviewed, but the message has neither score nor text: the feed `review` brings them."""

    TYPE: ClassVar[str] = "stated.reviewed"

    order_id: Id
    line_id: Id | None = None


class AllSigned(Struct, frozen=True, kw_only=True):
    """The platform says of the whole order that it was received, but not by whom: every parcel of it is signed for.

    It waits like a hint for the scans that say who signed; a parcel that has none by then is signed by `other`.
    """

    TYPE: ClassVar[str] = "stated.all_signed"

    order_id: Id


class RefundStep(Struct, frozen=True, kw_only=True):
    """A step of a refund whose message lacks kind or sum: they are those of the refund's last known statement."""

    TYPE: ClassVar[str] = "stated.refund_step"

    order_id: Id
    refund_id: Id
    step: RefundStage
    line_ids: Ids = ()
    fee_fen: Fen | None = None
    freight_fen: Fen = 0
    reason: Short | None = None


VALUES = (Price, Address, Memo, Flag, FlagPushed, Owner, ParcelTraced, AllSigned)
HINTS = (Placed, Paid, Shipped, AddressTouched, Reviewed, RefundStep)
STATED = (*VALUES, *HINTS)
"""Every statement of this module, for `order_facts`."""
