"""The policy of a shop: every number of the domain in one frozen value, and the digest that names it."""

import hashlib
from functools import cached_property

import msgspec
from msgspec import Struct

from services.kernel.policy.aftersales import Aftersales, Members
from services.kernel.policy.care import Care, Escalations
from services.kernel.policy.desk import Desk, Reception
from services.kernel.policy.trade import Calendar, Flags, Orders, Shop


class Policy(Struct, frozen=True, kw_only=True, dict=True):
    """The sections follow domain.md 1 to 7; what each number means stands beside it in `defaults.toml`.

    The structs have no defaults of their own: `defaults.toml` is the one place of each number.
    """

    shop: Shop
    calendar: Calendar
    orders: Orders
    flags: Flags
    reception: Reception
    care: Care
    escalations: Escalations
    aftersales: Aftersales
    members: Members
    desk: Desk

    @cached_property
    def digest(self) -> str:
        """16 hex digits of the SHA-256 of the canonical JSON: equal for equal values, however written."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:16]


def digest(policy: Policy) -> str:
    """The digest that decided events carry; computed once for each value."""
    return policy.digest
