"""The account of whoever is signed in: another password."""

from flask import flash, redirect
from limits import RateLimitItemPerMinute
from werkzeug.wrappers import Response

from app.core.accounts.passwords import hash_password, is_password
from app.core.accounts.users import change_password
from app.core.queries.users import select_password_hash
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.browser_session import begin_browser_session
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.errors import PageError
from app.web.pages.layout.rendering import page
from app.web.pages.sign_in.forms import ChangePasswordForm
from app.web.request_context import visitor
from app.web.services import ask_database, services
from app.web.threads import run_in_thread

ATTEMPTS = RateLimitItemPerMinute(10, 10)

blueprint = page_blueprint("account")


@blueprint.get("/account")
@signed_in(role=None)
def account() -> Response:
    return page("sign_in/account.html", form=ChangePasswordForm())


@blueprint.post("/account")
@signed_in(role=None)
def set_password() -> Response:
    """Change the password, for somebody who knows the one before; all other browsers are signed out."""
    form = ChangePasswordForm()
    user_id = visitor().user_id
    before = _checked_hash(form) if form.validate() else None
    if before is None:
        return page("sign_in/account.html", status=400, form=form)
    password_hash = run_in_thread(lambda: hash_password(form.password.data))
    ask_database(lambda connection: change_password(connection, user_id, before, password_hash))
    begin_browser_session(user_id, password_hash)
    flash("Your password is changed, and all other browsers are signed out.", "success")
    return redirect("/account", code=303)


def _checked_hash(form: ChangePasswordForm) -> str | None:
    """The hash of the current password; None, and an error in the form, where another one was entered."""
    user_id = visitor().user_id
    window = services().limits.hit(ATTEMPTS, "change-password", str(user_id))
    if window.exceeded:
        raise PageError(
            429,
            "RATE_LIMITED",
            "Too many attempts",
            "Wait some minutes and try again.",
            retry_after_seconds=window.retry_after_seconds,
        )
    password_hash = ask_database(lambda connection: select_password_hash(connection, user_id))
    if run_in_thread(lambda: is_password(form.current.data, password_hash)):
        return password_hash
    form.current.errors = ["This is not your current password."]
    return None
