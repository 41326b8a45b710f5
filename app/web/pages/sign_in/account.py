"""The account of whoever is signed in: another password."""

from flask import flash, redirect
from limits import RateLimitItemPerMinute
from werkzeug.wrappers import Response

from app.core.accounts.passwords import hash_password, is_password
from app.core.accounts.sessions import note_failed_check
from app.core.accounts.users import change_password
from app.core.queries.users import select_password_hash
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.browser_session import begin_browser_session
from app.web.pages.access.guards import signed_in
from app.web.pages.access.rate_limit import charge
from app.web.pages.layout.rendering import page
from app.web.pages.sign_in.forms import ChangePasswordForm
from app.web.request_context import actor, visitor
from app.web.services import ask_database
from app.web.threads import run_in_thread

ATTEMPTS = RateLimitItemPerMinute(10, 10)
TOO_MANY = ("Too many attempts", "Wait some minutes and try again.")

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
    ask_database(change_password, user_id, before, password_hash, actor())
    begin_browser_session(user_id, password_hash)
    flash("Your password is changed, and all other browsers are signed out.", "success")
    return redirect("/account", code=303)


def _checked_hash(form: ChangePasswordForm) -> str | None:
    """The hash of the current password; None, and an error in the form and an entry, where another one was entered."""
    user_id = visitor().user_id
    charge(ATTEMPTS, "change-password", str(user_id), words=TOO_MANY)
    password_hash = ask_database(select_password_hash, user_id)
    if run_in_thread(lambda: is_password(form.current.data, password_hash)):
        return password_hash
    ask_database(note_failed_check, user_id, actor())
    form.current.errors = ["This is not your current password."]
    return None
