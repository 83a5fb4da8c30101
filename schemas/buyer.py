"""Buyer events (买家): who is who, what may be known, and forgetting.

About the lane's buyer. Source: domain.md 1, 6.
"""

from typing import ClassVar, Literal

from msgspec import Struct

from schemas.types import BuyerId, Digest, Id, Short

AliasKind = Literal["nick", "open_id"]
ProfileField = Literal[
    "sex", "age_band", "source", "clothes_size", "shoe_size", "clothing_taste", "preferred_service",
    "promotion_reaction", "tag", "note",
]  # fmt: skip
"""客户档案. Contact data is in the vault; ethnicity, values, family and wages are not stored."""


class ContactDigests(Struct, frozen=True, kw_only=True):
    """Keyed digests of what the vault holds; absent: not known, or fully masked."""

    name: Digest | None = None
    phone: Digest | None = None
    email: Digest | None = None
    address: Digest | None = None


class BuyerForgotten(Struct, frozen=True, kw_only=True):
    """A tombstone: every service deletes this buyer when it reads it. Holds no data."""

    TYPE: ClassVar[str] = "buyer.forgotten"
    VERSION: ClassVar[int] = 1


class BuyerLinked(Struct, frozen=True, kw_only=True):
    """The lane `nick-<alias_digest>` and the buyer `open_id` are one.

    `evidence`: e.g. the order that names both.
    """

    TYPE: ClassVar[str] = "buyer.linked"
    VERSION: ClassVar[int] = 1

    alias_kind: AliasKind
    alias_digest: Digest
    open_id: BuyerId
    evidence: Short


class BuyerUnlinked(Struct, frozen=True, kw_only=True):
    """A link was undone, with its reason as evidence."""

    TYPE: ClassVar[str] = "buyer.unlinked"
    VERSION: ClassVar[int] = 1

    alias_kind: AliasKind
    alias_digest: Digest
    open_id: BuyerId
    evidence: Short


class BuyerContactStored(Struct, frozen=True, kw_only=True):
    """Name, phone, address or e-mail went into the vault. `region`: province and city."""

    TYPE: ClassVar[str] = "buyer.contact_stored"
    VERSION: ClassVar[int] = 1

    vault_ref: Id
    digests: ContactDigests
    region: Short = ""
    order_id: Id | None = None


class BuyerProfileNoted(Struct, frozen=True, kw_only=True):
    """A field of the customer file (客户档案) was noted; an empty value takes it out."""

    TYPE: ClassVar[str] = "buyer.profile_noted"
    VERSION: ClassVar[int] = 1

    field: ProfileField
    value: Short


class BuyerSmsReplied(Struct, frozen=True, kw_only=True):
    """Somebody answered one of the shop's SMS: `opt_out` as it says how to (拒收请回复R), or anything else.

    Lane `-` where the gateway knows the number alone; `phone_digest` finds the buyers. `reply_id`: the gateway's id of
    the answer, to be shown as evidence. What it says otherwise stays with the gateway.
    """

    TYPE: ClassVar[str] = "buyer.sms_replied"
    VERSION: ClassVar[int] = 1

    phone_digest: Digest
    says: Literal["opt_out", "other"]
    reply_id: Id | None = None


EVENTS = (
    BuyerForgotten, BuyerLinked, BuyerUnlinked, BuyerContactStored, BuyerProfileNoted, BuyerSmsReplied,
)  # fmt: skip
