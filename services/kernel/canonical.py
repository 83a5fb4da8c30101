"""The canonical feed: facts as CloudEvents 1.0 of this contract, for senders that have no format of their own.

    in.canonical.<shop>.<kind>    one CloudEvent, or a JSON list of them (the CloudEvents batch format)

A sender says `specversion`, `id`, `source`, `type`, `time`, `buyer` and `data`; it may say `shop` (then it is that of
the subject), `actor`, `correlationid` and `dataschema` (then its version is honoured). The services say the rest.

Who does not know the buyer's open id may say `nick` instead, as long as the platform has not masked it: the fact then
belongs to the lane in which a nick lives until it is linked (domain.md 1, Linking). The nick itself goes no further.
"""

import codecs
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from schemas.catalogue import EVENTS
from schemas.codec import dataschema, decode_data
from schemas.strict import DecodeError, decode_struct, decode_typed
from schemas.subjects import NO_BUYER
from schemas.types import BuyerId, Id, Short, Time
from services.kernel.fields import is_masked
from services.kernel.inputs import RawFact, Refused, Source, time_fault
from services.kernel.process import Fact

MAX_FACTS = 1_000
"""The most facts in one message."""


Nick = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]
"""How the platform shows a buyer: whole (`小美爱网购`) or masked (`小**`)."""


class Statement(Struct, frozen=True, kw_only=True):
    """What a sender must and may say of one fact."""

    specversion: Literal["1.0"]
    id: Id
    source: Short
    type: Short
    time: Time
    shop: Id | None = None
    buyer: BuyerId | None = None
    nick: Nick | None = None
    actor: Short = ""
    correlationid: Short = ""
    dataschema: Short = ""
    data: Raw


_batch = msgspec.json.Decoder(Annotated[list[Raw], Meta(min_length=1, max_length=MAX_FACTS)])


def canonical(types: Mapping[str, type[Any]], *, buyer_optional: bool = False) -> Source:
    """The source that takes these types, name -> Struct of the data. A wrong fact does not hold up its neighbours.

    buyer_optional: for senders that know the order and not whose it is (a warehouse, a courier); a fact that says
    neither buyer nor nick, or a masked nick, is then one of NO_BUYER, until its order's buyer is known.
    """

    def translate(raw: RawFact) -> Iterator[Fact[Any] | Refused]:
        try:
            statements = _statements(raw.payload)
        except DecodeError as error:
            yield Refused(_without_quotes(error), error.field)
            return
        for statement in statements:
            try:
                yield _fact(raw, statement, types, buyer_optional)
            except DecodeError as error:
                yield Refused(_without_quotes(error), error.field)

    return translate


def contract_types(*types: type[Any]) -> dict[str, type[Any]]:
    """The contract's own Structs by their type name, for `canonical`."""
    return {struct.TYPE: struct for struct in types}


def _statements(payload: bytes) -> Iterable[Raw | bytes]:
    payload = payload.removeprefix(codecs.BOM_UTF8)
    if payload.lstrip().startswith(b"["):
        return decode_typed(_batch, payload, "batch")
    return [payload]


def _fact(raw: RawFact, payload: Raw | bytes, types: Mapping[str, type[Any]], buyer_optional: bool) -> Fact[Any]:
    said = decode_struct(Statement, payload, "CloudEvent")
    if said.shop is not None and said.shop != raw.shop:
        raise DecodeError("shop: not that of the subject", "shop")
    struct = types.get(said.type)
    if struct is None:
        raise DecodeError(f"type: not one that in.{raw.source}.<shop>.{raw.kind} takes", "type")
    if fault := time_fault(said.time, raw.recorded):
        raise DecodeError(f"time: {fault}", "time")
    try:
        data = _data(said, struct)
    except DecodeError as error:
        if error.field == "dataschema":
            raise DecodeError("dataschema: not one of a known version of this type", "dataschema") from None
        raise DecodeError(str(error), f"data.{error.field}".rstrip(".")) from None
    return Fact(
        data=data,
        shop=raw.shop,
        buyer=_buyer(raw, said, buyer_optional),
        time=said.time,
        actor=said.actor,
        correlationid=said.correlationid,
    )


def _buyer(raw: RawFact, said: Statement, optional: bool) -> str:
    if said.buyer is not None:
        if said.nick is not None:
            raise DecodeError("nick: beside a buyer; say one of them", "nick")
        return said.buyer
    if said.nick is not None and not is_masked(said.nick):
        return raw.keys.nick_lane(raw.shop, said.nick)
    if optional:
        return NO_BUYER
    if said.nick is not None:
        raise DecodeError("nick: masked, so that it may be anybody's", "nick")
    raise DecodeError("buyer: missing; say the buyer's open id, or the nick", "buyer")


def _data(said: Statement, struct: type[Any]) -> Any:
    """In the version it says it is of; the present one where it says none."""
    if said.dataschema and EVENTS.get(said.type) is struct and said.dataschema != dataschema(said.type, struct.VERSION):
        return decode_data(said.type, said.dataschema, said.data)
    return decode_struct(struct, said.data, said.type)


def _without_quotes(error: DecodeError) -> str:
    """The fault without the value: what msgspec quotes of an enum may be anything that the sender wrote there."""
    text = str(error)
    return (
        text.partition(": Invalid enum value")[0] + ": not one of the allowed values" if "enum value" in text else text
    )
