"""Reminder: thanks for a payment, a soft word for an order that is not paid; keyed by buyer, orders inside."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from schemas.care import CareKind, CareProposed, CareSuppressed
from schemas.commands.care_notifier import CancelCare
from schemas.envelope import Command, Event, Rejected
from schemas.order import OrderClosed, OrderPaid, OrderPlaced
from schemas.review import ReviewPosted
from services.kernel.policy import Policy
from services.kernel.process import Tick

VERSION = 1


class Reminder(Struct, frozen=True):
    """waiting: unpaid order -> when it was placed. proposed: messages that were not yet called off."""

    waiting: dict[str, datetime] = {}
    proposed: frozenset[str] = frozenset()
    spent_fen: int = 0


State = Reminder

_MINE = (OrderPlaced, OrderPaid, OrderClosed, ReviewPosted, CareProposed, CareSuppressed)


def key(event: Event) -> str | None:
    return event.buyer if isinstance(event.data, _MINE) else None


def evolve(reminder: Reminder, event: Event) -> Reminder:
    match event.data:
        case OrderPlaced(order_id=order):
            return replace(reminder, waiting={**reminder.waiting, order: event.time})
        case OrderPaid(order_id=order, paid_fen=paid):
            return replace(_settled(reminder, order), spent_fen=reminder.spent_fen + paid)
        case OrderClosed(order_id=order):
            return _settled(reminder, order)
        case CareProposed(care_id=care, order_id=order, kind="unpaid_soft"):
            return replace(_settled(reminder, order or ""), proposed=reminder.proposed | {care})
        case CareProposed(care_id=care):
            return replace(reminder, proposed=reminder.proposed | {care})
        case CareSuppressed(care_id=care, order_id=order):
            return replace(_settled(reminder, order or ""), proposed=reminder.proposed - {care})
        case _:
            return reminder


def decide(
    reminder: Reminder, cause: object, now: datetime, policy: Policy
) -> Iterable[CareProposed | CareSuppressed | Rejected]:
    kinds = policy.care.kinds
    match cause:
        case Event(data=OrderPaid(order_id=order), buyer=buyer):
            care = f"{buyer}:payment_thanks:{order}"
            if care not in reminder.proposed:
                yield _proposal(care, "payment_thanks", order, now, kinds.payment_thanks.expires_s)
        case Event(data=ReviewPosted(order_id=order, review_id=review, rating="bad"), buyer=buyer):
            care = f"{buyer}:bad_review:{review}"
            if care not in reminder.proposed:
                yield _proposal(care, "bad_review", order, now, 3600)
        case Tick():
            for order, placed in reminder.waiting.items():
                when = placed + timedelta(seconds=kinds.unpaid_soft.after_s)
                care = f"unpaid_soft:{order}"
                if when > now:
                    continue
                if now > when + timedelta(seconds=kinds.unpaid_soft.expires_s):
                    yield CareSuppressed(care_id=care, kind="unpaid_soft", order_id=order, reason="expired")
                else:
                    yield _proposal(care, "unpaid_soft", order, now, kinds.unpaid_soft.expires_s)
        case Command(data=CancelCare(care_id=care)):
            if care not in reminder.proposed:
                yield Rejected(
                    code="already_requested",
                    message=f"{care} is not waiting: it was called off, or never proposed.",
                    message_zh="该消息已取消或不存在。",
                    field="data.care_id",
                )
            else:
                yield CareSuppressed(care_id=care, kind="payment_thanks", reason="cancelled")
        case _:
            return


def due(reminder: Reminder, policy: Policy) -> datetime | None:
    after = timedelta(seconds=policy.care.kinds.unpaid_soft.after_s)
    return min((placed + after for placed in reminder.waiting.values()), default=None)


def _settled(reminder: Reminder, order: str) -> Reminder:
    return replace(reminder, waiting={o: t for o, t in reminder.waiting.items() if o != order})


def _proposal(care: str, kind: CareKind, order: str, now: datetime, expires_s: int) -> CareProposed:
    return CareProposed(
        care_id=care,
        kind=kind,
        order_id=order,
        marketing=False,
        template=kind,
        not_before=now,
        expires_at=now + timedelta(seconds=expires_s),
    )
