"""The policy event: every number of domain.md in force from here on."""

from typing import ClassVar

from msgspec import Struct

from schemas.types import Count, Digest, Id, JsonObject


class PolicyChanged(Struct, frozen=True, kw_only=True):
    """A shop's effective policy changed; every service switches when it reads this. Buyer lane `-`.

    `version`: 1, 2, 3, ... for each shop. `digest`: of the effective values; decided events carry it.
    """

    TYPE: ClassVar[str] = "policy.changed"
    VERSION: ClassVar[int] = 1

    shop: Id
    version: Count
    digest: Digest
    values: JsonObject


EVENTS = (PolicyChanged,)
