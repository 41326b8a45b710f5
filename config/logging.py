"""One pipeline of JSON lines on stdout for gunicorn, RQ and our own code.

Nothing may log a key, a password or a body in the first place. Whatever slips through all the same, in a message, an
argument, an exception or an extra field, is taken out of the finished line.
"""

import logging
import logging.config
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

REDACTED = "[redacted]"
_SECRET_NAMES = r"(?:[\w-]*(?:password|passwd|secret|secret_key|api_key|token|authorization|cookie))"  # noqa: S105
# A line is JSON already, so a quote inside a string is \" there; what replaces a secret must leave the line JSON.
_REDACTIONS = (
    (re.compile(r"eg_live_[0-9A-Za-z]+"), f"eg_live_{REDACTED}"),
    (re.compile(r"whsec_[0-9A-Za-z+/=]+"), f"whsec_{REDACTED}"),
    (re.compile(r"/login/link/[\w-]+"), f"/login/link/{REDACTED}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {REDACTED}"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/?#\"\\<>]*@"), rf"\1{REDACTED}@"),
    (re.compile(rf'(?i)("{_SECRET_NAMES}"\s*:\s*")(?:[^"\\]|\\.)*'), rf"\1{REDACTED}"),
    (re.compile(rf"(?i)(\b{_SECRET_NAMES}(?:\\?[\"'])?\s*[=:]\s*(?:\\?[\"'])?)[^\s\"'\\,;&}})]+"), rf"\1{REDACTED}"),
)
_TERMINAL_COLOUR = re.compile(r"\\u001b\[[0-9;]*m")
# PostgreSQL quotes the data in the messages of these classes of errors, and in every DETAIL and CONTEXT.
_QUOTING_CLASSES = ("22", "23", "54")

_DOCUMENT = re.compile(r"docs/(\w+)\.md(#\w+)?")

_public_url: str | None = None
_request_id: Callable[[], str | None] = lambda: None  # noqa: E731 - stands in until create_app names requests


def configure_logging(level: str) -> None:
    """Set up this process's logging; what would end it unforeseen is logged too, as a line like all others."""
    logging.config.dictConfig(log_config(level))
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda failed: _log_uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)


def log_config(level: str) -> dict[str, Any]:
    """The pipeline for `logging.config.dictConfig`: one handler at the root, and everybody else passes on to it."""
    quieter = level.upper() if level == "debug" else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": RedactingJsonFormatter}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}},
        "root": {"level": level.upper(), "handlers": ["stdout"]},
        # RQ says three things about each job, and there is one a second.
        "loggers": {name: {"level": quieter} for name in ("rq.worker", "alembic", "flask-limiter")},
    }


def name_requests_in_logs(request_id: Callable[[], str | None]) -> None:
    """Have every line carry the id of the request at hand; `request_id` returns None outside of requests."""
    global _request_id  # noqa: PLW0603 - logging is one per process, as is this
    _request_id = request_id


def link_documents_in_logs(public_url: str | None) -> None:
    """Have the field `see` of every line be an address where PUBLIC_URL tells it, not a place in the folder docs."""
    global _public_url  # noqa: PLW0603 - logging is one per process, as is this
    _public_url = public_url


def redact(text: str) -> str:
    """The text without API keys, credentials in URLs and headers, and named secrets."""
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text


class RedactingJsonFormatter(JsonFormatter):
    """A JSON object on one line: timestamp, level, logger, message, request_id where there is one, extra fields."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "process", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
            timestamp=True,
        )

    def format(self, record: logging.LogRecord) -> str:
        """Never raises: logging would print the record raw, with all its arguments."""
        try:
            line = super().format(record)
        except Exception:  # noqa: BLE001 - whatever an argument's __str__ raises
            unreadable = logging.LogRecord(
                record.name, record.levelno, record.pathname, record.lineno, "a log record that has no text", None, None
            )
            line = super().format(unreadable)
        return redact(_TERMINAL_COLOUR.sub("", line))

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        request_id = _request_id()
        if request_id is not None:
            log_data = {**log_data, "request_id": request_id}
        if _public_url is not None and (place := _DOCUMENT.fullmatch(str(log_data.get("see")))):
            log_data = {**log_data, "see": f"{_public_url}/docs/{place[1]}{place[2] or ''}"}
        return log_data

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """The exception and what led to it, without the data that PostgreSQL quotes."""
        return "".join(_exception_lines(ei[1], set())).rstrip()


def _exception_lines(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    yield from _exception_lines(before, seen)
    if before is not None:
        yield "which led to:\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{_name(type(error))}: {_message(error)}\n"


def _name(error: type[BaseException]) -> str:
    return error.__qualname__ if error.__module__ == "builtins" else f"{error.__module__}.{error.__qualname__}"


def _message(error: BaseException) -> str:
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is None:
        return str(error)
    if sqlstate.startswith(_QUOTING_CLASSES):
        return f"SQLSTATE {sqlstate}"
    return f"SQLSTATE {sqlstate}: {str(error).partition(chr(10))[0]}"


def _log_uncaught(
    exception_type: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    if issubclass(exception_type, KeyboardInterrupt):
        sys.__excepthook__(exception_type, error or exception_type(), trace)
        return
    logging.getLogger("uncaught").critical("ended by an unforeseen error", exc_info=error)
