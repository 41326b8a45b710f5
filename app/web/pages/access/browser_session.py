"""What a browser is given when its user signs in: a session, and a cookie by which it is known again."""

import secrets

from flask import request, session
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from app.core.accounts.sessions import DAY_SECONDS, begin_session
from app.core.queries.audit_log import Actor
from app.core.queries.users import StoredUser
from app.web.pages.access.guards import LAST_PROJECT
from app.web.pages.access.session_cookie import SESSION_ID, cookie_name, is_plain_local
from app.web.request_context import actor_of
from app.web.services import ask_database, derive_secret, services

DEVICE_SECONDS = 180 * DAY_SECONDS


def sign_in_browser(user: StoredUser, response: Response) -> Response:
    """Sign in a user whose password was checked; the answer, with what lets this browser be known from now on.

    Raises PasswordChanged where the password is not the user's any more.
    """
    assert user.password_hash is not None
    begin_browser_session(user.user_id, user.password_hash, by=actor_of(user.user_id, user.email))
    return remember_device(response, user.user_id)


def begin_browser_session(user_id: int, password_hash: str, *, by: Actor | None = None) -> None:
    """A new session id, a new token against forgery, and nothing left of the session before. With `by` it is a sign-in.

    Raises PasswordChanged where the hash is not the user's any more.
    """
    sent = session.get(SESSION_ID)
    before = sent if isinstance(sent, str) else None
    session_id = ask_database(begin_session, user_id, password_hash, before=before, by=by)
    last_project = session.get(LAST_PROJECT)
    session.clear()
    session[SESSION_ID] = session_id
    if last_project is not None:
        session[LAST_PROJECT] = last_project
    session.permanent = True


def known_device(user_id: int) -> str | None:
    """The name of this browser, if the user has signed in with it before; else None."""
    try:
        owner, device = _serializer().loads(request.cookies.get(cookie_name("device"), ""), max_age=DEVICE_SECONDS)
    except (BadSignature, TypeError, ValueError):
        return None
    return str(device) if owner == user_id else None


def remember_device(response: Response, user_id: int) -> Response:
    """Let this browser be known when the user signs in the next time."""
    device = known_device(user_id) or secrets.token_hex(16)
    response.set_cookie(
        cookie_name("device"),
        _serializer().dumps([user_id, device]),
        max_age=DEVICE_SECONDS,
        secure=not is_plain_local(),
        httponly=True,
        samesite="Lax",
    )
    return response


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(derive_secret(services().settings.secret_key, b"device"), salt="device")
