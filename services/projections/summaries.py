"""An event about an order in a few English words, for a timeline. Pure.

Built from closed vocabularies, ids, amounts and the names of couriers and cities: never from what a person wrote
(memos, notes, reviews, reasons of cases), which may hold an address or a telephone number.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schemas import care, case, flag, order, refund, remedy, review

_Flag = flag.OrderFlagged | flag.OrderFlagCleared


def summary(data: Any) -> str:
    """`paid 29.80 CNY`; for a type that has no words here, its name: `case withdrawn`."""
    say = _WORDS.get(type(data))
    return say(data) if say else _name(data)


def _name(data: Any) -> str:
    return data.TYPE.replace(".", " ").replace("_", " ")


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02} CNY"


def _joined(*words: str | None) -> str:
    return " ".join(word for word in words if word)


def _within(name: str | None) -> str:
    return f"in {name}" if name else ""


def _word(code: str) -> str:
    return code.replace("_", " ")


def _placed(e: order.OrderPlaced) -> str:
    how = ", cash on delivery" if e.pay_mode == "cash_on_delivery" else ", presale" if e.presale else ""
    return f"placed, {_yuan(e.total_fen)} with {_yuan(e.postage_fen)} postage{how}"


def _shipped(e: order.OrderShipped) -> str:
    rest = ", the rest follows" if e.partial else ""
    return f"parcel {e.parcel_id} shipped by {e.carrier}, waybill {e.waybill}{rest}"


def _closed(e: order.OrderClosed) -> str:
    what = "" if e.line_ids is None else f"{len(e.line_ids)} lines "
    return f"{what}closed {'after' if e.paid else 'before'} payment"


def _flag(e: _Flag, verb: str) -> str:
    return _joined(e.colour or f"unmapped ({e.raw_code or 'no code'})", "flag", verb, _departments(e))


def _departments(e: _Flag) -> str:
    if not e.from_department or not e.to_department:
        return ""
    return f"from {_word(e.from_department)} to {_word(e.to_department)}"


def _refund(verb: str) -> Callable[[Any], str]:
    return lambda e: f"{_word(e.kind)} {verb}, {_yuan(e.fee_fen)} ({e.phase})"


def _care(verb: str) -> Callable[[Any], str]:
    return lambda e: _joined(_word(e.kind), "message", verb)


def _stars(e: Any) -> str:
    return f" ({e.score} of 5)" if e.score else ""


_WORDS: Mapping[type[Any], Callable[[Any], str]] = {
    order.OrderPlaced: _placed,
    order.OrderAssigned: lambda e: "assigned to this buyer by hand",
    order.OrderPriceAdjusted: lambda e: f"price changed, now {_yuan(e.total_fen)}",
    order.OrderAddressChanged: lambda e: "receiver's address changed",
    order.OrderMemoChanged: lambda e: f"memo changed by {e.by}, version {e.memo_version}",
    order.OrderDepositPaid: lambda e: f"deposit of {_yuan(e.paid_fen)} paid",
    order.OrderPaid: lambda e: f"paid {_yuan(e.paid_fen)}",
    order.OrderPrinted: lambda e: f"label printed for waybill {e.waybill}, memo version {e.memo_version}",
    order.OrderShipped: _shipped,
    order.OrderPickupScanned: lambda e: _joined("parcel", e.parcel_id, "picked up", _within(e.city)),
    order.OrderParcelMoved: lambda e: _joined("parcel", e.parcel_id, _word(e.action), _within(e.city)),
    order.OrderArrived: lambda e: f"parcel {e.parcel_id} arrived in the buyer's city",
    order.OrderSigned: lambda e: f"parcel {e.parcel_id} signed ({e.by})",
    order.OrderRejected: lambda e: f"parcel {e.parcel_id} refused at the door",
    order.OrderParcelException: lambda e: f"parcel {e.parcel_id} in trouble: {e.kind}",
    order.OrderReceiptExtended: lambda e: f"receipt extended by {e.days} days",
    order.OrderCompleted: lambda e: f"completed ({e.cause})",
    order.OrderClosed: _closed,
    order.OrderRestocked: lambda e: "goods are back in stock",
    flag.OrderFlagged: lambda e: _flag(e, "raised"),
    flag.OrderFlagCleared: lambda e: _flag(e, "cleared"),
    flag.OrderFlagRefused: lambda e: f"{e.colour} flag refused: {_word(e.reason)}",
    flag.OrderFlagConflicted: lambda e: f"{e.colour} flag is newer than the printed label",
    review.ReviewPosted: lambda e: f"{e.rating} review{_stars(e)}{', by default' if e.automatic else ''}",
    review.ReviewChanged: lambda e: f"review changed, now {e.rating}{_stars(e)}",
    review.ReviewReplied: lambda e: "review replied to in public",
    refund.RefundRequested: _refund("asked for"),
    refund.RefundAgreed: _refund("agreed"),
    refund.RefundRefused: _refund("refused"),
    refund.RefundGoodsReturned: _refund("goods sent back"),
    refund.RefundCompleted: _refund("paid back"),
    refund.RefundClosed: _refund("withdrawn or lapsed"),
    case.CaseProposed: lambda e: f"{_word(e.kind)} case {e.case_id} suggested",
    case.CaseOpened: lambda e: f"{_word(e.kind)} case {e.case_id} opened",
    case.CaseLiabilityDecided: lambda e: f"liable: {e.party}; freight: {_word(e.freight_payer)}",
    case.CaseApproved: lambda e: _joined(_word(e.remedy), "approved", _yuan(e.amount_fen) if e.amount_fen else ""),
    case.CaseContactTried: lambda e: f"buyer contacted by {e.channel}: {_word(e.result)}",
    case.CaseOverdue: lambda e: f"case {e.case_id} overdue",
    case.CaseEscalated: lambda e: f"case {e.case_id} escalated to the {e.role}",
    case.CaseResolved: lambda e: f"case {e.case_id} ended: {e.outcome}",
    remedy.CaseInterceptResolved: lambda e: "parcel recovered" if e.recovered else "parcel could not be recovered",
    remedy.CaseInspected: lambda e: f"returned goods inspected: {_word(e.result)}",
    remedy.CaseReplacementSent: lambda e: f"replacement sent by {e.carrier}, waybill {e.waybill}",
    remedy.CaseRefundOrdered: lambda e: f"refund of {_yuan(e.amount_fen)} ordered",
    remedy.CaseCompensated: lambda e: f"compensated with {_yuan(e.amount_fen)} ({e.form})",
    remedy.CaseClaimFiled: lambda e: f"claim of {_yuan(e.amount_fen)} filed with {e.carrier}",
    remedy.CaseClaimSettled: lambda e: f"claim settled by {e.carrier}: {_yuan(e.amount_fen)}",
    care.CareProposed: _care("proposed"),
    care.CareDeferred: lambda e: f"{_word(e.kind)} message deferred: {_word(e.reason)}",
    care.CareSuppressed: lambda e: f"{_word(e.kind)} message not sent: {_word(e.reason)}",
    care.CareRequested: _care("on its way"),
    care.CareSent: lambda e: f"{_word(e.kind)} message sent by {e.channel}",
    care.CareFailed: lambda e: f"{_word(e.kind)} message failed by {e.channel}",
    care.CareUnknown: lambda e: f"{_word(e.kind)} message by {e.channel}: nobody knows whether it was sent",
    care.CareOutcomeRecorded: lambda e: f"{_word(e.kind)} message: outcome {_word(e.outcome)}",
}
