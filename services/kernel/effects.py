"""Effects: what is done outside because an event says so - a message sent, an action asked for (design.md).

An effect hears one entity of EVENTS through a durable JetStream consumer that all replicas share; order is not kept
and not needed. It takes what has come in one transaction (`begin`), and goes on with each message by itself. A
message is acknowledged when it was dealt with, and comes again when it was not: `begin` must bear that. What may not
happen twice is guarded by the service's own row in PostgreSQL, never by acknowledgements.

| what happens | then |
| --- | --- |
| `begin` and what it left to do return | acknowledged |
| one says Later | again after that many seconds |
| PostgreSQL or NATS is away | again after RETRY_S, doubled each time |
| anything else is raised: a bug | logged; again after BUG_S: it is not lost, and does not spin |
| the bytes are no event this version knows | acknowledged: the loop parks or counts its own copy |
| the replica dies | again, to any replica, when `ack_wait_s` is over |

Not a FastStream subscriber: one message at a time through its layers, most of them of types that nobody asked for, and
one transaction each, took as much of care_notifier's time as its whole loop (py-spy at 300 payments a second: 340 of
998 samples, the loop 315).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from schemas.codec import DecodeError, UnknownType, UnknownVersion, decode
from schemas.envelope import Event, EventData
from schemas.subjects import SubjectError, parse_event, partition, raw
from services.kernel import bus, store
from services.kernel.clock import Clock, DrivenClock
from services.kernel.ids import event_id
from services.kernel.outbox import Relay
from services.kernel.reader import RECORDED_HEADER, message_of
from services.kernel.settings import Settings
from services.kernel.store import TRANSIENT, Connection
from services.kernel.telemetry import Log, Logger

BATCH = 64
"""Most messages that one `begin` takes."""
PENDING = 128
"""Messages of one effect that are delivered and not yet acknowledged, in all replicas together."""
RETRY_S = (1.0, 60.0)
"""First and longest pause after PostgreSQL or NATS failed."""
BUG_S = 300.0


class Later(Exception):
    """It cannot be done now; again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


class Transaction:
    """A transaction of an effect; what was told in it goes into the log once it is committed."""

    def __init__(self, connection: Connection, means: "Means") -> None:
        self.connection = connection
        self.told: list[store.Outgoing] = []
        self._means = means

    def tell(self, cause: Event[Any], key: str, data: EventData, ordinal: int = 0) -> None:
        """Write an event about the cause, in the cause's lane, to the outbox of this transaction.

        Its id is made of (source, lane, key, cause, ordinal): told twice, it is one event. Raises TooLarge.
        """
        source, actor = self._means.source, self._means.effect
        event: Event[Any] = Event(
            data=data,
            shop=cause.shop,
            buyer=cause.buyer,
            time=self._means.clock.now(),
            id=event_id(source, cause.shop, cause.buyer, key, cause.id, ordinal),
            source=source,
            actor=actor,
            correlationid=cause.correlationid,
            causationid=cause.id,
            basis=str(cause.seq),
            ordinal=ordinal,
            policy=cause.policy,
        )
        self.told += store.outgoing(partition(cause.shop, cause.buyer), [event])


class Means:
    """What an effect works with. source: the CloudEvents `source` of what it tells. held: what its `hold` gave."""

    def __init__(
        self, effect: str, pool: asyncpg.Pool, nats: bus.Nats, relay: Relay, clock: Clock, log: Logger, held: Any = None
    ) -> None:
        self.effect = effect
        self.source = f"carebus/{effect}"
        self.clock = clock
        self.log = log
        self.held = held
        self.driven = isinstance(clock, DrivenClock)
        self._pool = pool
        self._nats = nats
        self._relay = relay

    async def publish(self, source: str, shop: str, kind: str, payload: bytes, message_id: str) -> None:
        """Put a raw fact into INBOX; it is stored when this returns. Raises BusError and NatsError."""
        headers = {"Nats-Msg-Id": message_id}
        if self.driven:
            headers[RECORDED_HEADER] = self.clock.now().isoformat()
        await bus.publish(self._nats, raw(source, shop, kind), payload, headers)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        async with self._pool.acquire() as connection, connection.transaction():
            transaction = Transaction(connection, self)
            yield transaction
            if transaction.told:
                await store.write(connection, out=transaction.told, after=self._relay.log_end)
        if transaction.told:
            self._relay.wake.set()


