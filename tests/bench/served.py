"""Services as operating-system processes of their own, as a desk runs them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager


@asynccontextmanager
async def served(programs: Mapping[str, Sequence[str]], dsn: str, bus_url: str) -> AsyncIterator[Mapping[str, int]]:
    """Run these programs, name -> arguments of Python; their process ids by name. They end with the context."""
    environment = {
        **os.environ,
        "CAREBUS_NATS_URL": bus_url,
        "CAREBUS_POSTGRES_DSN": dsn,
        "CAREBUS_LOG_LEVEL": "warning",
        "CAREBUS_LOG_MAX_BYTES": str(2**31),
        "CAREBUS_INBOX_MAX_BYTES": str(2**31),
    }
    running = {
        name: await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment)
        for name, arguments in programs.items()
    }
    try:
        yield {name: process.pid for name, process in running.items()}
    finally:
        for process in running.values():
            if process.returncode is None:
                process.terminate()
        for process in running.values():
            await process.wait()
