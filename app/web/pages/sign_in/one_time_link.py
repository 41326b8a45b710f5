"""One-time links: a user who was invited, or whose password was lost, chooses a password and is signed in."""

from flask import redirect
from werkzeug.wrappers import Response

from app.core.accounts.passwords import hash_password
from app.core.accounts.users import choose_password, user_of_link
from app.core.errors import LinkNotValid
from app.web.page_paths import own_path
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.browser_session import begin_browser_session, remember_device
from app.web.pages.access.guards import open_page
from app.web.pages.access.session_cookie import needs_https
from app.web.pages.layout.errors import PageError
from app.web.pages.layout.rendering import page
from app.web.pages.sign_in.forms import NewPasswordForm
from app.web.services import ask_database
from app.web.threads import run_in_thread

blueprint = page_blueprint("one_time_link")


@blueprint.get("/login/link/<token>")
@open_page("the token is the proof; to look at the form uses nothing up, as the previews of chat programs do")
def show_link(token: str) -> Response:
    return page("sign_in/one_time_link.html", form=NewPasswordForm(), email=_email(token), needs_https=needs_https())


@blueprint.post("/login/link/<token>")
@open_page("the token is the proof")
def use_link(token: str) -> Response:
    """Store the password, use the link up and sign in."""
    email = _email(token)
    form = NewPasswordForm()
    if not form.validate():
        return page("sign_in/one_time_link.html", status=400, form=form, email=email, needs_https=needs_https())
    password_hash = run_in_thread(lambda: hash_password(form.password.data))
    try:
        user_id = ask_database(choose_password, token, password_hash)
    except LinkNotValid as error:
        raise _no_longer_valid() from error
    begin_browser_session(user_id, password_hash)
    return remember_device(redirect(own_path(None), code=303), user_id)


def _email(token: str) -> str:
    try:
        return ask_database(user_of_link, token)
    except LinkNotValid as error:
        raise _no_longer_valid() from error


def _no_longer_valid() -> PageError:
    return PageError(
        404,
        "NOT_FOUND",
        "This link is not valid any more",
        "Each link works once, and for 7 days. Ask whoever gave it to you for a new one, or sign in.",
    )
