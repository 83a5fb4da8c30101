"""The receiver in Douyin's words.

An address is a list of one object, an object, or JSON in a string; its places are `{"name": ..., "id": ...}` or bare
texts. Encrypted values come beside empty or masked ones (`encrypt_detail`): those are not read.
"""

from services.kernel.fields import Fields, Unreadable
from services.kernel.vault import Contact
from services.trade_ingest.sources.snapshots import Place, legible, region


def of_push(receiver: Fields) -> tuple[Contact, str]:
    """(contact, region) of a message's `receiver_msg`."""
    places = receiver.objects("addr")
    contact = Contact(
        name=legible(receiver.text("name")),
        phone=legible(receiver.text("tel")),
        address=_address(places[0]) if places else "",
    )
    return contact, _region(places[0]) if places else ""


def of_detail(order: Fields) -> tuple[Contact, str]:
    """(contact, region) of an order's detail: what is masked stands in for what cannot be read."""
    plain, masked = order.object("post_addr"), order.object("mask_post_addr")
    contact = Contact(
        name=legible(order.text("post_receiver")) or order.text("mask_post_receiver") or "",
        phone=legible(order.text("post_tel")) or order.text("mask_post_tel") or "",
        address=(plain and _address(plain)) or (masked and _address(masked)) or "",
    )
    return contact, (plain and _region(plain)) or (masked and _region(masked)) or ""


def _address(place: Fields) -> str:
    """Empty where its detail cannot be read."""
    detail = legible(place.text("detail"))
    return "".join(_named(place, name) for name in ("province", "city", "town", "street")) + detail if detail else ""


def _region(place: Fields) -> str:
    return region(_named(place, "province"), _named(place, "city"))


def _named(place: Fields, name: str) -> str:
    try:
        return place.text(name, Place) or ""
    except Unreadable:
        found = place.object(name)
        return (found.text("name", Place) or "") if found else ""
