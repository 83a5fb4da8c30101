"""The words of a timeline: built from the event, without anything that a person may have written."""

from typing import Any

import msgspec
import pytest

from schemas.case import CaseWithdrawn
from schemas.catalogue import EVENTS
from schemas.codec import decode, entity
from schemas.generate.examples import example_event
from schemas.order import OrderPaid, OrderShipped
from services.projections.summaries import summary

OF_AN_ORDER = [
    struct for kind, struct in EVENTS.items() if entity(kind) in ("order", "review", "refund", "care", "case")
]
WRITTEN = frozenset({"memo", "note", "text", "reason", "place", "detail", "error", "rule", "step"})
SECRET = "13800000000"


def test_what_an_event_says_is_told_in_few_words() -> None:
    shipped = OrderShipped(order_id="o1", parcel_id="p1", carrier="顺丰", waybill="SF1", partial=True)
    assert summary(OrderPaid(order_id="o1", paid_fen=2905)) == "paid 29.05 CNY"
    assert summary(shipped) == "parcel p1 shipped by 顺丰, waybill SF1, the rest follows"


def test_an_event_without_words_of_its_own_is_told_by_its_name() -> None:
    assert summary(CaseWithdrawn(case_id="x", reason=SECRET, by="lin")) == "case withdrawn"


@pytest.mark.parametrize("struct", OF_AN_ORDER, ids=lambda struct: struct.TYPE)
def test_every_event_of_an_order_is_told_without_what_a_person_wrote(struct: Any) -> None:
    data: Any = decode(example_event(struct)).data
    written = {f.name: SECRET for f in msgspec.structs.fields(struct) if f.name in WRITTEN and _is_text(f.type)}
    words = summary(msgspec.structs.replace(data, **written))
    assert words.isprintable()
    assert 0 < len(words) < 200
    assert SECRET not in words


@pytest.mark.parametrize("struct", OF_AN_ORDER, ids=lambda struct: struct.TYPE)
def test_what_an_event_may_leave_out_is_left_out_of_the_words(struct: Any) -> None:
    data: Any = decode(example_event(struct)).data
    absent = {f.name: None for f in msgspec.structs.fields(struct) if f.default is None}
    assert "None" not in summary(msgspec.structs.replace(data, **absent))


def _is_text(of: Any) -> bool:
    info = msgspec.inspect.type_info(of)
    kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    inner = (kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind for kind in kinds)
    return any(isinstance(kind, msgspec.inspect.StrType) for kind in inner)
