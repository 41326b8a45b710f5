"""Who has changed something sees it on the next pages, although others may be shown what a standby has by then."""

from flask import Response, request

from app.web.pages.access.session_cookie import cookie_name, is_plain_local
from app.web.request_context import context
from app.web.services import services

COOKIE = "wrote"
REMEMBERED_SECONDS = 15
"""Longer than a standby that is read may be behind, and what is known of it may be old."""
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def note_own_writes() -> None:
    """Before a request of a page."""
    context().has_written = cookie_name(COOKIE) in request.cookies


def remember_own_writes(response: Response) -> Response:
    """After a request of a page; the cookie says no more than that, and whoever forges one reads from the primary."""
    if services().replica is not None and request.method not in _SAFE_METHODS:
        response.set_cookie(
            cookie_name(COOKIE),
            "1",
            max_age=REMEMBERED_SECONDS,
            secure=not is_plain_local(),
            httponly=True,
            samesite="Lax",
        )
    return response
