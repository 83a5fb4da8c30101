"""Effects: what is done outside because an event says so - a message sent, an action asked for (design.md).

An effect hears one entity of EVENTS through a durable JetStream consumer that all replicas share; order is not kept
and not needed. A message is acknowledged when it was dealt with, and comes again when it was not: `perform` must
bear that. What may not happen twice is guarded by the service's own row in PostgreSQL, never by acknowledgements.

| what happens | then |
| --- | --- |
| `perform` returns | acknowledged |
| `perform` raises Later | again after that many seconds |
| PostgreSQL or NATS is away; an event of a newer version than this replica's | again after RETRY_S, doubled each time |
| `perform` raises anything else: a bug | logged; again after BUG_S: it is not lost, and does not spin |
| the bytes are no event this version knows | acknowledged: the loop parks or counts its own copy |
| the replica dies | again, to any replica, when `ack_wait_s` is over |

A push consumer and not FastStream's pull subscriber: that one asks again in a tight loop while NATS is away or the
consumer is gone. The push consumer waits, and delivers again once the connection is back.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from faststream import AckPolicy
from faststream.nats import NatsBroker
from faststream.nats.message import NatsMessage
from faststream.nats.schemas import JStream
from msgspec import Struct
from nats.errors import Error as NatsError

from schemas.codec import DecodeError, UnknownType, UnknownVersion, decode
from schemas.envelope import Event, EventData
from schemas.subjects import SubjectError, parse_event, partition
from services.kernel import bus, store
from services.kernel.clock import Clock, DrivenClock
from services.kernel.ids import event_id
from services.kernel.outbox import Relay
from services.kernel.reader import message_of
from services.kernel.store import TRANSIENT, Connection
from services.kernel.telemetry import Log, Logger

WORKERS = 16
"""Messages of one effect that are worked on at once in one replica."""
PENDING = 128
"""Messages of one effect that are delivered and not yet acknowledged, in all replicas together."""
RETRY_S = (1.0, 60.0)
"""First and longest pause after PostgreSQL or NATS failed."""
BUG_S = 300.0


class Later(Exception):
    """Raised by `perform`: it cannot be done now; again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


class Means:
    """What `perform` works with. `source` is the CloudEvents `source` of what it tells."""

    def __init__(self, effect: str, pool: asyncpg.Pool, relay: Relay, clock: Clock, log: Logger) -> None:
        self.source = f"carebus/{effect}"
        self.clock = clock
        self.log = log
        self.driven = isinstance(clock, DrivenClock)
        self._actor = effect
        self._pool = pool
        self._relay = relay

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection, None]:
        """A transaction; what was told in it goes into the log once it is committed."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection
        self._relay.wake.set()

    async def tell(
        self, connection: Connection, cause: Event[Any], key: str, data: EventData, ordinal: int = 0
    ) -> None:
        """Write an event about the cause, in the cause's lane, to the outbox of this transaction.

        Its id is made of (source, lane, key, cause, ordinal): told twice, it is one event. Raises TooLarge.
        """
        event: Event[Any] = Event(
            data=data,
            shop=cause.shop,
            buyer=cause.buyer,
            time=self.clock.now(),
            id=event_id(self.source, cause.shop, cause.buyer, key, cause.id, ordinal),
            source=self.source,
            actor=self._actor,
            correlationid=cause.correlationid,
            causationid=cause.id,
            basis=str(cause.seq),
            ordinal=ordinal,
            policy=cause.policy,
        )
        rows = store.outgoing(partition(cause.shop, cause.buyer), [event])
        await store.insert_outbox(connection, rows, self._relay.log_end)


Perform = Callable[[Event[Any], Means], Awaitable[None]]


class Effect(Struct, frozen=True, kw_only=True):
    """What a service does because of the events of one entity; `perform` picks those that it means.

    name: also the source of what it tells (`carebus/<name>`). ack_wait_s: longer than `perform` may take, its waiting
    behind PENDING others included.
    """

    name: str
    entity: str
    perform: Perform
    ack_wait_s: float = 60.0


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
            "deliver_subject": f"effect.{service}.{effect.name}",
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


def subscribe(broker: NatsBroker, service: str, effect: Effect, means: Callable[[], Means]) -> None:
    """Have the broker deliver what the effect's consumer hears. means: asked for at each message."""

    @broker.subscriber(
        _filter(effect),
        queue=_durable(service, effect),
        stream=JStream(bus.EVENTS, declare=False),
        ack_policy=AckPolicy.MANUAL,
        max_workers=WORKERS,
        decoder=_whole,
    )
    async def heard(message: Any) -> None:
        await handle(effect, message, means())


async def handle(effect: Effect, message: NatsMessage, means: Means) -> None:
    """Perform the effect of one message, and acknowledge it or have it come again."""
    event: Event[Any] | None = None
    delay: float | None = None
    try:
        event = _decoded(effect, message, means)
        if event is not None:
            await effect.perform(event, means)
    except Later as later:
        delay = later.seconds
    except (UnknownVersion, bus.BusError, NatsError, *TRANSIENT) as error:
        delay = min(RETRY_S[0] * 2 ** (message.raw_message.metadata.num_delivered - 1), RETRY_S[1])
        _say(Log.EFFECT_RETRIED, effect, event, means, error)
    except Exception as error:
        delay = BUG_S
        _say(Log.EFFECT_FAILED, effect, event, means, error)
    with suppress(NatsError):  # NATS is away: the message comes again, and its row tells that it was dealt with
        if delay is None:
            await message.ack()
        else:
            await message.nack(delay=delay)


def _decoded(effect: Effect, message: NatsMessage, means: Means) -> Event[Any] | None:
    """The event; None where there is none to act upon. Raises UnknownVersion, for an upgraded replica to take it."""
    stored = message_of(bus.EVENTS, message.raw_message, driven=means.driven)
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
        means.log.say(Log.EFFECT_SKIPPED, process=effect.name, seq=stored.seq, error=error)
        return None
    return event


def _say(line: Log, effect: Effect, event: Event[Any] | None, means: Means, error: Exception) -> None:
    where = {"shop": event.shop, "type": event.data.TYPE, "seq": event.seq} if event else {}
    means.log.say(line, process=effect.name, error=error, **where)


def _durable(service: str, effect: Effect) -> str:
    return f"{service}-{effect.name}"


def _filter(effect: Effect) -> str:
    """One filter: a consumer with several is slow (`schemas.subjects.partition_filter`)."""
    return f"evt.*.*.*.{effect.entity}"


async def _whole(message: NatsMessage) -> NatsMessage:
    return message
