"""The in-memory runner: services on one ordered log under virtual time, with nothing but lists and a heap.

Time runs along recordedtime. A tick before the instant of an input fires before it, one at that very instant after
it; what a tick decides is recorded a microsecond after its instant, since a log takes it later than that. At every
instant the services run in their fixed order until all is quiet. Messages are kept encoded: what cannot be published
cannot be replayed. Projections need PostgreSQL and do not run here.
"""

import heapq
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas import subjects
from schemas.codec import encode, entity
from schemas.envelope import Command, Event
from schemas.ops import OpsMessageRefused
from services.kernel import bus, policy
from services.kernel.clock import EPOCH
from services.kernel.commands import Answered, CommandSpec, Story
from services.kernel.inputs import Item, decode_message
from services.kernel.policy import Policy
from services.kernel.process import PolicyInForce, Slot
from services.kernel.reader import Message
from services.kernel.service import Service
from services.kernel.store import StoryKey
from services.kernel.vault import Deposit, Keys, new_vault_key
from services.replay.worker import Kept, Worker

INSTANT = timedelta(microseconds=1)
"""The grain of time, in Python and in PostgreSQL."""


class Due(Struct, frozen=True, order=True):
    """A tick to come: the worker's number, and the story that asked for it."""

    fire: datetime
    worker: int
    key: StoryKey


