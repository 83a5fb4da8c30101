"""The files of schemas/contract/ say what the Structs say, and what was published can still be read."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from typer.testing import CliRunner

from schemas.catalogue import EVENTS
from schemas.codec import decode, encode
from schemas.generate import files
from services.cli.commands import app

ROOT = files.CONTRACT
GOLDEN = sorted((ROOT / "golden").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A contract that was just written."""
    files.write(tmp_path)
    return tmp_path


def edit(path: Path, change: dict[str, Any]) -> None:
    path.write_text(json.dumps({**load(path), **change}))


def test_the_committed_contract_is_what_the_structs_say():
    assert files.drift(ROOT) == [], "out of date; run: carebus contract"


def test_no_published_version_was_changed_incompatibly():
    assert files.faults(ROOT) == [], "raise VERSION and add an upcast (schemas/upcasts.py)"


def test_every_event_of_the_catalogue_has_a_golden_example_and_a_published_schema():
    names = {f"{struct.TYPE}.{struct.VERSION}.json" for struct in EVENTS.values()}
    assert names <= {path.name for path in GOLDEN}
    assert {path.name for path in GOLDEN} == {path.name for path in (ROOT / "published").iterdir()}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_example_fits_its_json_schema(path: Path):
    schema = load(ROOT / "events" / path.name)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(load(path))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_example_is_read_and_written_again_without_loss(path: Path):
    event = decode(path.read_bytes())
    written = encode(event)
    assert decode(written) == event
    assert f"{event.data.TYPE}.json" == f"{path.stem.rpartition('.')[0]}.json"
    if path.stem.endswith(f".{event.data.VERSION}"):
        assert_kept(load(path), json.loads(written), "$")


def assert_kept(old: Any, new: Any, path: str) -> None:
    """Every value of `old` is in `new`; `new` may have more fields."""
    if isinstance(old, dict):
        for name, value in old.items():
            assert_kept(value, new[name], f"{path}.{name}")
    else:
        assert old == new, path


@pytest.mark.parametrize("path", sorted((ROOT / "commands").glob("*.json")), ids=lambda path: path.stem)
def test_the_schema_of_a_command_is_valid_2020_12(path: Path):
    Draft202012Validator.check_schema(load(path))


def test_writing_twice_gives_the_same_bytes_and_changes_nothing(folder: Path, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    files.write(other)
    contents = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.json")}
    assert contents == {path.relative_to(other): path.read_bytes() for path in other.rglob("*.json")}
    assert files.write(folder) == []


def test_golden_and_published_files_are_never_written_again(folder: Path):
    golden, published = folder / "golden/order.paid.1.json", folder / "published/order.paid.1.json"
    edit(golden, {"id": "as-published"})
    edit(published, {"description": "as published"})
    files.write(folder)
    assert load(golden)["id"] == "as-published"
    assert load(published)["description"] == "as published"


def test_drift_names_missing_outdated_and_left_over_files(folder: Path):
    (folder / "golden/order.paid.1.json").unlink()
    (folder / "commands/aftersales.approve.json").unlink()
    (folder / "events/order.gone.1.json").write_text("{}")
    edit(folder / "asyncapi.json", {"info": {}})
    assert sorted(files.drift(folder)) == [
        "asyncapi.json: outdated",
        "commands/aftersales.approve.json: missing",
        "events/order.gone.1.json: left over",
        "golden/order.paid.1.json: missing",
    ]
    files.write(folder)
    assert files.drift(folder) == []


def test_an_old_version_keeps_its_schema_and_needs_an_upcast(folder: Path):
    for part in ("published", "golden"):
        path = folder / part / "order.paid.1.json"
        path.rename(path.with_name("order.paid.0.json"))
    assert "order.paid version 0: published, but has no upcast" in files.faults(folder)
    schema = json.loads(files.generated(folder)["events/order.paid.0.json"])
    assert schema["properties"]["dataschema"] == {"const": "urn:carebus:event:order.paid:0"}


def test_a_published_type_may_not_go(folder: Path):
    path = folder / "published/order.paid.1.json"
    path.rename(path.with_name("order.gone.1.json"))
    assert "order.gone: published, but gone; the log still has it" in files.faults(folder)


@pytest.mark.parametrize("part", ["published", "events"])
def test_an_incompatible_change_is_refused_before_anything_is_written(folder: Path, part: str):
    path = folder / part / "order.paid.1.json"
    schema = load(path)
    schema["$defs"]["OrderPaid"]["properties"]["voucher"] = {"type": "string"}
    path.write_text(json.dumps(schema))
    (folder / "asyncapi.json").unlink()
    with pytest.raises(files.BrokenContract, match=r"order\.paid version 1: \$\.voucher: removed"):
        files.write(folder)
    assert not (folder / "asyncapi.json").exists()


def test_the_command_line_says_what_is_out_of_date_and_what_to_run(folder: Path):
    run = CliRunner().invoke
    assert run(app, ["contract", "--check", "--folder", str(folder)]).exit_code == 0
    edit(folder / "asyncapi.json", {"info": {}})
    answer = run(app, ["contract", "--check", "--folder", str(folder)])
    assert answer.exit_code == 1
    assert "asyncapi.json: outdated" in answer.output
    assert "run: carebus contract" in answer.output
    assert run(app, ["contract", "--folder", str(folder)]).output.startswith("1 files changed")


def test_the_command_line_refuses_an_incompatible_change_in_one_line_for_each_fault(folder: Path):
    path = folder / "published/order.paid.1.json"
    path.rename(path.with_name("order.gone.1.json"))
    answer = CliRunner().invoke(app, ["contract", "--folder", str(folder)])
    assert answer.exit_code == 1
    assert answer.output.splitlines() == [
        "  order.gone: published, but gone; the log still has it",
        "carebus contract: a published version was changed; raise VERSION and add an upcast (schemas/upcasts.py)",
    ]
