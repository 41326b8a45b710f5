"""Sign-in and sign-out."""

import logging

from flask import flash, redirect, request, session
from werkzeug.wrappers import Response

from app.core.accounts.sessions import end_session
from app.core.errors import DatabaseUnavailable
from app.web.page_paths import own_path
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.browser_session import sign_in_browser
from app.web.pages.access.guards import open_page, session_user
from app.web.pages.access.session_cookie import SESSION_ID, needs_https
from app.web.pages.layout.rendering import page
from app.web.pages.sign_in.credentials import checked_user
from app.web.pages.sign_in.forms import SignInForm
from app.web.services import ask_database

REFUSED = "Email or password is wrong."
NOT_ENDED = (
    "This browser is signed out. But PostgreSQL did not answer, so the session is not ended at the server: who has a "
    "copy of its cookie can go on with it for up to 30 days. Change your password when the service is back: that ends "
    "it."
)

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
    user = checked_user(form.email.data or "", form.password.data or "")
    if user is None:
        log.info("refused a sign-in")
        return page("sign_in/login.html", status=401, form=form, problem=REFUSED, needs_https=needs_https())
    return sign_in_browser(user, redirect(own_path(form.next.data), code=303))


@blueprint.post("/logout")
@open_page("ends the session of whoever asks; there may be none any more")
def sign_out() -> Response:
    """End the session, here and in PostgreSQL. Where that does not answer the cookie goes all the same."""
    session_id = session.get(SESSION_ID)
    ended = True
    try:
        if isinstance(session_id, str):
            ask_database(end_session, session_id, request.remote_addr)
    except DatabaseUnavailable:
        log.warning("a session was not ended: PostgreSQL did not answer")
        ended = False
    session.clear()
    if not ended:
        flash(NOT_ENDED, "error")
    return redirect("/login", code=303)
