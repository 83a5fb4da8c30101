"""The AsyncAPI 3.0 document: which messages go over which subjects, and what answers what."""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.catalogue import COMMANDS, EVENTS
from schemas.envelope import Accepted, Answer, QueryEnvelope, Rejected
from schemas.ops import OpsMessageRefused
from schemas.subjects import NO_BUYER, PARTITIONS, command

Document = dict[str, Any]

_TOKEN = "A subject token: the id itself if it is letters, digits, `_`, `-`; else `=` + its base64url (UTF-8)."
_DESK = (
    "escalation.raised",
    "escalation.climbed",
    "escalation.acknowledged",
    "escalation.resolved",
    "chat.reply_overdue",
)


def asyncapi(versions: Iterable[tuple[str, int]]) -> Document:
    """`versions`: every (type, version) that may stand in the log, old ones too."""
    log = [f"{event_type}.{version}" for event_type, version in versions]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "CareBus",
            "version": "1.0.0",
            "description": "The care desk of online shops as an ordered log of events. "
            "Only services write `evt`; read it with JetStream consumers of the stream EVENTS.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "nats": {
                "host": "{host}:4222",
                "protocol": "nats",
                "variables": {"host": {"default": "127.0.0.1"}},
            }
        },
        "channels": _channels(log),
        "operations": _operations(),
        "components": {"messages": _messages(log), "schemas": _answers()},
    }


def _channels(log: list[str]) -> Document:
    channels = {
        "evt": _channel(
            "evt.{partition}.{shop}.{buyer}.{entity}",
            "The log: stream EVENTS. Everything about one buyer is one ordered lane.",
            log,
            {
                "partition": {
                    "description": "FNV-1a 32 of the shop and buyer tokens, mod 16.",
                    "enum": [str(number) for number in range(PARTITIONS)],
                },
                "shop": {"description": _TOKEN},
                "buyer": {"description": f"{_TOKEN} `{NO_BUYER}`: a fact without a buyer."},
                "entity": {
                    "description": "The event type up to the dot.",
                    "enum": sorted({name.partition(".")[0] for name in EVENTS}),
                },
            },
        ),
        "in": _channel(
            "in.{source}.{shop}.{kind}",
            "Raw facts from outside, as they are: stream INBOX, 14 days, 512 KiB at most.",
            ["raw"],
            {
                "source": {"description": "The feed: taobao, jd, douyin, pdd, wms, courier, review, agent..."},
                "shop": {"description": _TOKEN},
                "kind": {"description": "What it is, in the source's own word."},
            },
        ),
        "query": _channel(
            "query.{model}.{name}",
            "A question to a read model.",
            ["query"],
            {"model": {"description": "The read model."}, "name": {"description": "The question."}},
        ),
        "notice": _channel(
            "notice.{source}.{shop}",
            "To the senders of raw facts: what was refused. Core NATS, at most once.",
            ["refused"],
            {"source": {"description": "The feed."}, "shop": {"description": _TOKEN}},
        ),
        "desk": _channel(
            "desk.{shop}.{role}",
            "To the people at the desk, live. Core NATS, at most once; the truth is in the log.",
            [f"{name}.{EVENTS[name].VERSION}" for name in _DESK],
            {"shop": {"description": _TOKEN}, "role": {"description": "agent, supervisor, owner..."}},
        ),
        "reply": _channel(None, "The inbox that a request names.", ["accepted", "rejected", "answer"], {}),
    }
    for service, name in _commands():
        text = f"The command {name} of {service}."
        channels[f"cmd.{service}.{name}"] = _channel(command(service, name), text, [f"cmd.{service}.{name}"], {})
    return channels


def _operations() -> Document:
    operations: Document = {
        "writeEvents": {"action": "send", "channel": _ref("channels", "evt")},
        "takeRawFacts": {"action": "receive", "channel": _ref("channels", "in")},
        "tellOfRefusals": {"action": "send", "channel": _ref("channels", "notice")},
        "tellTheDesk": {"action": "send", "channel": _ref("channels", "desk")},
        "answerQueries": _request("query", "query", ("answer", "rejected"), "projections"),
    }
    for service, name in _commands():
        channel = f"cmd.{service}.{name}"
        operations[channel] = _request(channel, channel, ("accepted", "rejected"), service)
    return operations


def _messages(log: list[str]) -> Document:
    messages: Document = {
        name: {
            "name": name.rpartition(".")[0],
            "contentType": "application/cloudevents+json",
            "correlationId": {"location": "$message.payload#/correlationid"},
            "payload": {"$ref": f"./events/{name}.json"},
        }
        for name in log
    }
    for service, name in _commands():
        messages[f"cmd.{service}.{name}"] = {
            "name": f"{service}.{name}",
            "correlationId": {"location": "$message.payload#/command_id"},
            "payload": {"$ref": f"./commands/{service}.{name}.json"},
        }
    messages["raw"] = {"summary": "What the source sent, unchanged.", "payload": {}}
    messages["query"] = {"payload": _ref("components/schemas", QueryEnvelope.__name__)}
    messages["refused"] = {"payload": _ref("components/schemas", OpsMessageRefused.__name__)}
    for struct in (Accepted, Rejected, Answer):
        messages[struct.__name__.lower()] = {"payload": _ref("components/schemas", struct.__name__)}
    return messages


def _answers() -> Document:
    _, schemas = msgspec.json.schema_components(
        (QueryEnvelope, Accepted, Rejected, Answer, OpsMessageRefused),
        ref_template="#/components/schemas/{name}",
    )
    return schemas


def _commands() -> list[tuple[str, str]]:
    return [(service, name) for service, names in COMMANDS.items() for name in names]


def _channel(address: str | None, description: str, messages: Iterable[str], parameters: Document) -> Document:
    channel: Document = {
        "address": address,
        "description": description,
        "messages": {name: _ref("components/messages", name) for name in messages},
    }
    return {**channel, "parameters": parameters} if parameters else channel


def _request(channel: str, message: str, answers: tuple[str, ...], queue: str) -> Document:
    return {
        "action": "receive",
        "channel": _ref("channels", channel),
        "messages": [_ref(f"channels/{channel}/messages", message)],
        "bindings": {"nats": {"queue": queue, "bindingVersion": "0.1.0"}},
        "reply": {
            "address": {"location": "$message.header#/reply"},
            "channel": _ref("channels", "reply"),
            "messages": [_ref("channels/reply/messages", name) for name in answers],
        },
    }


def _ref(where: str, name: str) -> Document:
    return {"$ref": f"#/{where}/{name}"}
