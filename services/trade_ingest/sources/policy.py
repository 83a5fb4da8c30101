"""`in.policy.<shop>.policy`: a shop's effective policy, as the loader of trade_ingest (or who edits policies) has it.

{"values": {...}}    all its numbers; those left out have their defaults
"""

from collections.abc import Iterable
from typing import ClassVar

import msgspec
from msgspec import Struct

from schemas.policy import PolicyChanged
from schemas.strict import DecodeError, decode_struct
from schemas.types import JsonObject
from services.kernel.inputs import RawFact, Refused
from services.kernel.policy import Policy, PolicyError, from_event
from services.kernel.process import Fact

SOURCE = KIND = "policy"


class _Said(Struct, frozen=True):
    values: JsonObject


class PolicyStated(Struct, frozen=True):
    """What a shop's policy is to be."""

    TYPE: ClassVar[str] = "stated.policy"

    policy: Policy


def message(policy: Policy) -> bytes:
    """The bytes that `translate` reads."""
    return msgspec.json.encode({"values": msgspec.to_builtins(policy)})


def translate(raw: RawFact) -> Iterable[Fact[PolicyStated] | Refused]:
    if raw.kind != KIND:
        if raw.kind != "chat":
            yield Refused("kind: in.policy.<shop>.<kind> has the kind policy", "kind")
        return
    try:
        said = decode_struct(_Said, raw.payload, "policy")
        policy = from_event(PolicyChanged(shop=raw.shop, version=0, digest="-", values=said.values))
    except DecodeError as error:
        yield Refused(str(error), error.field)
    except PolicyError as error:
        yield Refused(f"values: {str(error).rpartition(': ')[2]}", "values")
    else:
        yield Fact(data=PolicyStated(policy), shop=raw.shop, time=raw.recorded)
