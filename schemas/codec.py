"""Bytes to events and back, strictly: an error names the field, nothing is guessed, what is written can be
read.
"""

from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from msgspec import Raw

from schemas.catalogue import COMMANDS, EVENTS
from schemas.envelope import CloudEvent, Command, CommandData, CommandEnvelope, Event, EventData
from schemas.strict import (
    DecodeError,
    decode_struct,
    decode_typed,
    has_escaped_nul,
    in_utc,
    needs_settling,
    refuse_nul,
    settle,
    wrong,
)
from schemas.upcasts import NoUpcast, upcast

__all__ = [
    "MAX_EVENT_BYTES",
    "DecodeError",
    "EncodeError",
    "UnknownCommand",
    "UnknownType",
    "UnknownVersion",
    "about",
    "dataschema",
    "decode",
    "decode_command",
    "decode_data",
    "encode",
    "entity",
]

MAX_EVENT_BYTES = 1024 * 1024
"""An event with its headers; a larger one is never written (design.md, "The log")."""

_SCHEMA = "urn:carebus:event:"
_OF_THE_BUYER = frozenset({"buyer", "member"})
"""Entities without an id of their own: they are about the lane's buyer."""


class UnknownType(DecodeError):
    """A type this version does not know: a newer writer's. Skipped and counted, never parked."""


class UnknownVersion(DecodeError):
    """A known type in a version that has no upcast: parked until this reader is upgraded."""


class UnknownCommand(DecodeError):
    """A service or command name that is not in the catalogue."""


class EncodeError(ValueError):
    """The event breaks its own contract (a text too long, a naive time, a NUL): no reader could take it."""


def dataschema(event_type: str, version: int) -> str:
    return f"{_SCHEMA}{event_type}:{version}"


_encoder = msgspec.json.Encoder()
_envelope = msgspec.json.Decoder(CloudEvent)
_current: dict[str, tuple[str, "msgspec.json.Decoder[EventData]", bool]] = {
    dataschema(struct.TYPE, struct.VERSION): (struct.TYPE, msgspec.json.Decoder(struct), needs_settling(struct))
    for struct in EVENTS.values()
}
"""dataschema -> type, decoder, and whether the types alone leave something to `settle`."""


def entity(event_type: str) -> str:
    """`order` of `order.paid`: the last token of the event's subject."""
    return event_type.partition(".")[0]


def about(event: Event[EventData]) -> str:
    """The CloudEvents `subject`: the first field of the data, by convention the id of the thing; else the
    buyer.
    """
    fields = cast(Any, event.data).__struct_fields__
    if not fields or entity(event.data.TYPE) in _OF_THE_BUYER:
        return event.buyer
    return getattr(event.data, fields[0]) or event.buyer


def encode(event: Event[EventData]) -> bytes:
    """The CloudEvent in JSON, its times in UTC.

    `seq` and `recordedtime` are the log's to say and are left out.

    Raises EncodeError for an event that `decode` would refuse.
    """
    data = event.data
    try:
        payload = _encoder.encode(
            CloudEvent(
                id=event.id,
                source=event.source,
                type=data.TYPE,
                subject=about(event),
                time=in_utc(event.time),
                dataschema=dataschema(data.TYPE, data.VERSION),
                shop=event.shop,
                buyer=event.buyer,
                actor=event.actor,
                correlationid=event.correlationid,
                causationid=event.causationid,
                basis=event.basis,
                ordinal=event.ordinal,
                policy=event.policy,
                data=cast(Raw, in_utc(data)),
            )
        )
        decode(payload)
    except (ValueError, OverflowError) as error:
        raise EncodeError(f"{data.TYPE} of {event.shop}: {error}") from error
    return payload


def decode(payload: bytes, *, seq: int = 0, recordedtime: datetime | None = None) -> Event[EventData]:
    """The event in these bytes, upcast to the current version of its type, its times in UTC.

    Raises UnknownType, UnknownVersion, or DecodeError with the field path.
    """
    try:
        wire = _envelope.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise wrong(error, "no CloudEvent of this contract") from error
    kind, decoder, loose = _current.get(wire.dataschema, _NONE)
    if decoder is not None and kind == wire.type:
        data = decode_typed(decoder, wire.data, kind)
        if loose:
            data = settle(data, kind)
    else:
        data = decode_data(wire.type, wire.dataschema, wire.data)
    time = wire.time if wire.time.tzinfo is UTC else settle(wire, "envelope").time
    if has_escaped_nul(payload):
        refuse_nul(wire, "envelope")
        refuse_nul(data, wire.type)
    return Event(
        data=data,
        shop=wire.shop,
        buyer=wire.buyer,
        time=time,
        id=wire.id,
        source=wire.source,
        actor=wire.actor,
        correlationid=wire.correlationid,
        causationid=wire.causationid,
        basis=wire.basis,
        ordinal=wire.ordinal,
        policy=wire.policy,
        seq=seq,
        recordedtime=recordedtime,
    )


_NONE: tuple[str, None, bool] = ("", None, False)


def decode_data(event_type: str, schema: str, raw: Raw | bytes) -> EventData:
    """The data of one event whose `dataschema` is `schema`. Raises as `decode` does."""
    struct = EVENTS.get(event_type)
    if struct is None:
        raise UnknownType(f"type: {event_type!r} is not known here", "type")
    version = _version(event_type, schema)
    if version == struct.VERSION:
        return decode_struct(struct, raw, event_type)
    what = f"{event_type} version {version}"
    old = decode_struct(dict[str, Any], raw, what)
    try:
        data = msgspec.convert(upcast(event_type, version, struct.VERSION, old), struct)
    except NoUpcast as error:
        raise UnknownVersion(f"{what}: this reader knows version {struct.VERSION}", "dataschema") from error
    except msgspec.MsgspecError as error:
        raise wrong(error, f"{what}, upcast") from error
    except (LookupError, TypeError, ValueError) as error:
        raise DecodeError(f"{what}, upcast: {error!r}") from error
    return settle(data, what)


def decode_command(service: str, name: str, payload: bytes) -> Command[CommandData]:
    """The command sent to `cmd.<service>.<name>`.

    Raises UnknownCommand, or DecodeError with the field path.
    """
    struct = COMMANDS.get(service, {}).get(name)
    if struct is None:
        raise UnknownCommand(f"command: {service}.{name} is not known here")
    what = f"{service}.{name}"
    wire = decode_struct(CommandEnvelope, payload, what)
    return Command(
        command_id=wire.command_id,
        shop=wire.shop,
        actor=wire.actor,
        data=decode_struct(struct, wire.data, what),
        correlation_id=wire.correlation_id,
    )


def _version(event_type: str, schema: str) -> int:
    prefix = dataschema(event_type, 0)[:-1]
    text = schema.removeprefix(prefix)
    if schema.startswith(prefix) and text.isascii() and text.isdecimal() and len(text) < 10 and text[0] != "0":
        return int(text)
    raise DecodeError(f"dataschema: {schema!r} is not {prefix}<version>", "dataschema")
