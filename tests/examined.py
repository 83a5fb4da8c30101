"""What `carebus doctor` finds with given settings."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.cli.checks.check import Check
from services.cli.doctor import examine
from services.cli.processes import HOST

MIB = 1024**2
Where = dict[str, str]


async def examined(where: Where, **variables: str) -> dict[str, Check]:
    """The checks by name; whatever is not well has a cure."""
    checks = await examine(where | variables)
    assert len({check.name for check in checks}) == len(checks)
    assert all(check.cure for check in checks if check.status in ("warn", "fail"))
    return {check.name: check for check in checks}


def statuses(checks: dict[str, Check], *names: str) -> list[str]:
    return [checks[name].status for name in names]


@contextlib.asynccontextmanager
async def greeting(line: bytes) -> AsyncIterator[str]:
    """The URL of something that says one line to whoever connects, and then nothing."""
    over = asyncio.Event()

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line)
        await over.wait()
        writer.close()

    async with await asyncio.start_server(greet, HOST, 0) as server:
        yield f"nats://{HOST}:{server.sockets[0].getsockname()[1]}"
        over.set()
