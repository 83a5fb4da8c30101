"""One order's story by hand: facts in, ticks, and all that comes of them; its state goes through its row each time."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from schemas.envelope import Actor, Command, Event, Rejected
from services.kernel.policy import default_policy
from services.kernel.process import Fact, Outcome, PolicyInForce, SetAside, beginning, fire_before, handle, process_of
from services.kernel.vault import Deposit
from services.replay.story import at
from services.trade_ingest import order_facts

ORDERS = default_policy().orders
DETAILS = timedelta(minutes=ORDERS.details_wait_minutes)
WAITING = timedelta(hours=ORDERS.waiting_hours)
REMEMBERED = timedelta(days=ORDERS.remembered_days)

_PROCESS = process_of(order_facts)
_POLICY = PolicyInForce(default_policy())
_INSTANT = timedelta(microseconds=1)


class Order:
    """Each step returns the order, so that it goes on in a chain. `news`: the data told since it was last read."""

    def __init__(self, state: order_facts.OrderFacts | None = None) -> None:
        self.slot = beginning(_PROCESS, "s1", "-", "o1")
        self.slot = replace(self.slot, state=state or self.slot.state)
        self.events: list[Event[Any]] = []
        self.aside: list[SetAside] = []
        self.deposits: list[tuple[str, str, Deposit]] = []
        self.ended = 0
        self._seen = 0
        self._heard = 0

    @property
    def news(self) -> list[Any]:
        told, self._seen = self.events[self._seen :], len(self.events)
        return [event.data for event in told]

    @property
    def state(self) -> order_facts.OrderFacts:
        return self.slot.state

    def hear(
        self, *datas: Any, when: Any = "10:00:00", buyer: str = "-", learnt: Any = None, fact: str = ""
    ) -> "Order":
        """Facts of this time and buyer, learnt then or later. fact: the id of one that is played again."""
        for data in datas:
            self._heard += 1
            now = at(learnt or when)
            self._take(fire_before(_PROCESS, self.slot, now, _POLICY))
            known = Fact(data=data, shop="s1", buyer=buyer, time=at(when), id=fact or f"in:{self._heard}:0")
            known = replace(known, seq=self._heard, recordedtime=now)
            self._take(handle(_PROCESS, self.slot, known, now, _POLICY))
        return self

    def ask(self, data: Any, when: Any) -> Rejected | None:
        asked = Command(command_id=f"c{self._heard}", shop="s1", actor=Actor("a1", "agent"), data=data)
        outcome = handle(_PROCESS, self.slot, asked, at(when), _POLICY)
        self._take(outcome)
        return outcome.rejected

    def until(self, instant: datetime) -> "Order":
        """All ticks up to and including this instant fire."""
        return self._take(fire_before(_PROCESS, self.slot, instant + _INSTANT, _POLICY))

    def _take(self, outcome: Outcome) -> "Order":
        state = msgspec.json.decode(msgspec.json.encode(outcome.slot.state), type=order_facts.State)
        assert state == outcome.slot.state, "the state comes back from its row"
        self.slot = replace(outcome.slot, state=state)
        self.events += outcome.events
        self.aside += outcome.aside
        self.deposits += outcome.deposits
        self.ended += outcome.ended
        return self
