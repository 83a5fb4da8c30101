"""asyncapi.json is an AsyncAPI 3.0 document by the official schema, and every reference in it leads
somewhere.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from schemas.catalogue import COMMANDS, EVENTS
from schemas.generate.files import CONTRACT

OFFICIAL = Path(__file__).parent / "node_modules/@asyncapi/specs/schemas/3.0.0.json"

DOCUMENT: dict[str, Any] = json.loads((CONTRACT / "asyncapi.json").read_bytes())


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_the_document_fits_the_official_asyncapi_3_schema():
    if not OFFICIAL.exists():
        pytest.fail("the official schema is not installed; run: make setup (npm ci in tests/contract)")
    errors = Draft7Validator(json.loads(OFFICIAL.read_bytes())).iter_errors(DOCUMENT)
    assert [f"{list(error.path)}: {error.message:.200}" for error in errors] == []


def leads_somewhere(reference: str) -> bool:
    file, _, pointer = reference.partition("#")
    target = json.loads((CONTRACT / file).read_bytes()) if file else DOCUMENT
    for step in filter(None, pointer.split("/")):
        if step not in target:
            return False
        target = target[step]
    return True


def test_every_reference_leads_somewhere():
    found = set(references(DOCUMENT))
    assert len(found) > len(EVENTS)
    assert [reference for reference in sorted(found) if not leads_somewhere(reference)] == []


def test_every_event_can_be_read_from_the_log():
    assert set(DOCUMENT["channels"]["evt"]["messages"]) >= {f"{e.TYPE}.{e.VERSION}" for e in EVENTS.values()}


def test_every_command_is_answered_accepted_or_rejected():
    for service, commands in COMMANDS.items():
        for name in commands:
            operation = DOCUMENT["operations"][f"cmd.{service}.{name}"]
            answers = [message["$ref"].rpartition("/")[2] for message in operation["reply"]["messages"]]
            assert answers == ["accepted", "rejected"]
            assert DOCUMENT["channels"][f"cmd.{service}.{name}"]["address"] == f"cmd.{service}.{name}"
