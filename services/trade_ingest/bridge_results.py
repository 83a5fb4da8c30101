"""Bridge results: a late answer about an action of which nobody knew whether it was done (domain.md 2, Acting).

The effect `bridge` states an action as unclear once it has told `platform.action_unknown`; the bridge reports what
became of it, then or before, and as often as it likes. The first report of an unclear action is told, once, as
`platform.action_done` or `_failed`. A report of an action that is not unclear says again what the bridge's own answer
has said already, and is forgotten with its story: so one action never ends twice, whoever tells of it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from msgspec import Struct
from msgspec.structs import replace

from schemas.envelope import Event
from schemas.platform import ActionKind, PlatformActionDone, PlatformActionFailed
from schemas.types import BuyerId, Count, Id, Short
from services.kernel.policy import Policy
from services.kernel.process import Emit, Ended, Fact, Tick

VERSION = 1
INBOX = True

UNCLEAR_KEPT = timedelta(days=90)
"""How long a report is waited for: as long as a command's answer is kept. A person may settle it at any time."""
REPORT_KEPT = timedelta(days=14)
"""How long a report waits for its action to be stated as unclear: as long as INBOX would keep both."""


class ActionUnclear(Struct, frozen=True, kw_only=True):
    """Ours: `platform.action_unknown` was told of this action, in this buyer's lane."""

    TYPE: ClassVar[str] = "stated.action_unclear"

    action_id: Id
    kind: ActionKind
    buyer: BuyerId | Literal["-"]
    attempts: Count


class ActionReported(Struct, frozen=True, kw_only=True):
    """The bridge's: what became of an action."""

    TYPE: ClassVar[str] = "stated.action_reported"

    action_id: Id
    done: bool
    platform_ref: Short | None = None
    error: Short = ""


class BridgeResult(Struct, frozen=True):
    """unclear, report: the first of each. told: it has ended. until: when it is forgotten."""

    unclear: ActionUnclear | None = None
    report: ActionReported | None = None
    told: bool = False
    until: datetime | None = None


State = BridgeResult


def key(item: Event[Any] | Fact[Any]) -> str | None:
    match item.data:
        case ActionUnclear() | ActionReported() | PlatformActionDone() | PlatformActionFailed():
            return item.data.action_id
        case _:
            return None


def evolve(result: BridgeResult, item: Event[Any] | Fact[Any]) -> BridgeResult:
    match item:
        case Fact(data=ActionUnclear() as unclear, time=time) if result.unclear is None:
            return replace(result, unclear=unclear, until=time + UNCLEAR_KEPT)
        case Fact(data=ActionReported() as report, time=time) if result.report is None:
            return replace(result, report=report, until=result.until or time + REPORT_KEPT)
        case Event(data=PlatformActionDone() | PlatformActionFailed()):
            return replace(result, told=True)
        case _:
            return result


def decide(result: BridgeResult, cause: object, now: datetime, policy: Policy) -> Iterable[Emit | Ended]:
    match cause:
        case Fact() if result.unclear and result.report and not result.told:
            yield Emit(data=_ended(result.unclear, result.report), buyer=result.unclear.buyer)
        case Tick() if result.until is not None and result.until <= now:
            yield Ended()
        case _:
            return


def due(result: BridgeResult, policy: Policy) -> datetime | None:
    return result.until


def _ended(unclear: ActionUnclear, report: ActionReported) -> PlatformActionDone | PlatformActionFailed:
    action, kind, attempts = unclear.action_id, unclear.kind, unclear.attempts
    if report.done:
        return PlatformActionDone(action_id=action, kind=kind, platform_ref=report.platform_ref, attempts=attempts)
    return PlatformActionFailed(action_id=action, kind=kind, error=report.error, attempts=attempts)
