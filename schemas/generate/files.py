"""The files of `schemas/contract/`: what is generated anew, and what is written once and never again.

asyncapi.json  events/  commands/     follow the Structs; `carebus contract` writes them
golden/        one example a (type, version)           written when first published, then never edited
published/     the data's schema as first published    likewise; what changes are compared with
"""

import json
from pathlib import Path
from typing import Any

from schemas.catalogue import COMMANDS, EVENTS
from schemas.compatibility import breaks
from schemas.envelope import EventData
from schemas.generate.asyncapi import asyncapi
from schemas.generate.examples import example_event
from schemas.generate.jsonschema import command_schema, current_event_schema, data_schema, event_schema
from schemas.upcasts import UPCASTS

CONTRACT = Path(__file__).parents[1] / "contract"

_GENERATED = ("events", "commands")


class BrokenContract(Exception):
    """A published version was changed so that the log would be misread. The text has one fault a line."""


def generated(root: Path) -> dict[str, bytes]:
    """Path -> content of what follows the Structs. Old versions' schemas come from `published/`."""
    current = {(struct.TYPE, struct.VERSION): current_event_schema(struct) for struct in EVENTS.values()}
    old = {
        (event_type, version): event_schema(event_type, version, _read(path))
        for (event_type, version), path in published(root).items()
    }
    events = dict(sorted({**old, **current}.items()))
    files = {f"events/{name}.{version}.json": _json(schema) for (name, version), schema in events.items()}
    for service, commands in COMMANDS.items():
        for name, struct in commands.items():
            files[f"commands/{service}.{name}.json"] = _json(command_schema(service, struct))
    files["asyncapi.json"] = _json(asyncapi(events))
    return files


def frozen() -> dict[str, bytes]:
    """Path -> content of the files that a newly published (type, version) is given."""
    files: dict[str, bytes] = {}
    for struct in EVENTS.values():
        name = f"{struct.TYPE}.{struct.VERSION}.json"
        files[f"golden/{name}"] = example_event(struct)
        files[f"published/{name}"] = _json(data_schema(struct))
    return files


def published(root: Path) -> dict[tuple[str, int], Path]:
    """The baseline of every (type, version) that was ever published."""
    found: dict[tuple[str, int], Path] = {}
    for path in sorted((root / "published").glob("*.json")):
        event_type, _, version = path.stem.rpartition(".")
        found[event_type, int(version)] = path
    return found


def faults(root: Path) -> list[str]:
    """Why the Structs no longer read what was published; empty when they do.

    Compared with the version as first published and, because optional fields may have come since, as it
    stands.
    """
    found: list[str] = []
    for (event_type, version), path in published(root).items():
        struct = EVENTS.get(event_type)
        if struct is None:
            found.append(f"{event_type}: published, but gone; the log still has it")
        elif version == struct.VERSION:
            lost = breaks(_read(path), data_schema(struct)) + _since(root / "events" / path.name, struct)
            found += [f"{event_type} version {version}: {fault}" for fault in dict.fromkeys(lost)]
        else:
            steps = range(version, struct.VERSION)
            missing = [step for step in steps if (event_type, step) not in UPCASTS] if steps else [version]
            found += [f"{event_type} version {step}: published, but has no upcast" for step in missing]
    return found


def _since(path: Path, struct: type[EventData]) -> list[str]:
    if not path.exists():
        return []
    return [fault.replace("$.data", "$", 1) for fault in breaks(_read(path), current_event_schema(struct))]


def drift(root: Path) -> list[str]:
    """Which files are not what the Structs say, each as `path: missing | outdated | left over`."""
    wanted = generated(root)
    found = [f"{path}: {_state(root / path, content)}" for path, content in wanted.items()]
    found += [f"{path}: missing" for path in frozen() if not (root / path).exists()]
    found += [f"{path}: left over" for path in _left_over(root, wanted)]
    return [line for line in found if not line.endswith(": ")]


def write(root: Path) -> list[str]:
    """Bring the files up to date; the changed paths. Raises BrokenContract before anything is written."""
    if found := faults(root):
        raise BrokenContract("\n".join(found))
    new = {path: content for path, content in frozen().items() if not (root / path).exists()}
    for path, content in new.items():
        _put(root / path, content)
    wanted = generated(root)
    changed = {path: content for path, content in wanted.items() if _state(root / path, content)}
    for path, content in changed.items():
        _put(root / path, content)
    left_over = _left_over(root, wanted)
    for path in left_over:
        (root / path).unlink()
    return [*new, *changed, *left_over]


def _left_over(root: Path, wanted: dict[str, bytes]) -> list[str]:
    files = (path for folder in _GENERATED for path in sorted((root / folder).glob("*.json")))
    return [name for path in files if (name := path.relative_to(root).as_posix()) not in wanted]


def _state(path: Path, content: bytes) -> str:
    if not path.exists():
        return "missing"
    return "" if path.read_bytes() == content else "outdated"


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
