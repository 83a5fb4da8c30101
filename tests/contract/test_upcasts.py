"""An event written by an old version is read as the current one, or refused: never misread."""

import json
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import Struct

from schemas import codec, upcasts
from schemas.codec import DecodeError, UnknownVersion, decode_data
from schemas.generate.examples import example_event
from schemas.types import Fen, Id
from schemas.upcasts import NoUpcast, upcast


class ThingPaid(Struct, frozen=True, kw_only=True):
    """The third version of an event whose first counted yuan, and whose second knew no currency."""

    TYPE: ClassVar[str] = "thing.paid"
    VERSION: ClassVar[int] = 3

    thing_id: Id
    paid_fen: Fen
    currency: str


def to_fen(data: dict[str, Any]) -> dict[str, Any]:
    return {"thing_id": data["thing_id"], "paid_fen": data["paid_yuan"] * 100}


def with_currency(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "currency": "CNY"}


STEPS = {("thing.paid", 1): to_fen, ("thing.paid", 2): with_currency}


@pytest.fixture(autouse=True)
def _thing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(codec.EVENTS, ThingPaid.TYPE, ThingPaid)
    for step, function in STEPS.items():
        monkeypatch.setitem(upcasts.UPCASTS, step, function)


def read(version: int, data: dict[str, Any]) -> Any:
    return decode_data("thing.paid", f"urn:carebus:event:thing.paid:{version}", msgspec.json.encode(data))


def test_every_old_version_is_read_as_the_current_one():
    now = ThingPaid(thing_id="t1", paid_fen=2900, currency="CNY")
    assert read(1, {"thing_id": "t1", "paid_yuan": 29}) == now
    assert read(2, {"thing_id": "t1", "paid_fen": 2900}) == now
    assert read(3, {"thing_id": "t1", "paid_fen": 2900, "currency": "CNY"}) == now


def test_an_old_golden_example_still_decodes():
    golden = json.loads(example_event(ThingPaid))
    golden["dataschema"] = "urn:carebus:event:thing.paid:1"
    golden["data"] = {"thing_id": "t1", "paid_yuan": 29}
    event = codec.decode(msgspec.json.encode(golden))
    assert event.data == ThingPaid(thing_id="t1", paid_fen=2900, currency="CNY")


@pytest.mark.parametrize("version", [4, 999_999_999])
def test_a_version_of_a_newer_writer_is_unknown(version: int):
    with pytest.raises(UnknownVersion, match="this reader knows version 3"):
        read(version, {})


@pytest.mark.parametrize("version", ["0", "01", "x", "", "-1", "1.0", "9" * 400, "２"])
def test_what_is_no_version_is_refused(version: str):
    with pytest.raises(DecodeError, match="dataschema") as caught:
        decode_data("thing.paid", f"urn:carebus:event:thing.paid:{version}", b"{}")
    assert not isinstance(caught.value, UnknownVersion)


def test_an_upcast_whose_result_does_not_fit_names_the_field():
    with pytest.raises(DecodeError, match=r"thing.paid version 1, upcast: Expected `int` >= 0") as caught:
        read(1, {"thing_id": "t1", "paid_yuan": -29})
    assert caught.value.field == "paid_fen"


def test_an_upcast_that_fails_on_the_data_is_a_decode_error():
    with pytest.raises(DecodeError, match=r"thing\.paid version 1, upcast: KeyError"):
        read(1, {"thing_id": "t1"})


def test_upcasts_run_in_order_from_any_version():
    assert upcast("thing.paid", 1, 2, {"thing_id": "t1", "paid_yuan": 1}, STEPS) == {
        "thing_id": "t1",
        "paid_fen": 100,
    }
    with pytest.raises(NoUpcast):
        upcast("thing.paid", 3, 4, {}, STEPS)