Rest = Callable[[], Awaitable[None]] | Later | None
"""What is left of one message: to be done by itself (it may raise Later), to be taken up later, or nothing."""

Begin = Callable[[Sequence[Event[Any]], Means], Awaitable[Sequence[Rest]]]
"""Takes up some events, in one transaction; what is left of each."""

Hold = Callable[[Settings], AbstractAsyncContextManager[Any]]
"""Opens what an effect needs as long as its service runs (a session of HTTP). Raises SettingsError: no start then."""


def nothing(_settings: Settings) -> AbstractAsyncContextManager[Any]:
    """The Hold of an effect that needs nothing."""
    return nullcontext()


class Effect(Struct, frozen=True, kw_only=True):
    """What a service does because of these types of event, all of one entity.

    name: also the source of what it tells (`carebus/<name>`). ack_wait_s: longer than one message may take, its
    waiting behind PENDING others included. hold: what `Means.held` is to be.
    """

    name: str
    types: tuple[type[EventData], ...]
    begin: Begin
    ack_wait_s: float = 30.0
    hold: Hold = nothing

    @property
    def entity(self) -> str:
        (entity,) = {struct.TYPE.partition(".")[0] for struct in self.types}
        return entity


async def ensure_consumers(nats: bus.Nats, service: str, effects: Sequence[Effect]) -> None:
    """Create the effects' consumers, or bring them to this configuration. Raises BusError.

    One that somebody has deleted begins again at the start of the log: the rows of the service tell what was done.
    """
    for effect in effects:
        name = _durable(service, effect)
        config = {
            "name": name,
            "durable_name": name,
            "description": f"CareBus: the effect {effect.name} of {service}",
            "deliver_subject": _delivery(service, effect),
            "deliver_group": name,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": int(effect.ack_wait_s * 1_000_000_000),
            "max_ack_pending": PENDING,
            "max_deliver": -1,
            "filter_subject": _filter(effect),
        }
        body = {"stream_name": bus.EVENTS, "config": config}
        await bus.request(nats, f"CONSUMER.CREATE.{bus.EVENTS}.{name}", body)


