"""One thing looked at: what was found, and where it is not well what mends it."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Literal

import asyncpg
from msgspec import Struct
from nats.errors import Error as NatsError

from services.cli.reach import Unreachable
from services.kernel.bus import BusError
from services.kernel.settings import SettingsError
from services.kernel.telemetry import safe_url

LIMIT_S = 5.0
"""Longest that one check may take; what connects has its own, shorter limit."""

_SCHEMA = (
    "set CAREBUS_POSTGRES_DSN to a role that may read every service's schema; or migrate the database: `carebus up`,"
    " or dbmate with deploy/migrations"
)

Status = Literal["ok", "warn", "fail", "skipped"]


class Check(Struct, frozen=True):
    """found: what is there. cure: what it means and the command or setting that mends it; empty when all is well."""

    name: str
    status: Status
    found: str
    cure: str = ""


def ok(name: str, found: str) -> Check:
    return Check(name, "ok", found)


def warn(name: str, found: str, cure: str) -> Check:
    return Check(name, "warn", found, cure)


def fail(name: str, found: str, cure: str) -> Check:
    return Check(name, "fail", found, cure)


def skipped(names: Iterable[str], why: str) -> list[Check]:
    """Checks that could not be made, because of something that another check tells."""
    return [Check(name, "skipped", f"skipped: {why}") for name in names]


async def bounded(name: str, work: Awaitable[Check]) -> Check:
    """The outcome of a check, which neither lasts longer than LIMIT_S nor hides the others by failing."""
    try:
        return await asyncio.wait_for(work, LIMIT_S)
    except TimeoutError:
        return fail(name, f"no answer within {LIMIT_S:g} s", "look whether the server is overloaded or frozen")
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError) as error:
        # In a schema that a role may not use nothing exists for it.
        return fail(name, one_line(error), _SCHEMA)
    except (Unreachable, SettingsError) as error:
        return fail(name, str(error), getattr(error, "cure", "correct the setting"))
    except (BusError, NatsError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        return fail(name, one_line(error), "look at the server's log")


def one_line(error: BaseException) -> str:
    """Class and first line of what it says, fit to be printed."""
    return f"{type(error).__name__}: {safe_url(str(error).partition(chr(10))[0])}"
