"""Grant events (授权): what a supervisor allows beyond an agent's limits. Source: domain.md 1, 3."""

from typing import ClassVar, Literal

from msgspec import Struct

from schemas.types import Count, Fen, Id, Refs, Short, Time

GrantKind = Literal["discount", "gift", "compensation", "time", "hang_up", "transfer", "leave", "price", "campaign"]


class GrantRequested(Struct, frozen=True, kw_only=True):
    """An agent asks. `gifts`: how many gifts; `limit_fen`: how much money."""

    TYPE: ClassVar[str] = "grant.requested"
    VERSION: ClassVar[int] = 1

    grant_id: Id
    kind: GrantKind
    limit_fen: Fen | None = None
    gifts: Count | None = None
    expires_at: Time | None = None
    agent_id: Id
    reason: Short
    refs: Refs = ()


class GrantGiven(Struct, frozen=True, kw_only=True):
    """Allowed up to the limit until `expires_at`."""

    TYPE: ClassVar[str] = "grant.given"
    VERSION: ClassVar[int] = 1

    grant_id: Id
    kind: GrantKind
    limit_fen: Fen | None = None
    gifts: Count | None = None
    expires_at: Time
    agent_id: Id | None = None
    granted_by: Id
    escalation_id: Id | None = None


class GrantRefused(Struct, frozen=True, kw_only=True):
    """Not allowed."""

    TYPE: ClassVar[str] = "grant.refused"
    VERSION: ClassVar[int] = 1

    grant_id: Id
    kind: GrantKind
    agent_id: Id | None = None
    refused_by: Id
    reason: Short = ""
    escalation_id: Id | None = None


EVENTS = (GrantRequested, GrantGiven, GrantRefused)