class Hearing:
    """One replica's part in an effect: messages come to a queue, what has come is begun together."""

    def __init__(self, service: str, effect: Effect, means: Means) -> None:
        self._service = service
        self._effect = effect
        self._means = means
        self._wanted = {struct.TYPE for struct in effect.types}
        self._come: asyncio.Queue[Msg] = asyncio.Queue()
        self._rests: set[asyncio.Task[None]] = set()
        self._subscription: Any = None

    async def subscribe(self, nats: bus.Nats) -> None:
        self._subscription = await nats.subscribe(
            _delivery(self._service, self._effect), queue=_durable(self._service, self._effect), cb=self._arrive
        )

    async def run(self) -> None:
        """Work until cancelled; what is under way then is cancelled too, and comes again elsewhere."""
        try:
            while True:
                messages = [await self._come.get()]
                while len(messages) < BATCH and not self._come.empty():
                    messages.append(self._come.get_nowait())
                await self._take(messages)
        finally:
            if self._subscription is not None:
                with suppress(NatsError):
                    await self._subscription.unsubscribe()
            for task in self._rests:
                task.cancel()
            await asyncio.gather(*self._rests, return_exceptions=True)

    async def _arrive(self, message: Msg) -> None:
        """Only what the effect means is looked at further."""
        try:
            wanted = _type_of(message.data).type in self._wanted
        except msgspec.MsgspecError:
            wanted = True  # it is said where it is decoded
        if wanted:
            self._come.put_nowait(message)
        else:
            await _acknowledge(message)

    async def _take(self, messages: Sequence[Msg]) -> None:
        taken: list[tuple[Event[Any], Msg]] = []
        for message in messages:
            try:
                event = self._decoded(message)
            except UnknownVersion as error:
                await self._failed(message, None, error)
            else:
                if event is None:
                    await _acknowledge(message)
                else:
                    taken.append((event, message))
        await self._begin(taken)

    async def _begin(self, taken: Sequence[tuple[Event[Any], Msg]]) -> None:
        if not taken:
            return
        try:
            rests = await self._effect.begin([event for event, _ in taken], self._means)
        except Exception as error:
            if len(taken) == 1 or isinstance(error, _AWAY):
                for event, message in taken:
                    await self._failed(message, event, error)
            else:
                for one in taken:  # the others are not to suffer for the one at fault
                    await self._begin([one])
            return
        for (event, message), rest in zip(taken, rests, strict=True):
            if rest is None or isinstance(rest, Later):
                await _acknowledge(message, rest)
                continue
            task = asyncio.create_task(self._go_on(event, message, rest))
            self._rests.add(task)
            task.add_done_callback(self._rests.discard)

    async def _go_on(self, event: Event[Any], message: Msg, rest: Callable[[], Awaitable[None]]) -> None:
        try:
            await rest()
        except Exception as error:
            await self._failed(message, event, error)
        else:
            await _acknowledge(message)

    async def _failed(self, message: Msg, event: Event[Any] | None, error: Exception) -> None:
        """Have a message come again, and say why."""
        if isinstance(error, Later):
            await _acknowledge(message, error)
            return
        if isinstance(error, (UnknownVersion, *_AWAY)):
            line, pause = Log.EFFECT_RETRIED, min(RETRY_S[0] * 2 ** (message.metadata.num_delivered - 1), RETRY_S[1])
        else:
            line, pause = Log.EFFECT_FAILED, BUG_S
        where = {"shop": event.shop, "type": event.data.TYPE, "seq": event.seq} if event else {}
        self._means.log.say(line, process=self._effect.name, error=error, **where)
        await _acknowledge(message, Later(pause))

    def _decoded(self, message: Msg) -> Event[Any] | None:
        """The event; None where there is none to act upon. Raises UnknownVersion: an upgraded replica may know it."""
        stored = message_of(bus.EVENTS, message, driven=self._means.driven)
        try:
            place = parse_event(stored.subject)
            event = decode(stored.payload, seq=stored.seq, recordedtime=stored.recorded)
            if (event.shop, event.buyer) != (place.shop, place.buyer):
                raise DecodeError("shop, buyer: the event's are not those of its subject")
        except UnknownVersion:
            raise
        except UnknownType:
            return None
        except (DecodeError, SubjectError) as error:
            self._means.log.say(Log.EFFECT_SKIPPED, process=self._effect.name, seq=stored.seq, error=error)
            return None
        return event


_AWAY = (bus.BusError, NatsError, *TRANSIENT)


class _Typed(Struct, frozen=True):
    type: str


_type_of = msgspec.json.Decoder(_Typed).decode


async def _acknowledge(message: Msg, later: Later | None = None) -> None:
    with suppress(NatsError):  # NATS is away: the message comes again, and its row tells that it was dealt with
        if later is None:
            await message.ack()
        else:
            await message.nak(delay=later.seconds)


def _durable(service: str, effect: Effect) -> str:
    return f"{service}-{effect.name}"


def _delivery(service: str, effect: Effect) -> str:
    return f"effect.{service}.{effect.name}"


def _filter(effect: Effect) -> str:
    """One filter: a consumer with several is slow (`schemas.subjects.partition_filter`)."""
    return f"evt.*.*.*.{effect.entity}"
