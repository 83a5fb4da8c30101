"""A policy in the log: `policy.changed` is how every service hears of it, and what replay decides by."""

from typing import cast

import msgspec

from schemas.policy import PolicyChanged
from schemas.types import JsonObject
from services.kernel.policy.load import PolicyError, default_table, merge
from services.kernel.policy.model import Policy


def changed(shop: str, policy: Policy, last_digest: str | None, version: int) -> PolicyChanged | None:
    """The event that tells of this policy; None when the shop's last one has its digest already.

    last_digest: of the shop's last `policy.changed`, None if it has none. version: this one's, 1, 2, 3...
    """
    if policy.digest == last_digest:
        return None
    values = cast(JsonObject, msgspec.to_builtins(policy))
    return PolicyChanged(shop=shop, version=version, digest=policy.digest, values=values)


def from_event(data: PolicyChanged) -> Policy:
    """The policy that the event tells of. It holds all values, so that it does not depend on today's files.

    A setting younger than the event has its default, one that no longer exists is passed over: then, and only
    then, the digest differs from the event's. Raises PolicyError for a value that is not allowed.
    """
    try:
        return msgspec.convert(merge(default_table(), data.values), Policy)
    except msgspec.ValidationError as error:
        raise PolicyError(f"policy.changed of {data.shop}, version {data.version}: {error}") from error
