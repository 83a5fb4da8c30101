"""How long what waits may wait, and what becomes of it then: the ticks of `order_facts` (policy `orders`).

| waits | for | then, at the latest |
| --- | --- | --- |
| an event | the order's buyer, and only a nick is known | told in the nick's lane after details_wait_minutes |
| an event | the order's buyer, and nothing is known | its message set aside after waiting_hours; told when one comes |
| an order placed or paid, its sum known | the statement with details | told without them after details_wait_minutes |
| any other hint | the statement with details | set aside after waiting_hours, and forgotten |
| a fact beyond MOST_WAITING or MOST_KNOWN | nothing | set aside at once, and not learnt |
| the memory itself | another fact of the order | forgotten after remembered_days |

A message that was set aside can be played again (`carebus parked retry`): what was forgotten of it is then new, and
what still waits does so anew.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.kernel.policy import Policy
from services.kernel.process import Emit, Ended, SetAside
from services.trade_ingest.flag_codes import coloured
from services.trade_ingest.hints import UNSATISFIED, in_its_place
from services.trade_ingest.learning import learned
from services.trade_ingest.order_memory import MOST_KNOWN, MOST_WAITING, Kept, OrderFacts, again

UNNAMED = "no message has named the order's buyer"
CROWDED = f"{MOST_WAITING} facts of the order wait already"
FULL = f"{MOST_KNOWN} facts of the order are known already, and no more are kept of one order"


def told(facts: OrderFacts, policy: Policy) -> Iterator[Emit]:
    """What is untold, in the order of its times, in the order's lane."""
    for kept in sorted(facts.untold, key=lambda one: one.time):
        yield Emit(
            data=coloured(kept.data, facts.platform, policy),
            buyer=facts.buyer,
            time=kept.time,
            actor=kept.actor,
            deposit=kept.deposit,
        )


def due(facts: OrderFacts, policy: Policy) -> datetime | None:
    """The earliest of what waits. None: a memory of version 1 that has heard nothing since."""
    if facts.learnt is None:
        return None
    ends = facts.learnt + timedelta(days=policy.orders.remembered_days)
    if not (facts.untold or facts.hints or facts.crowded):
        return ends
    instants = [ends, *facts.crowded.values(), *(_hint_due(facts, hint, policy) for hint in facts.hints)]
    if not facts.buyer:
        instants += [_untold_due(facts, kept, policy) or ends for kept in facts.untold]
    return min(instants)


def ticked(facts: OrderFacts, now: datetime, policy: Policy) -> Iterable[Emit | SetAside | Ended]:
    """What is due by now; a memory of which nothing else is may end."""
    nothing = True
    for decision in _due_now(facts, now, policy):
        nothing = False
        yield decision
    if nothing and (ends := due(facts, policy)) is not None and ends <= now:
        yield Ended()


def put_aside(facts: OrderFacts, fact: str) -> OrderFacts:
    """After a SetAside: events stay, to be told should a buyer be named; a hint or a fact too many is forgotten."""
    return replace(
        facts,
        untold=tuple(replace(kept, aside=True) if kept.fact == fact else kept for kept in facts.untold),
        hints=tuple(hint for hint in facts.hints if hint.fact != fact),
        crowded={one: instant for one, instant in facts.crowded.items() if one != fact},
    )


def taken_up(facts: OrderFacts, fact: str, recorded: datetime) -> OrderFacts:
    """A fact that was set aside is played again: its events wait anew."""
    untold = tuple(
        replace(kept, aside=False, recorded=recorded) if kept.fact == fact else kept for kept in facts.untold
    )
    return replace(facts, untold=untold)


def _due_now(facts: OrderFacts, now: datetime, policy: Policy) -> Iterator[Emit | SetAside]:
    lane_at = _lane_at(facts, policy)
    if facts.buyer or (lane_at is not None and lane_at <= now):
        facts = replace(facts, buyer=facts.buyer or facts.nick)
        yield from told(facts, policy)
        facts = replace(facts, untold=())
        for hint in sorted(facts.hints, key=lambda one: one.time):
            waits = _hint_due(facts, hint, policy) > now or hint not in facts.hints
            for data in () if waits else in_its_place(facts, hint, policy):
                yield Emit(data=data, buyer=facts.buyer, time=hint.time, actor=hint.actor)
                facts = replace(learned(facts, replace(again(hint), data=data)), untold=())
    yield from (SetAside(fact, reason) for fact, reason in _in_vain(facts, now, policy).items())


def _in_vain(facts: OrderFacts, now: datetime, policy: Policy) -> dict[str, str]:
    """The facts that are set aside now, each with its reason."""
    found = dict.fromkeys(facts.crowded, FULL if facts.size >= MOST_KNOWN else CROWDED)
    if not facts.buyer:
        late = (kept for kept in facts.untold if (instant := _untold_due(facts, kept, policy)) and instant <= now)
        found |= {kept.fact: UNNAMED for kept in late}
    for hint in facts.hints:
        if _hint_due(facts, hint, policy) <= now:
            nameless = in_its_place(facts, hint, policy)
            found[hint.fact] = UNNAMED if nameless else UNSATISFIED[hint.type]
    return found


def _untold_due(facts: OrderFacts, kept: Kept, policy: Policy) -> datetime | None:
    """When an event without a lane is told in the nick's, or set aside; None: it was set aside."""
    if lane_at := _lane_at(facts, policy):
        return lane_at
    return None if kept.aside else kept.recorded + timedelta(hours=policy.orders.waiting_hours)


def _hint_due(facts: OrderFacts, hint: Kept, policy: Policy) -> datetime:
    lane_at = hint.recorded if facts.buyer else _lane_at(facts, policy)
    if lane_at is not None and in_its_place(facts, hint, policy):
        return max(lane_at, hint.recorded + timedelta(minutes=policy.orders.details_wait_minutes))
    return hint.recorded + timedelta(hours=policy.orders.waiting_hours)


def _lane_at(facts: OrderFacts, policy: Policy) -> datetime | None:
    """When the lane of a nick is taken for want of an open id."""
    return facts.nick_at and facts.nick_at + timedelta(minutes=policy.orders.details_wait_minutes)
