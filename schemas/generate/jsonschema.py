"""JSON Schema (2020-12) of every event as it stands in the log, and of every command as it is sent."""

from typing import Any

import msgspec

from schemas.codec import dataschema
from schemas.envelope import COMMON_REJECTIONS, CloudEvent, CommandData, CommandEnvelope, EventData

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def data_schema(struct: type[Any]) -> Schema:
    """The Struct alone, with its own `$defs`."""
    root, definitions = _components(struct)
    return {"$schema": DIALECT, **root, "$defs": definitions}


def event_schema(event_type: str, version: int, data: Schema) -> Schema:
    """The whole CloudEvent around a data schema."""
    envelope, definitions = _components(CloudEvent)
    schema = _around(definitions[_name(envelope)], definitions, data, f"{event_type} {version}")
    schema["properties"]["type"] = {"const": event_type}
    schema["properties"]["dataschema"] = {"const": dataschema(event_type, version)}
    return schema


def current_event_schema(struct: type[EventData]) -> Schema:
    return event_schema(struct.TYPE, struct.VERSION, data_schema(struct))


def command_schema(service: str, struct: type[CommandData]) -> Schema:
    """The command as it is sent to `cmd.<service>.<name>`, with the codes it may be rejected with."""
    envelope, definitions = _components(CommandEnvelope)
    subject = f"cmd.{service}.{struct.NAME}"
    schema = _around(definitions[_name(envelope)], definitions, data_schema(struct), subject)
    schema["x-rejections"] = [*COMMON_REJECTIONS, *struct.REJECTIONS]
    return schema


def _around(envelope: Schema, definitions: Schema, data: Schema, title: str) -> Schema:
    """The envelope's schema with `data` filled in; all `$defs` on top."""
    inner = data["$defs"][_name(data)]
    properties = {**envelope["properties"], "data": {"$ref": data["$ref"]}}
    needed = [*envelope["required"], *(["data"] if inner["required"] else [])]
    outer = {name: value for name, value in definitions.items() if value is not envelope}
    return {
        "$schema": DIALECT,
        "title": title,
        "description": inner.get("description", ""),
        "type": "object",
        "properties": properties,
        "required": list(dict.fromkeys(needed)),
        "$defs": {**outer, **data["$defs"]},
    }


def _components(struct: type[Any]) -> tuple[Schema, Schema]:
    (root,), definitions = msgspec.json.schema_components((struct,), ref_template="#/$defs/{name}")
    return root, definitions


def _name(schema: Schema) -> str:
    return schema["$ref"].rpartition("/")[2]
