"""Order events: the life of an order from placing to completion.

Source: domain.md 2; flags are in flag.py.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.types import MAX_ITEMS, Count, Days, Digest, Fen, Id, Ids, Platform, Short, Text, Time

Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]


class OrderLine(Struct, frozen=True, kw_only=True):
    """A line (子订单). `price_fen` a piece; `paid_fen`: paid for the whole line, discounts taken off.

    A gift (赠品) or zero-price line never counts for tier, cycle or conversion. `excluded_from_return`:
    marked at order time (定制, 鲜活, 数字化).
    """

    line_id: Id
    sku: Id
    title: Short
    quantity: Quantity
    price_fen: Fen
    paid_fen: Fen | None = None
    gift: bool = False
    excluded_from_return: bool = False


Lines = Annotated[tuple[OrderLine, ...], Meta(max_length=MAX_ITEMS)]


class Presale(Struct, frozen=True, kw_only=True):
    """预售: a deposit (定金) now, the balance (尾款) between `opens_at` and `until`."""

    deposit_fen: Fen
    balance_fen: Fen
    opens_at: Time
    until: Time


class OrderPlaced(Struct, frozen=True, kw_only=True):
    """等待买家付款. `shop_kind`: c_shop 集市店 or mall 商城店.

    `pay_mode` cash_on_delivery is 货到付款: shippable at once.

    `total_fen` includes `postage_fen`. `ship_by`: the platform's own limit. `region`, `origin_region`:
    province (and city) of receiver and sender, no address. `virtual`: no logistics, no 7 days.
    """

    TYPE: ClassVar[str] = "order.placed"
    VERSION: ClassVar[int] = 1

    order_id: Id
    platform: Platform
    shop_kind: Literal["c_shop", "mall"]
    lines: Lines
    total_fen: Fen
    postage_fen: Fen
    pay_mode: Literal["online", "cash_on_delivery"] = "online"
    pay_by: Time | None = None
    ship_by: Time | None = None
    closes_at: Time | None = None
    region: Short = ""
    origin_region: Short = ""
    virtual: bool = False
    presale: Presale | None = None


class OrderAssigned(Struct, frozen=True, kw_only=True):
    """An order that named no buyer was assigned to this lane's buyer by hand; its waiting facts follow."""

    TYPE: ClassVar[str] = "order.assigned"
    VERSION: ClassVar[int] = 1

    order_id: Id


class OrderPriceAdjusted(Struct, frozen=True, kw_only=True):
    """改价. What changed, and the new total: a line's price a piece (never in a mall), or the postage."""

    TYPE: ClassVar[str] = "order.price_adjusted"
    VERSION: ClassVar[int] = 1

    order_id: Id
    line_id: Id | None = None
    price_fen: Fen | None = None
    postage_fen: Fen | None = None
    total_fen: Fen


class OrderAddressChanged(Struct, frozen=True, kw_only=True):
    """改地址. The address itself is in the vault; `address_digest` tells equal from different."""

    TYPE: ClassVar[str] = "order.address_changed"
    VERSION: ClassVar[int] = 1

    order_id: Id
    address_digest: Digest
    region: Short = ""
    vault_ref: Id | None = None


class OrderMemoChanged(Struct, frozen=True, kw_only=True):
    """备注. `memo_version` counts the memo's changes; a printed label names the one it saw."""

    TYPE: ClassVar[str] = "order.memo_changed"
    VERSION: ClassVar[int] = 1

    order_id: Id
    memo: Text
    memo_version: Count
    by: Literal["buyer", "seller", "other"]


class OrderDepositPaid(Struct, frozen=True, kw_only=True):
    """The deposit of a presale (定金) was paid. This is not `order.paid`."""

    TYPE: ClassVar[str] = "order.deposit_paid"
    VERSION: ClassVar[int] = 1

    order_id: Id
    paid_fen: Fen


class OrderPaid(Struct, frozen=True, kw_only=True):
    """买家已付款. `paid_fen` includes postage; `ship_by`: the platform's limit if it is first known now."""

    TYPE: ClassVar[str] = "order.paid"
    VERSION: ClassVar[int] = 1

    order_id: Id
    paid_fen: Fen
    ship_by: Time | None = None


class OrderPrinted(Struct, frozen=True, kw_only=True):
    """The label was printed (打单), with the memo version and the address it saw."""

    TYPE: ClassVar[str] = "order.printed"
    VERSION: ClassVar[int] = 1

    order_id: Id
    waybill: Id
    memo_version: Count
    address_digest: Digest | None = None