class Memory:
    """An empty log at `start`, and these services on it.

    policy: in force for every shop until a `policy.changed` says otherwise; without it, the default policy. A service
    without processes is left out.
    """

    def __init__(
        self,
        services: Sequence[Service],
        policy: Policy | None = None,
        start: datetime = EPOCH,
        keys: Keys | None = None,
    ) -> None:
        self.now = start
        self.log: list[Event[Any]] = []
        """The events in log order, as far as this code knows their types."""
        self.messages: list[Message] = []
        """All messages of the log; that of sequence n is at n - 1."""
        self.inbox: list[Message] = []
        self._decoded: list[list[Item]] = []
        self._dues: list[Due] = []
        self.keys = keys or Keys(b"an identity for tests and replays", [new_vault_key().encode()])
        force = _in_force(policy)
        self._workers = [
            Worker(service, force, self._asker(number), self.keys, lambda seq: self.inbox[seq - 1])
            for number, service in enumerate(service for service in services if service.processes)
        ]

    @property
    def parked(self) -> list[Kept]:
        """The parked messages of all services, each service's in the order in which they were parked."""
        return [kept for worker in self._workers for kept in worker.kept]

    @property
    def notices(self) -> list[OpsMessageRefused]:
        """What senders were told of refused messages."""
        return [notice for worker in self._workers for notice in worker.notices]

    @property
    def deposits(self) -> list[tuple[str, str, Deposit]]:
        """(shop, buyer, contact) of everything that went into the vault."""
        return [deposit for worker in self._workers for deposit in worker.deposits]

    @property
    def errors(self) -> list[Exception]:
        """What commands raised that were answered `internal_error`."""
        return [error for worker in self._workers for error in worker.errors]

    @property
    def slots(self) -> dict[StoryKey, Slot]:
        """(process, shop, buyer, key) -> the story as its state row would hold it."""
        return {key: slot for worker in self._workers for key, slot in worker.slots.items()}

    @property
    def next_due(self) -> datetime | None:
        """No tick fires before this instant."""
        return self._dues[0].fire if self._dues else None

    def state(self, process: str, shop: str, buyer: str, key: str) -> Any:
        """The state of a story; its beginning where nothing has happened. Raises KeyError for another process."""
        for worker in self._workers:
            if process in worker.processes:
                return worker.slot((process, shop, buyer, key)).state
        raise KeyError(process)

    def publish(self, source: str, shop: str, kind: str, payload: Any, at: datetime | None = None) -> None:
        """A raw fact for INBOX, as JSON or (bytes) as it is. at: when INBOX takes it, by default now."""
        self._reach(at)
        subject = f"inbox.{subjects.inbox_partition(shop)}.{subjects.raw(source, shop, kind).removeprefix('in.')}"
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        self.inbox.append(Message(bus.INBOX, len(self.inbox) + 1, subject, self.now, body))
        self._settle()

    def append(self, event: Event[Any], at: datetime | None = None) -> None:
        """An event straight into the log, recorded `at`, by default now. Without an id it gets one by its sequence.

        Raises EncodeError for an event that no reader could take.
        """
        given = replace(event, id=event.id or f"log:{len(self.messages) + 1}", source=event.source or "elsewhere")
        subject = subjects.event(given.shop, given.buyer, entity(given.data.TYPE))
        self.put(subject, encode(given), at)

    def put(self, subject: str, payload: bytes, at: datetime | None = None) -> None:
        """Any bytes straight into the log."""
        self._reach(at)
        self._record(subject, payload)
        self._settle()

    def command(
        self,
        service: str,
        name: str | CommandSpec,
        command: Command[Any],
        at: datetime | None = None,
        story: Story | None = None,
    ) -> Answered:
        """A service's answer to a command.

        name: one of its commands, or a spec of the caller's own. story: (shop, buyer, key), needed where the
        command's `locate` asks the database. Raises KeyError, NeedsDatabase.
        """
        self._reach(at)
        worker = self._worker(service)
        spec = name if isinstance(name, CommandSpec) else _spec(worker.service, name)
        answer = worker.command(spec, msgspec.json.encode(command), self.now, story)
        self._relay(worker)
        self._settle()
        return answer

    def advance(self, to: datetime) -> None:
        """Let time pass until `to`: all ticks up to and including that instant fire."""
        self._fire(lambda fire: fire <= to)
        self.now = max(self.now, to)

    def retry(self, kept: Kept) -> None:
        """Play a parked message, and those that wait behind it, again; then the ticks that waited."""
        worker = self._worker(kept.service)
        worker.retry(kept)
        self._relay(worker)
        self._settle()
        self._fire(lambda fire: fire < self.now)

    def _reach(self, at: datetime | None) -> None:
        """Time is `at`, unless it is later already: a log's clock never goes back."""
        if at is not None and at > self.now:
            self._fire(lambda fire: fire < at)
            self.now = max(self.now, at)

    def _fire(self, has_come: Callable[[datetime], bool]) -> None:
        """Fire ticks, instant by instant; all of one instant before anything that they decide is read."""
        dues = self._dues
        while dues and has_come(dues[0].fire):
            instant = dues[0].fire
            self.now = max(self.now, instant + INSTANT)
            while dues and dues[0].fire == instant:
                due = heapq.heappop(dues)
                self._workers[due.worker].tick(due.key, instant)
            for worker in self._workers:
                self._relay(worker)
            self._settle()

    def _settle(self) -> None:
        """Run the services in their order until none has anything left to read."""
        busy = True
        while busy:
            busy = False
            for worker in self._workers:
                if self._catch_up(worker):
                    busy = True
                    self._relay(worker)

    def _catch_up(self, worker: Worker) -> bool:
        """Have a service handle all that is there; False: there was nothing."""
        read, busy = worker.read, False
        if worker.service.reads_events:
            for items in self._decoded[read[bus.EVENTS] :]:
                busy = True
                for item in items:
                    worker.take(item)
            read[bus.EVENTS] = len(self._decoded)
        if worker.service.sources:
            for message in self.inbox[read[bus.INBOX] :]:
                busy = True
                for item in decode_message(message, worker.service.sources, self.keys):
                    worker.take(item)
            read[bus.INBOX] = len(self.inbox)
        return busy

    def _relay(self, worker: Worker) -> None:
        for row in worker.drain():
            self._record(row.subject, row.payload)

    def _record(self, subject: str, payload: bytes) -> None:
        message = Message(bus.EVENTS, len(self.messages) + 1, subject, self.now, payload)
        items = decode_message(message, {})
        self.messages.append(message)
        self._decoded.append(items)
        self.log += [item.input for item in items if isinstance(item.input, Event)]

    def _worker(self, service: str) -> Worker:
        for worker in self._workers:
            if worker.service.name == service:
                return worker
        raise KeyError(service)

    def _asker(self, number: int) -> Callable[[datetime, StoryKey], None]:
        def ask(fire: datetime, key: StoryKey) -> None:
            heapq.heappush(self._dues, Due(fire, number, key))

        return ask


def _in_force(given: Policy | None) -> PolicyInForce:
    values = given or policy.default_policy()
    return PolicyInForce(values, policy.digest(values))


def _spec(service: Service, name: str) -> CommandSpec:
    for spec in service.commands:
        if spec.name == name:
            return spec
    raise KeyError(f"{service.name}.{name}")
