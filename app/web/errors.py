"""The one place that maps errors to HTTP.

Every error leaves as the envelope `{"success": false, "error": …}`; those of the pages for people leave as a page.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import cast

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from app.core.errors import (
    BufferFull,
    DatabaseUnavailable,
    IdempotencyKeyReused,
    InvalidApiKey,
    NotFound,
    NothingToCompare,
    PasswordChanged,
    PromptAnalyticsError,
    RedisFull,
    RedisUnavailable,
    Unavailable,
    VersionNotFound,
)
from app.core.runbook import entry_for, runbook_entry
from app.web.envelope import Detail, code_of, error_envelope
from app.web.page_paths import is_page_path
from app.web.refused import note_refusal
from app.web.request_context import context

BACKPRESSURE_RETRY_SECONDS = 5
UNAVAILABLE_RETRY_SECONDS = 2
LONGEST_RETRY_SECONDS = 60

API_PATH = "/api/"

_ERROR_PAGE = "prompt_analytics.error_page"


class _OnceASecond(logging.Filter):
    """Lets each kind of message through once a second: in an outage every request has the same one to tell."""

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - self._logged_at.get(record.msg, -math.inf) < 1:
            return False
        self._logged_at[record.msg] = now
        return True


log = logging.getLogger(__name__)
log.addFilter(_OnceASecond())


class ApiError(Exception):
    """An error answer. Nothing in it may repeat what the client sent."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Detail] = (),
        retry_after_seconds: float | None = None,
        server: str | None = None,
    ) -> None:
        """`retry_after_seconds` belongs to every 429 and 503 and to nothing else; it is brought into 1 to 60.

        `server`: which one did not answer.
        """
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.details = list(details)
        self.retry_after_seconds = retry_after_seconds
        self.server = server


def validation_error(details: Sequence[Detail]) -> ApiError:
    return ApiError(400, "VALIDATION_ERROR", "The request is not valid; see details.", details=details)


def unauthorized() -> ApiError:
    """The same for a missing, malformed, unknown, revoked and expired key."""
    return ApiError(401, "UNAUTHORIZED", "A valid API key is required: send Authorization: Bearer YOUR_API_KEY.")


def forbidden(scope: str) -> ApiError:
    return ApiError(403, "FORBIDDEN", f"This API key does not have the scope {scope}.")


def rate_limited(message: str, *, retry_after_seconds: float) -> ApiError:
    return ApiError(429, "RATE_LIMITED", message, retry_after_seconds=retry_after_seconds)


def register_error_handlers(app: Flask, error_page: Callable[[ApiError], Response]) -> None:
    """Answer every error of the application, by `error_page` where the path is a page's.

    Unforeseen ones are logged by Flask and are a 500.
    """
    app.extensions[_ERROR_PAGE] = error_page
    app.register_error_handler(ApiError, _answer)
    app.register_error_handler(PromptAnalyticsError, lambda error: _answer(_from_core(error)))
    app.register_error_handler(HTTPException, _from_http)


def _from_core(error: PromptAnalyticsError) -> ApiError:
    """Raises the error again where no caller can have caused it: that is a 500."""
    match error:
        case InvalidApiKey():
            return unauthorized()
        case IdempotencyKeyReused():
            return ApiError(
                400,
                "IDEMPOTENCY_KEY_REUSED",
                "This Idempotency-Key was used before with another body. What it stored is untouched.",
            )
        case PasswordChanged():
            return ApiError(401, "UNAUTHORIZED", "The password was changed in the meantime.")
        case NotFound():
            return _not_found(error)
        case BufferFull() | RedisFull():
            log.warning("refused under backpressure: %s", error, extra={"see": runbook_entry("backpressure")})
            return ApiError(
                429,
                "BACKPRESSURE",
                "The event buffer is full. Nothing was stored; send it again later.",
                retry_after_seconds=BACKPRESSURE_RETRY_SECONDS,
            )
        case Unavailable():
            log.error("a server did not answer: %s: %s", type(error).__name__, error, extra={"see": entry_for(error)})
            return ApiError(
                503,
                "UNAVAILABLE",
                "A server behind this service did not answer. A retry with the same Idempotency-Key is safe.",
                retry_after_seconds=UNAVAILABLE_RETRY_SECONDS,
                server=_server_of(error),
            )
    raise error


def _not_found(error: NotFound) -> ApiError:
    message, details = "There is no such resource in this project.", []
    if isinstance(error, VersionNotFound):
        message = "There is no such version of this prompt; see details."
        details = [Detail(field=str(error), message="The prompt has no version with this hash that has events.")]
    elif isinstance(error, NothingToCompare):
        message = (
            "There is nothing to compare: the prompt has no second version, or none that is newer than the baseline "
            "or older than the candidate that was named."
        )
    return ApiError(404, "NOT_FOUND", message, details=details)


def _server_of(error: Unavailable) -> str | None:
    if isinstance(error, DatabaseUnavailable):
        return "PostgreSQL"
    return "Redis" if isinstance(error, RedisUnavailable) else None


def _from_http(error: HTTPException) -> Response:
    """Werkzeug's own errors: 404, 405 (whose Allow header stays), and the 500 that Flask makes of the unforeseen."""
    status = HTTPStatus(error.code or 500)
    answer = _answer(ApiError(status, code_of(status), f"{status.phrase}."))
    answer.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
    return answer


def _answer(error: ApiError) -> Response:
    context().error_code = error.code
    if request.path.startswith(API_PATH):
        note_refusal(error.status, error.code, error.details)
    if is_page_path(request.path):
        answer = cast(Callable[[ApiError], Response], current_app.extensions[_ERROR_PAGE])(error)
    else:
        answer = _envelope(error)
    if error.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(_whole_seconds(error.retry_after_seconds))
    return answer


def _envelope(error: ApiError) -> Response:
    body = error_envelope(error.code, error.message, context().request_id, error.details)
    answer = Response(body, status=error.status, mimetype="application/json")
    if error.status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _whole_seconds(seconds: float) -> int:
    return min(LONGEST_RETRY_SECONDS, max(1, -int(-seconds // 1)))
