"""The session cookie of the pages: signed, and bound to this host.

The cookie carries the random id of a session that PostgreSQL knows (`sid`), the project last looked at, and what
Flask-WTF and `flash` put there. Without `sid` it belongs to a browser that is not signed in.
"""

import hashlib
import ipaddress
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Flask, Request, request
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer

from app.core.accounts.sessions import LIFETIME_SECONDS
from app.web.page_paths import is_page_path
from app.web.services import derive_secret

SESSION_ID = "sid"


class PageSessions(SecureCookieSessionInterface):
    """Flask's own signed cookie, for pages only, with a key of its own."""

    def __init__(self, secret_key: str) -> None:
        self._serializer = session_serializer(secret_key)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer:
        """The same for all requests: the key does not change while the process lives."""
        return self._serializer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """None, which costs nothing, for all that is no page."""
        return super().open_session(app, request) if is_page_path(request.path) else None

    def get_cookie_name(self, app: Flask) -> str:
        """See `cookie_name`."""
        return cookie_name("session")

    def get_cookie_secure(self, app: Flask) -> bool:
        """See `is_plain_local`."""
        return not is_plain_local()


def session_serializer(secret_key: str) -> URLSafeTimedSerializer:
    """Writes and reads the cookie."""
    return URLSafeTimedSerializer(
        derive_secret(secret_key, b"session"),
        salt="session",
        serializer=TaggedJSONSerializer(),
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def register_sessions(app: Flask, secret_key: str) -> None:
    """Give the app sessions."""
    app.session_interface = PageSessions(secret_key)
    app.permanent_session_lifetime = timedelta(seconds=LIFETIME_SECONDS)
    # Links from elsewhere lead to a page of a user who is signed in; forms from elsewhere do not.
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    # Only a session that has changed is sent: its age counts from its beginning.
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False


def cookie_name(name: str) -> str:
    """Browsers take a cookie with `__Host-` from this host alone, over HTTPS alone."""
    return name if is_plain_local() else f"__Host-{name}"


def is_plain_local() -> bool:
    """Whether the request came to this very machine without HTTPS, where nobody can listen."""
    return not request.is_secure and _is_local(request.host)


def needs_https() -> bool:
    """Whether the browser will refuse the cookie, and sign-in must fail."""
    return not request.is_secure and not _is_local(request.host)


def _is_local(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
