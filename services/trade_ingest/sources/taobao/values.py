"""What an order shows as it is now: values of the snapshot's `modified`, which the order's memory compares."""

from collections.abc import Iterator

from services.kernel.vault import Contact
from services.trade_ingest.sources import snapshots
from services.trade_ingest.sources.snapshots import Place, Told, in_full, legible
from services.trade_ingest.sources.taobao.flags import flag
from services.trade_ingest.sources.taobao.snapshot import Snapshot
from services.trade_ingest.stated import LinePrice, Memo, Price


def owner(shown: Snapshot) -> Iterator[Told]:
    if shown.whom.owner is not None:
        yield shown.modified, shown.whom.owner


def price(shown: Snapshot) -> Iterator[Told]:
    """Not of a closed order: the platform may show 0.00 there."""
    if shown.state.closed:
        return
    prices = tuple(
        LinePrice(line.must("oid", line.id("oid")), line.must("price", line.yuan("price"))) for line in shown.lines()
    )
    yield (
        shown.modified,
        Price(
            order_id=shown.order_id,
            total_fen=shown.payment(),
            postage_fen=shown.trade.yuan("post_fee"),
            lines=prices or None,
        ),
    )


def address(shown: Snapshot) -> Iterator[Told]:
    """A receiver of whom anything is masked has no digest: two of them cannot be told equal or different."""
    trade = shown.trade
    parts = ("receiver_state", "receiver_city", "receiver_district", "receiver_town")
    street = legible(trade.text("receiver_address"))
    contact = Contact(
        name=legible(trade.text("receiver_name")),
        phone=legible(trade.text("receiver_mobile") or trade.text("receiver_phone")),
        address="".join([*(trade.text(part, Place) or "" for part in parts), street]) if street else "",
    )
    if found := snapshots.address(shown.raw, shown.order_id, contact, shown.region(), in_full(contact)):
        yield shown.modified, found


def memo(shown: Snapshot) -> Iterator[Told]:
    if (said := _memo(shown)) is not None:
        yield shown.modified, Memo(order_id=shown.order_id, memo=said, by="seller")


def buyer_message(shown: Snapshot) -> Iterator[Told]:
    """What the buyer wrote when ordering (买家留言)."""
    if said := shown.trade.long_text("buyer_message"):
        yield shown.created, Memo(order_id=shown.order_id, memo=said, by="buyer")


def shown_flag(shown: Snapshot) -> Iterator[Told]:
    if raised := flag(shown.trade, shown.order_id, shown.platform, _memo(shown)):
        yield shown.modified, raised


def _memo(shown: Snapshot) -> str | None:
    """The shop's memo (卖家备注); empty where it was taken away, None where the snapshot does not speak of it."""
    said = shown.trade.long_text("seller_memo")
    return said or "" if shown.trade.said("seller_memo") else None
