"""Refunds: a step told without kind or sum takes them from the refund's last statement (domain.md 2; feeds.md).

The same step is often told twice, by a message of its own time and by a snapshot. A step happens again only after
another one (asked, refused, asked again): between two others, a step that was told by a hint and the one of the
snapshot are the same, if their times are near enough.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from schemas.refund import (
    RefundAgreed,
    RefundClosed,
    RefundCompleted,
    RefundGoodsReturned,
    RefundRefused,
    RefundRequested,
)
from services.kernel.process import Fact
from services.trade_ingest import stated
from services.trade_ingest.identity import IDENTITIES
from services.trade_ingest.order_memory import OrderFacts, Refund, Step, once, put_by

NEAR = timedelta(hours=1)
"""So far apart the times of a message and of a snapshot about one step may lie. Own."""

STAMPED = timedelta(minutes=1)
"""So far apart two full statements of one step may be dated: a message by its sending, a snapshot by the step. Own."""

STEPS: Mapping[str, type[Any]] = {
    "requested": RefundRequested,
    "agreed": RefundAgreed,
    "refused": RefundRefused,
    "goods_returned": RefundGoodsReturned,
    "completed": RefundCompleted,
    "closed": RefundClosed,
}
_NAMES: Mapping[type[Any], str] = {struct: name for name, struct in STEPS.items()}


def refund(facts: OrderFacts, fact: Fact[Any]) -> OrderFacts:
    """The contract's own event, told once; nothing where a hint has told the step, or a message of nearly that time."""
    data = fact.data
    known = facts.refunds.get(data.refund_id)
    step = Step(_NAMES[type(data)], fact.time, data.fee_fen)
    steps = known.steps if known else ()
    twin = _twin(steps, step.name, step.fee_fen, fact)
    stamped = twin is not None and IDENTITIES[type(data)].timed and abs(twin.at - fact.time) <= STAMPED
    if twin is None or not (twin.hinted or stamped):
        told = once(facts, fact, data)
        steps = steps if told is facts else (*steps, step)
        facts = told
    if known is None or fact.time >= known.at:
        known = Refund(
            at=fact.time,
            kind=data.kind,
            phase=data.phase,
            fee_fen=data.fee_fen,
            freight_fen=data.freight_fen,
            line_ids=data.line_ids,
        )
    return _with(facts, data.refund_id, replace(known, steps=steps))


def refund_step(facts: OrderFacts, fact: Fact[stated.RefundStep]) -> OrderFacts:
    """The step with the details of its refund, where they are known; else it waits for them."""
    hint = fact.data
    known = facts.refunds.get(hint.refund_id)
    if known is None:
        return put_by(facts, fact)
    if _twin(known.steps, hint.step, hint.fee_fen, fact) is not None:
        return facts
    event = STEPS[hint.step](
        refund_id=hint.refund_id,
        order_id=hint.order_id,
        line_ids=hint.line_ids or known.line_ids,
        kind=known.kind,
        phase=known.phase,
        fee_fen=known.fee_fen if hint.fee_fen is None else hint.fee_fen,
        freight_fen=hint.freight_fen or known.freight_fen,
        reason=hint.reason,
    )
    told = once(facts, fact, event)
    if told is facts:
        return facts
    step = Step(hint.step, fact.time, event.fee_fen, hinted=True)
    return _with(told, hint.refund_id, replace(known, steps=(*known.steps, step)))


def _twin(steps: tuple[Step, ...], name: str, fee_fen: int | None, fact: Fact[Any]) -> Step | None:
    """The step of that name near this time, right before or right after it, with no other in between."""
    ordered = sorted(steps, key=lambda step: step.at)
    before = [step for step in ordered if step.at <= fact.time][-1:]
    following = [step for step in ordered if step.at > fact.time][:1]
    for step in (*before, *following):
        if step.name == name and fee_fen in (None, step.fee_fen) and abs(step.at - fact.time) <= NEAR:
            return step
    return None


def _with(facts: OrderFacts, refund_id: str, refund: Refund) -> OrderFacts:
    if facts.refunds.get(refund_id) == refund:
        return facts
    return replace(facts, refunds={**facts.refunds, refund_id: refund})
