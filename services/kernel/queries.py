"""Queries: questions to a read model, bounded, typed, and if wanted not older than what the asker has written."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

from schemas import subjects
from schemas.envelope import Answer, Query, QueryEnvelope, Rejected
from schemas.strict import DecodeError, decode_struct
from services.kernel import bus
from services.kernel.clock import monotonic
from services.kernel.metrics import Metrics
from services.kernel.store import TRANSIENT, Connection
from services.kernel.telemetry import Log, Logger

FRESH_S = 2.0
"""How long a query waits for the model to reach `at_least_seq`."""

Ask = Callable[[Connection, Query[Any]], Awaitable[Answer]]

_BEHIND = """
SELECT partition FROM checkpoint
WHERE stream = $1 AND seq < $2 AND ($3::int IS NULL OR partition = $3) ORDER BY partition
"""
_REACHED = "SELECT seq FROM checkpoint WHERE stream = $1 AND partition = $2"
_SEQ = "SELECT coalesce(max(seq), 0) FROM checkpoint WHERE stream = $1"


class QuerySpec(Struct, frozen=True, kw_only=True):
    """A question: `query.<model>.<name>`, its data, and the function that answers it.

    buyer(data): the lane it is about, if it is about one; then only that partition need be fresh.
    """

    model: str
    name: str
    data: type[Any]
    ask: Ask
    buyer: Callable[[Any], str | None] = lambda data: getattr(data, "buyer", None)

    @property
    def endpoint(self) -> str:
        return f"{self.model}.{self.name}"


class Queries:
    """The questions that one service answers."""

    def __init__(self, pool: asyncpg.Pool, nats: bus.Nats, log: Logger, metrics: Metrics) -> None:
        self._pool = pool
        self._nats = nats
        self._log = log
        self._metrics = metrics

    async def answer(self, spec: QuerySpec, payload: bytes) -> bytes:
        """The answer as JSON. Raises nothing: an exception becomes a Rejected."""
        started = monotonic()
        shop: str | None = None
        try:
            envelope = decode_struct(QueryEnvelope, payload, "query")
            shop = envelope.shop
            query: Query[Any] = Query(
                shop=envelope.shop,
                data=decode_struct(spec.data, envelope.data, f"query {spec.endpoint}"),
                limit=envelope.limit,
                cursor=envelope.cursor,
                at_least_seq=envelope.at_least_seq,
            )
            result = await self._ask(spec, query)
        except DecodeError as error:
            result = Rejected(code="invalid_field", message=str(error), message_zh="查询参数无效。", field=error.field)
        except (bus.BusError, *TRANSIENT) as error:
            result = Rejected(
                code="unavailable",
                message="The model cannot answer now; ask again.",
                message_zh="暂时无法查询,请稍后重试。",
            )
            self._log.say(Log.QUERY_FAILED, endpoint=spec.endpoint, shop=shop, error=error)
        except Exception as error:
            result = Rejected(
                code="internal_error",
                message="The query broke inside the service; it was logged for its developers.",
                message_zh="查询出错,已记录。",
            )
            self._log.say(Log.QUERY_FAILED, endpoint=spec.endpoint, shop=shop, error=error)
        code = result.code if isinstance(result, Rejected) else "answer"
        self._metrics.query(spec.endpoint, code, monotonic() - started)
        if isinstance(result, Answer):
            self._log.say(Log.QUERY_ANSWERED, endpoint=spec.endpoint, shop=shop, count=len(result.rows), seq=result.seq)
        return msgspec.json.encode(result)

    async def _ask(self, spec: QuerySpec, query: Query[Any]) -> Answer | Rejected:
        if query.at_least_seq and not await self._fresh(query, spec.buyer(query.data)):
            return Rejected(
                code="unavailable",
                message=f"The model has not read up to {query.at_least_seq} within {FRESH_S:.0f} s; ask again.",
                message_zh="数据尚未同步到所需位置,请稍后重试。",
                field="at_least_seq",
            )
        async with self._pool.acquire() as connection:
            seq: int = await connection.fetchval(_SEQ, bus.EVENTS)
            answer = await spec.ask(connection, query)
        return msgspec.structs.replace(answer, seq=answer.seq or seq)

    async def _fresh(self, query: Query[Any], buyer: str | None) -> bool:
        """Wait until all that the log holds up to `at_least_seq`, in the lanes asked about, has become rows."""
        patience = monotonic() + FRESH_S
        one = subjects.partition(query.shop, buyer) if buyer else None
        rows = await self._pool.fetch(_BEHIND, bus.EVENTS, query.at_least_seq, one)
        for partition in [row["partition"] for row in rows]:
            wanted = min(query.at_least_seq, await bus.last_of(self._nats, f"evt.{partition}.>"))
            while (await self._pool.fetchval(_REACHED, bus.EVENTS, partition) or 0) < wanted:
                if monotonic() > patience:
                    return False
                await asyncio.sleep(0.01)
        return True
