"""The session cookie of the pages: signed, and bound to this host.

The cookie carries the random id of a session that PostgreSQL knows (`sid`), the project last looked at, and what
Flask-WTF and `flash` put there. Without `sid` it belongs to a browser that is not signed in.
"""

import hashlib
import ipaddress
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, request
from flask.globals import request_ctx
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import NullSession, SecureCookieSessionInterface, SessionInterface
from itsdangerous import URLSafeTimedSerializer

from app.core.accounts.sessions import LIFETIME_SECONDS
from app.web.proxies import is_https
from app.web.services import derive_secret

SESSION_ID = "sid"

_EXTENSION = "prompt_analytics.sessions"
_NO_SESSION = NullSession()


class NoSessions(SessionInterface):
    """What Flask asks for every request: only pages have sessions, and open them by themselves."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return _NO_SESSION

    def is_null_session(self, obj: object) -> bool:
        return True


class PageSessions(SecureCookieSessionInterface):
    """Flask's own signed cookie, with a key of its own."""

    def __init__(self, secret_key: str) -> None:
        self._serializer = session_serializer(secret_key)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer:
        """The same for all requests: the key does not change while the process lives."""
        return self._serializer

    def get_cookie_name(self, app: Flask) -> str:
        return cookie_name("session")

    def get_cookie_secure(self, app: Flask) -> bool:
        return not is_plain_local()


def session_serializer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        derive_secret(secret_key, b"session"),
        salt="session",
        serializer=TaggedJSONSerializer(),
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def register_sessions(app: Flask, secret_key: str) -> None:
    """Make sessions ready for `open_session` and `save_session`, which the blueprints of pages call."""
    app.session_interface = NoSessions()
    app.extensions[_EXTENSION] = PageSessions(secret_key)
    app.permanent_session_lifetime = timedelta(seconds=LIFETIME_SECONDS)
    # Links from elsewhere lead to a page of a user who is signed in; forms from elsewhere do not.
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    # Only a session that has changed is sent: its age counts from its beginning.
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False


def open_session() -> None:
    """Before a request of a page."""
    sessions: PageSessions = current_app.extensions[_EXTENSION]
    request_ctx._session = sessions.open_session(current_app, request)  # noqa: SLF001 - Flask has no public way


def save_session(response: Response) -> Response:
    """After a request of a page."""
    sessions: PageSessions = current_app.extensions[_EXTENSION]
    # not `session`, which would count as a look at it: a page that takes none is the same for every cookie
    opened = request_ctx._session  # noqa: SLF001
    assert opened is not None
    sessions.save_session(current_app, opened, response)
    return response


def cookie_name(name: str) -> str:
    """Browsers take a cookie with `__Host-` from this host alone, over HTTPS alone."""
    return name if is_plain_local() else f"__Host-{name}"


def is_plain_local() -> bool:
    """Whether the request came to this very machine without HTTPS, where nobody can listen."""
    return not request.is_secure and _is_local(request.host)


def needs_https() -> bool:
    """Whether the browser will refuse the cookie, and sign-in must fail."""
    return not is_https() and not _is_local(request.host)


def _is_local(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
