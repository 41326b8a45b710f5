"""Errors as pages. Which error is which status is decided in app.web.errors."""

from http import HTTPStatus

from flask import Response, request

from app.core.runbook import runbook_path
from app.web.errors import ApiError
from app.web.pages.layout.rendering import page, with_security_headers

_TEXTS = {
    400: ("This request is not valid", "Go back, reload the page and try again."),
    401: ("You are signed out", "Sign in and try again. Nothing was changed."),
    403: ("This is for admins", "You can look at this project, but not change this. Ask one of its admins."),
    404: ("There is nothing here", "The page does not exist, or it belongs to a project that you are not a member of."),
    405: ("This cannot be opened like that", "Go to the dashboard and find your way from there."),
    408: ("That took too long", "The form did not arrive in time. Try again."),
    413: ("That was too much", "The form is larger than any that this page can send."),
    429: ("Slow down, please", "Those were too many requests in a short time. Wait a minute and try again."),
    500: ("Something went wrong", "It is not your fault, and it was noted. Try again in a moment."),
    503: (
        "Not available right now",
        "{server} does not answer or has too much to do. Try again.",
    ),
}
_ENTRIES = {"PostgreSQL": "postgresql", "Redis": "redis"}
_UNKNOWN = ("That did not work", "Go back, reload the page and try again.")


class PageError(ApiError):
    """An error of a page with words of its own."""

    def __init__(
        self, status: int, code: str, title: str, message: str, *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(status, code, message, retry_after_seconds=retry_after_seconds)
        self.title = title


def error_page(error: ApiError) -> Response:
    """The page that says what went wrong, in the layout of all pages; asks no server for anything.

    Where a server did not answer, it tries again by itself, unless something was to be changed.
    """
    title, message = _TEXTS.get(error.status, _UNKNOWN)
    if isinstance(error, PageError):
        title, message = error.title, error.message
    elif error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        message = message.format(server=error.server or "A server behind this page")
    may_retry = error.status == HTTPStatus.SERVICE_UNAVAILABLE and request.method in ("GET", "HEAD")
    answer = page(
        "layout/error.html",
        status=error.status,
        title=title,
        message=message,
        error_status=error.status,
        away=error.server,
        entry=runbook_path(_ENTRIES[error.server]) if error.server else None,
        retry_seconds=error.retry_after_seconds if may_retry else None,
    )
    return with_security_headers(answer)
