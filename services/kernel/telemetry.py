"""Logs of a closed vocabulary, as JSON lines: `log.say(Log.MESSAGE_PARKED, shop=..., seq=..., reason=...)`.

Nothing is configured globally: each service has its own `Logger`, so that several run in one test process.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import PurePath
from typing import Any, Literal, TextIO, cast

import msgspec
import structlog

from services.kernel.vocabulary import Level, Log

__all__ = ["LOG_CHARACTERS", "Log", "LogFieldError", "Logger", "configure", "route_libraries", "safe_url"]

LOG_CHARACTERS = 200
"""A longer value is cut."""

_LOG_ITEMS = 32
_FREE_TEXT = frozenset({"reason"})
_LOGIN = re.compile(r"://\S*@")
_SECRET = re.compile(r"(?i)(\b\w*(?:pass(?:word|wd)?|token|secret)\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s&;]+)")
_PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


class LogFieldError(ValueError):
    """A field that the log event does not have, or a value that no log line may hold. Raised when strict."""


class Logger:
    """What one service says. Strict (tests): a wrong field raises; else it is left out and counted."""

    def __init__(
        self,
        service: str,
        sink: structlog.typing.FilteringBoundLogger,
        *,
        strict: bool,
        on_dropped: Callable[[Log], None] | None = None,
    ) -> None:
        self.service = service
        self.dropped = 0
        self._sink = sink
        self._strict = strict
        self._on_dropped = on_dropped

    def say(self, event: Log, **fields: object) -> None:
        """Write one line. Absent (None) fields are left out. Raises LogFieldError when strict."""
        if not self._strict and not self._sink.is_enabled_for(_LEVELS[event.level]):
            return
        written: dict[str, object] = {}
        for name, value in fields.items():
            try:
                if value is not None:
                    written[name] = _value(event, name, value)
            except LogFieldError:
                if self._strict:
                    raise
                self.dropped += 1
                if self._on_dropped is not None:
                    self._on_dropped(event)
        getattr(self._sink, event.level)(event.name.lower(), service=self.service, **written)


def configure(
    service: str,
    *,
    level: Level = "info",
    style: Literal["json", "console"] | None = None,
    strict: bool = False,
    file: TextIO | None = None,
    on_dropped: Callable[[Log], None] | None = None,
) -> Logger:
    """The logger of a service.

    style: None is `console` on a terminal and `json` elsewhere. file: None is stdout.
    on_dropped: called for each field left out (`Metrics.log_field_dropped`).
    """
    out = sys.stdout if file is None else file
    console = style == "console" or (style is None and out.isatty())
    renderer = structlog.dev.ConsoleRenderer(colors=out.isatty()) if console else _json
    sink = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
    )
    bound = cast(structlog.typing.FilteringBoundLogger, sink)
    return Logger(service, bound, strict=strict, on_dropped=on_dropped)


def route_libraries(logger: Logger, *names: str) -> Callable[[], None]:
    """Take over what these libraries log (default: all); their texts may quote data and are withheld.

    Returns a function that undoes it.
    """
    handler = _Library(logger)
    targets = [logging.getLogger(name) for name in names or ("",)]
    before = [(target, list(target.handlers), target.propagate) for target in targets]
    for target in targets:
        target.handlers[:] = [handler]
        target.propagate = False

    def undo() -> None:
        for target, handlers, propagate in before:
            target.handlers[:] = handlers
            target.propagate = propagate

    return undo


def safe_url(url: str) -> str:
    """A server's address fit to be printed: its login and its secrets are hidden."""
    return _SECRET.sub(r"\1***", _LOGIN.sub("://***@", url))


class _Library(logging.Handler):
    def __init__(self, logger: Logger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        where = f"{record.module}.{record.funcName}:{record.lineno}"
        error = record.exc_info[1] if record.exc_info else None
        self._logger.say(Log.LIBRARY_WARNING, library=record.name, reason=where, error=error)


def _value(event: Log, name: str, value: object) -> object:
    """What is written for a field. Raises LogFieldError."""
    if name not in event.fields:
        allowed = ", ".join(sorted(event.fields)) or "none"
        raise LogFieldError(f"{event.name}: {name}: no field of this event (its fields: {allowed})")
    kind = type(value).__name__
    match value:
        case bool() | int() | float():
            return value
        case str():
            return _text(name, value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case BaseException():
            return _described(value)
        case list() | tuple() | set() | frozenset():
            items = list(islice(cast("Iterable[object]", value), _LOG_ITEMS))
            if all(isinstance(item, str | int) for item in items):
                return [_text(name, item) if isinstance(item, str) else item for item in items]
        case _:
            pass
    raise LogFieldError(f"{event.name}: {name}: a {kind} is not written to the log")


def _text(name: str, text: str) -> str:
    text = safe_url(text)
    if name in _FREE_TEXT:
        first_line = text.partition("\n")[0]
        text = _MAIL.sub("***", _PHONE.sub("***", first_line))
    return text if len(text) <= LOG_CHARACTERS else text[: LOG_CHARACTERS - 1] + "…"


def _described(error: BaseException) -> str:
    """Class and place of an exception. Not its text: that often quotes the data it complains of."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    code = getattr(error, "sqlstate", None)
    name = f"{type(error).__name__} {code}" if isinstance(code, str) else type(error).__name__
    if frame is None:
        return name
    return f"{name} at {PurePath(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}"


def _json(_logger: Any, _method: str, line: Mapping[str, Any]) -> str:
    head = {name: line[name] for name in ("timestamp", "level", "event", "service")}
    return msgspec.json.encode({**head, **line}).decode()


_LEVELS: Mapping[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
