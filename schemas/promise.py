"""How a promise (承诺) ended; `chat.promise_made` began it. Source: domain.md 3, Promises and authority."""

from typing import ClassVar

from msgspec import Struct

from schemas.types import Id, Short, Time


class PromiseKept(Struct, frozen=True, kw_only=True):
    """The promise was kept. `due_at`: until when it had to be."""

    TYPE: ClassVar[str] = "promise.kept"
    VERSION: ClassVar[int] = 1

    promise_id: Id
    due_at: Time
    note: Short = ""


class PromiseBroken(Struct, frozen=True, kw_only=True):
    """The promise was said to be broken, or `due_at` passed; it is escalated."""

    TYPE: ClassVar[str] = "promise.broken"
    VERSION: ClassVar[int] = 1

    promise_id: Id
    due_at: Time
    note: Short = ""


EVENTS = (PromiseKept, PromiseBroken)
