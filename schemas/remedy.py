"""Case events about goods and money: intercept, return, inspection, replacement, refund, compensation, claim.

Source: domain.md 5.
"""

from typing import ClassVar, Literal

from schemas.case import CaseStep
from schemas.types import Fen, Id, Short, Text


class CaseInterceptRequested(CaseStep, frozen=True, kw_only=True):
    """The courier was asked to stop the parcel (拦截)."""

    TYPE: ClassVar[str] = "case.intercept_requested"
    VERSION: ClassVar[int] = 1

    waybill: Id


class CaseInterceptResolved(CaseStep, frozen=True, kw_only=True):
    """Recovered: resend or refund. Not recoverable: apologise, agree on refusal at the door (拒签)."""

    TYPE: ClassVar[str] = "case.intercept_resolved"
    VERSION: ClassVar[int] = 1

    waybill: Id
    recovered: bool


class CaseGoodsReceived(CaseStep, frozen=True, kw_only=True):
    """The returned parcel is in the warehouse (green flag).

    Freight-collect (到付) parcels are not taken in.
    """

    TYPE: ClassVar[str] = "case.goods_received"
    VERSION: ClassVar[int] = 1

    waybill: Id


class CaseInspected(CaseStep, frozen=True, kw_only=True):
    """The returned goods were looked at (验货); `fault_confirmed` reimburses a buyer who advanced the
    freight.
    """

    TYPE: ClassVar[str] = "case.inspected"
    VERSION: ClassVar[int] = 1

    result: Literal["saleable", "fault_confirmed", "damaged", "incomplete", "used", "wrong_goods"]
    note: Text = ""
    by: Id


class CaseReplacementSent(CaseStep, frozen=True, kw_only=True):
    """The replacement or missing part left (换货/补发); a blue flag tells the number."""

    TYPE: ClassVar[str] = "case.replacement_sent"
    VERSION: ClassVar[int] = 1

    order_id: Id | None = None
    carrier: Short
    waybill: Id


class CaseRefundOrdered(CaseStep, frozen=True, kw_only=True):
    """This much is to be paid back on the platform."""

    TYPE: ClassVar[str] = "case.refund_ordered"
    VERSION: ClassVar[int] = 1

    order_id: Id | None = None
    refund_id: Id | None = None
    amount_fen: Fen
    by: Id


class CaseCompensated(CaseStep, frozen=True, kw_only=True):
    """Compensation (补偿) for the fault, never tied to a review.

    `authority`: whose limit covered the order's sum.
    """

    TYPE: ClassVar[str] = "case.compensated"
    VERSION: ClassVar[int] = 1

    order_id: Id | None = None
    amount_fen: Fen
    form: Literal["cash", "coupon", "gift"]
    reason: Short
    authority: Literal["agent", "supervisor", "owner"]
    grant_id: Id | None = None
    by: Id


class CaseClaimFiled(CaseStep, frozen=True, kw_only=True):
    """A claim (索赔) against the courier was filed."""

    TYPE: ClassVar[str] = "case.claim_filed"
    VERSION: ClassVar[int] = 1

    carrier: Short
    amount_fen: Fen
    by: Id


class CaseClaimSettled(CaseStep, frozen=True, kw_only=True):
    """The courier paid this much; 0: refused."""

    TYPE: ClassVar[str] = "case.claim_settled"
    VERSION: ClassVar[int] = 1

    carrier: Short
    amount_fen: Fen
    by: Id


EVENTS = (
    CaseInterceptRequested, CaseInterceptResolved, CaseGoodsReceived, CaseInspected, CaseReplacementSent,
    CaseRefundOrdered, CaseCompensated, CaseClaimFiled, CaseClaimSettled,
)  # fmt: skip