class OrderShipped(Struct, frozen=True, kw_only=True):
    """卖家已发货, one event a parcel. `line_ids` absent: the whole order. `partial`: other lines follow.

    `together_with`: the other orders under this waybill (合并发货).
    """

    TYPE: ClassVar[str] = "order.shipped"
    VERSION: ClassVar[int] = 1

    order_id: Id
    parcel_id: Id
    carrier: Short
    waybill: Id
    line_ids: Ids | None = None
    partial: bool = False
    together_with: Ids = ()


class OrderPickupScanned(Struct, frozen=True, kw_only=True):
    """The courier scanned the parcel at pickup (揽收). Not 24 h after shipping: escalate."""

    TYPE: ClassVar[str] = "order.pickup_scanned"
    VERSION: ClassVar[int] = 1

    order_id: Id
    parcel_id: Id
    city: Short | None = None


class OrderParcelMoved(Struct, frozen=True, kw_only=True):
    """The parcel moved (feeds.md, Logistics). Pickup, arrival, signing and exceptions are their own types."""

    TYPE: ClassVar[str] = "order.parcel_moved"
    VERSION: ClassVar[int] = 1

    order_id: Id
    parcel_id: Id
    action: Literal["created", "consigned", "arrival", "departure", "sent_city", "sent_scan", "other"]
    city: Short | None = None


class OrderArrived(Struct, frozen=True, kw_only=True):
    """The parcel is in the buyer's city: SENT_CITY, or ARRIVAL in the receiver's city."""

    TYPE: ClassVar[str] = "order.arrived"
    VERSION: ClassVar[int] = 1

    order_id: Id
    parcel_id: Id
    city: Short | None = None


class OrderSigned(Struct, frozen=True, kw_only=True):
    """已签收. `station` 驿站代收 and `locker` are followed by a second one with `self` at pickup, if known.

    `place`: the station's name (代收点).
    """

    TYPE: ClassVar[str] = "order.signed"
    VERSION: ClassVar[int] = 1

    order_id: Id
    parcel_id: Id
    by: Literal["self", "station", "locker", "other"]
    place: Short | None = None


class OrderRejected(Struct, frozen=True, kw_only=True):
    """The buyer refused the parcel at the door (拒签)."""

    TYPE: ClassVar[str] = "order.rejected"
    VERSION: ClassVar[int] = 1

    order_id: Id
    parcel_id: Id
    reason: Short = ""


class OrderParcelException(Struct, frozen=True, kw_only=True):
    """The courier reported trouble (物流异常); `confiscated` is 安检没收."""

    TYPE: ClassVar[str] = "order.parcel_exception"
    VERSION: ClassVar[int] = 1

    order_id: Id
    parcel_id: Id
    kind: Literal["lost", "damaged", "failed", "returned", "confiscated", "other"]
    reason: Short = ""


class OrderReceiptExtended(Struct, frozen=True, kw_only=True):
    """延长收货时间, by this many days; `until`: the new automatic completion, if the platform says it."""

    TYPE: ClassVar[str] = "order.receipt_extended"
    VERSION: ClassVar[int] = 1

    order_id: Id
    days: Days
    until: Time | None = None


class OrderCompleted(Struct, frozen=True, kw_only=True):
    """交易成功, as told by the platform: confirmed by the buyer, or automatic. Never from our clock."""

    TYPE: ClassVar[str] = "order.completed"
    VERSION: ClassVar[int] = 1

    order_id: Id
    cause: Literal["buyer", "automatic"]


class OrderClosed(Struct, frozen=True, kw_only=True):
    """交易关闭, before or after payment (`paid`). `line_ids`: only these lines; absent: the whole order."""

    TYPE: ClassVar[str] = "order.closed"
    VERSION: ClassVar[int] = 1

    order_id: Id
    reason: Short
    paid: bool
    line_ids: Ids | None = None


class OrderRestocked(Struct, frozen=True, kw_only=True):
    """Out-of-stock goods of an order (yellow or purple flag) are back in the warehouse (到货)."""

    TYPE: ClassVar[str] = "order.restocked"
    VERSION: ClassVar[int] = 1

    order_id: Id
    line_ids: Ids = ()


EVENTS = (
    OrderPlaced, OrderAssigned, OrderPriceAdjusted, OrderAddressChanged, OrderMemoChanged, OrderDepositPaid,
    OrderPaid, OrderPrinted, OrderShipped, OrderPickupScanned, OrderParcelMoved, OrderArrived, OrderSigned,
    OrderRejected, OrderParcelException, OrderReceiptExtended, OrderCompleted, OrderClosed, OrderRestocked,
)  # fmt: skip
