"""Logs that cannot leak: every line, ours or a library's, passes redaction on its way to standard error.

No call site has to remember what is secret. An exception is logged as its type and place; its text only when it is
one of ours (`GatereeveError`), because a foreign one may quote what it choked on.
"""

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, TextIO

import re2
import structlog

from extproc.errors import GatereeveError

REDACTED = "[redacted]"

_MAX_TEXT = 2_000
_MAX_DEPTH = 6
_FRAMES = 8
_SECRET_KEYS = (
    "authorization",
    "token",
    "secret",
    "password",
    "passwd",
    "cookie",
    "apikey",
    "credential",
    "privatekey",
)
_SECRET_SHAPES = (
    r"(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{4,}",
    r"eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,4}",  # JWT, JWE and their beginnings
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*)",
    r"\bsk-[A-Za-z0-9_-]{8,}",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}",
    r"\bgh[pousr]_[A-Za-z0-9]{16,}",
    r"\bgithub_pat_[A-Za-z0-9_]{16,}",
    r"\bxox[abeprs]-[A-Za-z0-9-]{8,}",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"://[^/\s:@]*:[^/\s@]+@",  # a password in a URL
    r"(?i:key|token|secret|password|signature|sig)=[^&\s]{4,}",  # in a query string
)
_SECRET_TEXT = re2.compile("|".join(_SECRET_SHAPES))


def configure(*, format: Literal["json", "text"] = "json", level: str = "info", stream: TextIO | None = None) -> None:
    """Set up structlog, and the standard `logging` that libraries use, for this process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    output = stream or sys.stderr
    render: Any = structlog.processors.JSONRenderer()
    if format == "text":
        render = structlog.dev.ConsoleRenderer(colors=output.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            exception_place,
            redact,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=False,
    )
    # Libraries say at INFO what we count ourselves (every HTTP request, for example).
    logging.basicConfig(handlers=[_Foreign()], level=max(number, logging.WARNING), force=True)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: no value under a secret's name, no value that looks like a secret, no endless text."""
    for name, value in event.items():
        event[name] = _clean(name, value, 0)
    return event


def exception_place(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: `exc_info` becomes `exception` (type) and `at` (file:line function, innermost last)."""
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else None
    if info is True:
        error = sys.exc_info()[1]
    elif isinstance(info, tuple):
        error = info[1]
    if error is not None:
        event["exception"] = type(error).__name__
        if isinstance(error, GatereeveError):
            event["why"] = str(error)
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        event["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


class _Foreign(logging.Handler):
    """Takes what libraries log through the same processors."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit the message: the library's bug
            text = str(record.msg)
        log = structlog.get_logger("foreign")
        log.log(record.levelno, text, logger=record.name, exc_info=record.exc_info)


def _clean(name: Any, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth > _MAX_DEPTH:
        return "..."
    if isinstance(name, str) and _is_secret(name):
        return REDACTED
    if isinstance(value, Mapping):
        return {_clean("", key, depth + 1): _clean(key, inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
        return [_clean("", inner, depth + 1) for inner in value]
    text = value if isinstance(value, str) else str(value)
    text = text[:_MAX_TEXT] + ("..." if len(text) > _MAX_TEXT else "")
    # RE2 reads UTF-8, and a lone surrogate has none.
    return _SECRET_TEXT.sub(REDACTED, text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _is_secret(name: str) -> bool:
    plain = name.lower().replace("-", "").replace("_", "")
    return any(part in plain for part in _SECRET_KEYS)
