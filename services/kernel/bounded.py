"""PostgreSQL connections that a lost network cannot hang: after a statement that took too long they end."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import asyncpg

STATEMENT_S = 15.0
"""Longest statement of a service; the batches of the loop take milliseconds."""


class BoundedConnection(asyncpg.Connection):
    """Ends itself where a statement is out of time, or its task is cancelled.

    asyncpg would ask the server to cancel the statement and wait, without a limit, for it to say so; where the
    network has lost the connection it never does, and the ROLLBACK behind it hangs for ever.
    """

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        with self._ended_when_late():
            return await super().execute(query, *args, timeout=timeout)

    async def fetch(self, query: str, *args: Any, **options: Any) -> list[asyncpg.Record]:
        with self._ended_when_late():
            return await super().fetch(query, *args, **options)

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> asyncpg.Record | None:
        with self._ended_when_late():
            return await super().fetchrow(query, *args, **options)

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        with self._ended_when_late():
            return await super().fetchval(query, *args, **options)

    @contextmanager
    def _ended_when_late(self) -> Generator[None, None, None]:
        try:
            yield
        except (TimeoutError, asyncio.CancelledError):
            self.terminate()
            raise
