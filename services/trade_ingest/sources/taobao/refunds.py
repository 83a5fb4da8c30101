"""Refunds (退款): the topics of a refund, and the refund as `taobao.refund.get` or the RDS push shows it.

The same steps either way. What a step's event needs and its message lacks (kind, phase, sum) is left to the memory of
the order: a RefundStep. Source: feeds.md, Refund states.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from schemas.refund import RefundKind
from services.kernel.fields import Fields, Unreadable
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.sources.refund_steps import Phase, Refund
from services.trade_ingest.sources.snapshots import part
from services.trade_ingest.sources.taobao.parties import Whose, facts, unwrapped, whose
from services.trade_ingest.sources.taobao.states import REFUND_STATES
from services.trade_ingest.stated import RefundStage, RefundStep

_KINDS: Mapping[str, RefundKind] = {"refund_bill": "refund_only", "return_bill": "return", "replace_bill": "exchange"}
_PHASES: Mapping[str, Phase] = {"onsale": "onsale", "aftersale": "aftersale"}


def refund(raw: RawFact, message: Fields) -> Iterator[Fact[Any] | Refused]:
    """What one snapshot proves: that it was requested when it was created, and its state when it was last modified.

    The steps between have no time in it and are not told: their own messages and snapshots do. The buyer's own words
    (`desc`) are not taken; the reason is one of the platform's list.
    """
    try:
        shown = unwrapped(message, "refund_get_response", "refund")
        whom = whose(raw, shown)
        stage: RefundStage = shown.must("status", shown.choice("status", REFUND_STATES))
        described = _described(shown, whom, _kind(shown))
    except Unreadable as error:
        yield Refused(str(error), error.field)
        return
    yield from part(partial(_requested, raw, whom, shown, described))
    if stage != "requested":
        yield from part(partial(_reached, raw, whom, shown, described, stage))


def _requested(raw: RawFact, whom: Whose, shown: Fields, described: Refund) -> Iterator[Fact[Any]]:
    time = shown.must("created", shown.local("created"))
    return facts(raw, whom, time, [described.step("requested", shown.text("reason"))])


def _reached(raw: RawFact, whom: Whose, shown: Fields, described: Refund, stage: RefundStage) -> Iterator[Fact[Any]]:
    """A refusal's reason is the shop's, and the snapshot has only the buyer's."""
    time = shown.must("modified", shown.local("modified"))
    reason = None if stage == "refused" else shown.text("reason")
    parcel = {"carrier": shown.text("company_name"), "waybill": shown.id("sid")} if stage == "goods_returned" else {}
    return facts(raw, whom, time, [described.step(stage, reason, **parcel)])


def _kind(shown: Fields) -> RefundKind | None:
    """By the bill, else by whether goods are to come back (`has_good_return`)."""
    if bill := shown.choice("bill_type", _KINDS):
        return bill
    back = shown.truth("has_good_return")
    return None if back is None else "return" if back else "refund_only"


def _told(stage: RefundStage, raw: RawFact, message: Fields, time: datetime) -> Iterator[Fact[Any]]:
    whom = whose(raw, message)
    kind = message.choice("bill_type", _KINDS)
    if stage == "goods_returned" and kind == "refund_only":
        kind = "return"  # of a refund on sale the bill says 退款 even where goods come back
    return facts(raw, whom, time, [_described(message, whom, kind).step(stage)])


def _described(fields: Fields, whom: Whose, kind: RefundKind | None) -> Refund:
    """A refund of Taobao is always of one line (子订单)."""
    line = fields.id("oid")
    return Refund(
        order_id=whom.order_id,
        refund_id=fields.must("refund_id", fields.id("refund_id")),
        line_ids=(line,) if line and line != "0" else (),
        kind=kind,
        phase=fields.choice("refund_phase", _PHASES),
        fee_fen=fields.yuan("refund_fee"),
    )


def _synchronised(raw: RawFact, message: Fields, time: datetime) -> Iterator[Fact[Any]]:
    """OrderStatusSync: the state of a refund, by the numbers of order and refund alone."""
    whom = whose(raw, message, "out_order_id")
    refund_id = message.must("refund_order_id", message.id("refund_order_id"))
    stage: RefundStage = message.must("refund_status", message.choice("refund_status", REFUND_STATES))
    return facts(raw, whom, time, [RefundStep(order_id=whom.order_id, refund_id=refund_id, step=stage)])


MEANINGS: Mapping[str, Callable[[RawFact, Fields, datetime], Iterator[Fact[Any]]]] = {
    "taobao_refund_RefundCreated": partial(_told, "requested"),
    # Asked for anew, for another sum or kind.
    "taobao_refund_RefundBuyerModifyAgreement": partial(_told, "requested"),
    "taobao_refund_RefundSellerAgreeAgreement": partial(_told, "agreed"),
    "taobao_refund_RefundSellerRefuseAgreement": partial(_told, "refused"),
    "taobao_refund_RefundBuyerReturnGoods": partial(_told, "goods_returned"),
    "taobao_refund_RefundSuccess": partial(_told, "completed"),
    "taobao_refund_RefundClosed": partial(_told, "closed"),
    "taobao_refund_OrderStatusSync": _synchronised,
}
