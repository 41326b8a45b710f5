"""Sign-in and sign-out.

Failed attempts are counted by account and by address; beyond the limit the answer is a 429 whether or not the password
is right. A browser with which the user has signed in before has a count of its own, so that nobody can lock another
person out by guessing.
"""

import hashlib
import logging

from flask import redirect, request, session
from limits import RateLimitItem, RateLimitItemPerMinute
from werkzeug.wrappers import Response

from app.core.accounts.passwords import hash_password, is_password, needs_new_hash
from app.core.accounts.sessions import end_session
from app.core.accounts.users import is_email
from app.core.queries.users import StoredUser, replace_password_hash, select_user
from app.web.auth import network_of
from app.web.page_paths import own_path
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.browser_session import begin_browser_session, known_device, remember_device
from app.web.pages.access.guards import open_page, session_user
from app.web.pages.access.rate_limit import charge
from app.web.pages.access.session_cookie import SESSION_ID, needs_https
from app.web.pages.layout.rendering import page
from app.web.pages.sign_in.forms import SignInForm
from app.web.services import ask_database, services
from app.web.threads import run_in_thread

ATTEMPTS_ON_AN_ACCOUNT = RateLimitItemPerMinute(10, 10)
ATTEMPTS_FROM_AN_ADDRESS = RateLimitItemPerMinute(20)
TOO_MANY = (
    "Too many attempts to sign in",
    "Wait some minutes and try again. A browser that you have signed in with before is let through.",
)

_Count = tuple[RateLimitItem, str, str]

REFUSED = "Email or password is wrong."

log = logging.getLogger(__name__)

blueprint = page_blueprint("sign_in")


@blueprint.get("/")
@open_page("leads to the dashboard, which asks to sign in")
def home() -> Response:
    return redirect(own_path(None), code=303)


@blueprint.get("/login")
@open_page("here users sign in")
def login() -> Response:
    wanted = own_path(request.args.get("next"))
    if session_user() is not None:
        return redirect(wanted, code=303)
    return page("sign_in/login.html", form=SignInForm(data={"next": wanted}), problem=None, needs_https=needs_https())


@blueprint.post("/login")
@open_page("here users sign in")
def sign_in() -> Response:
    """Sign in, and go to the page that was wanted; else the form again, with the same words for every reason."""
    form = SignInForm()
    checked = _checked_user(form.email.data or "", form.password.data or "")
    if checked is None:
        log.info("refused a sign-in")
        return page("sign_in/login.html", status=401, form=form, problem=REFUSED, needs_https=needs_https())
    user_id, password_hash = checked
    begin_browser_session(user_id, password_hash)
    return remember_device(redirect(own_path(form.next.data), code=303), user_id)


@blueprint.post("/logout")
@open_page("ends the session of whoever asks; there may be none any more")
def sign_out() -> Response:
    """End the session, here and in PostgreSQL."""
    session_id = session.get(SESSION_ID)
    if isinstance(session_id, str):
        ask_database(end_session, session_id)
    session.clear()
    return redirect("/login", code=303)


def _checked_user(email: str, password: str) -> tuple[int, str] | None:
    """The user's id and the hash of the password, if email and password are right.

    Takes as long for an unknown user as for a wrong password.
    """
    user = ask_database(select_user, email) if is_email(email) else None
    attempt = _counts(user, email)
    # before the password is looked at, so that a 429 says nothing about it
    for count in attempt:
        charge(*count, words=TOO_MANY)
    password_hash = None if user is None else user.password_hash
    if not run_in_thread(lambda: is_password(password, password_hash)):
        return None
    assert user is not None
    assert password_hash is not None
    for count in attempt:
        services().limits.give_back(*count)
    return user.user_id, _as_strong_as_today(user.user_id, password_hash, password)


def _as_strong_as_today(user_id: int, password_hash: str, password: str) -> str:
    """The hash that is stored now, which is another one where the parameters have changed."""
    if not needs_new_hash(password_hash):
        return password_hash
    stronger = run_in_thread(lambda: hash_password(password))
    ask_database(replace_password_hash, user_id, password_hash, stronger)
    return stronger


def _counts(user: StoredUser | None, email: str) -> list[_Count]:
    device = None if user is None else known_device(user.user_id)
    if user is not None and device is not None:
        return [(ATTEMPTS_ON_AN_ACCOUNT, "sign-in-device", f"{user.user_id}-{device}")]
    account = hashlib.sha256(email.casefold().encode(errors="replace")).hexdigest() if user is None else user.user_id
    return [
        (ATTEMPTS_FROM_AN_ADDRESS, "sign-in-address", network_of(request.remote_addr)),
        (ATTEMPTS_ON_AN_ACCOUNT, "sign-in-account", str(account)),
    ]
