"""The bare loops: what the same work costs without a kernel. No ownership, no epochs, no parking, no processes."""

import asyncio
from collections import deque
from typing import Any

import asyncpg
import msgspec

from schemas.envelope import CloudEvent
from schemas.order import OrderPaid
from services.kernel import bus
from services.kernel.ids import event_id, unique
from tests.bench.work import INSERT, TALLY, Tally, thanks


class Puller:
    """A long-lived inbox with a callback, pull requests kept ahead."""

    def __init__(self, nats: Any) -> None:
        self.buffer: deque[Any] = deque()
        self.wake = asyncio.Event()
        self._nats = nats
        self._asked = 0

    async def start(self) -> None:
        self._name = unique()
        config = {"name": self._name, "ack_policy": "none", "mem_storage": True, "filter_subject": "evt.>"}
        body = {"stream_name": "EVENTS", "config": config}
        await bus.request(self._nats, f"CONSUMER.CREATE.EVENTS.{self._name}", body)
        self._inbox = self._nats.new_inbox()
        self._subscription = await self._nats.subscribe(
            self._inbox, cb=self._arrive, pending_msgs_limit=0, pending_bytes_limit=0
        )
        await self._ask()

    async def stop(self) -> None:
        await self._subscription.unsubscribe()

    async def take(self, limit: int) -> list[Any]:
        while not self.buffer:
            self.wake.clear()
            await self.wake.wait()
        taken = [self.buffer.popleft() for _ in range(min(limit, len(self.buffer)))]
        if self._asked < 500 and len(self.buffer) < 8000:
            await self._ask()
        return taken

    async def _ask(self) -> None:
        self._asked += 1000
        body = msgspec.json.encode({"batch": 1000, "expires": 30_000_000_000})
        await self._nats.publish(f"$JS.API.CONSUMER.MSG.NEXT.EVENTS.{self._name}", body, self._inbox)

    async def _arrive(self, msg: Any) -> None:
        self.buffer.append(msg)
        self._asked -= 1
        self.wake.set()


_wire = msgspec.json.Decoder(CloudEvent)  # what any reader of the contract decodes, in two steps
_paid = msgspec.json.Decoder(OrderPaid)
_tally = msgspec.json.Decoder(Tally)


async def project(connection: asyncpg.Connection, puller: Puller, count: int) -> None:
    """Bulk write and checkpoint in one transaction, until `count` messages are handled."""
    done = 0
    while done < count:
        messages = await puller.take(1000)
        rows = []
        for msg in messages:
            wire = _wire.decode(msg.data)
            data = _paid.decode(wire.data)
            seq = int(msg.reply.split(".", 6)[5])
            rows.append((seq, wire.id, wire.type, wire.shop, wire.buyer, data.order_id, data.paid_fen, wire.time))
        done += len(messages)
        async with connection.transaction():
            await connection.execute(INSERT, *map(list, zip(*rows, strict=True)))
            await connection.execute("UPDATE checkpoint SET seq = $1 WHERE partition = 0", rows[-1][0])


_LOAD = "SELECT key, state FROM state WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE"
_STORE = """
INSERT INTO state (process, shop, buyer, key, partition, version, state)
SELECT 'tally', 'bench', k, k, 0, 1, s FROM unnest($1::text[], $2::bytea[]) AS n (k, s)
ON CONFLICT (process, shop, buyer, key) DO UPDATE SET state = excluded.state
"""
_OUTBOX = """
INSERT INTO outbox (partition, event_id, subject, payload, after, shop, buyer)
SELECT 0, id, subject, payload, 0, 'bench', ''
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (id, subject, payload)
RETURNING id
"""


async def decide(connection: asyncpg.Connection, nats: Any, puller: Puller, count: int) -> None:
    """Load states, fold, write back, outbox, commit, publish as atomic batches, delete."""
    done = 0
    while done < count:
        messages = await puller.take(1000)
        inputs = []
        for msg in messages:
            wire = _wire.decode(msg.data)
            if wire.type == OrderPaid.TYPE:
                inputs.append((wire, _paid.decode(wire.data), msg.subject))
        done += len(inputs)
        if not inputs:
            continue
        async with connection.transaction():
            stored = await connection.fetch(_LOAD, [wire.buyer for wire, *_ in inputs])
            states = {row["key"]: _tally.decode(row["state"]) for row in stored}
            out = []
            for wire, data, subject in inputs:
                state = states.get(wire.buyer, Tally())
                states[wire.buyer] = Tally(state.paid + 1, state.fen + data.paid_fen, state.thanked + 1)
                said = thanks(data.order_id, wire.time)
                name = event_id(TALLY.source, wire.shop, wire.buyer, wire.buyer, wire.id, 0)
                event = {"specversion": "1.0", "id": name, "type": said.TYPE, "time": wire.time, "shop": wire.shop,
                         "buyer": wire.buyer, "source": TALLY.source, "data": said}  # fmt: skip
                out.append((name, subject.rpartition(".")[0] + ".care", msgspec.json.encode(event)))
            await connection.execute(_STORE, list(states), [msgspec.json.encode(s) for s in states.values()])
            ids = await connection.fetch(_OUTBOX, *map(list, zip(*out, strict=True)))
            await connection.execute("UPDATE checkpoint SET seq = $1 WHERE partition = 0", done)
        batch = unique()
        for place, (name, subject, payload) in enumerate(out, 1):
            headers = {"Nats-Msg-Id": name, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)}
            if place < len(out):
                await nats.publish(subject, payload, headers=headers)
            else:
                await nats.request(subject, payload, headers=headers | {"Nats-Batch-Commit": "1"}, timeout=10)
        await connection.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", [row["id"] for row in ids])
