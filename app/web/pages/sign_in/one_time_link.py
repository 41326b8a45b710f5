"""One-time links: who was invited, or has lost the password, chooses one; who has a sign-in proves it, and joins."""

from flask import redirect, request
from werkzeug.wrappers import Response

from app.core.accounts.links import OpenedLink, accept_invitation, choose_password, open_link
from app.core.accounts.passwords import hash_password
from app.core.errors import LinkNotValid, ProofNeeded
from app.web.page_paths import own_path
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.browser_session import begin_browser_session, remember_device, sign_in_browser
from app.web.pages.access.guards import open_page
from app.web.pages.access.session_cookie import needs_https
from app.web.pages.layout.errors import PageError
from app.web.pages.layout.rendering import page
from app.web.pages.sign_in.credentials import checked_user
from app.web.pages.sign_in.forms import NewPasswordForm, ProofForm
from app.web.request_context import actor_of
from app.web.services import ask_database
from app.web.threads import run_in_thread

blueprint = page_blueprint("one_time_link")


@blueprint.get("/login/link/<token>")
@open_page("the token is the proof; to look at the form uses nothing up, as the previews of chat programs do")
def show_link(token: str) -> Response:
    link = _opened(token)
    return _proof_page(link, ProofForm()) if link.needs_proof else _choice_page(link, NewPasswordForm())


@blueprint.post("/login/link/<token>")
@open_page("the token is the proof, or one of two")
def use_link(token: str) -> Response:
    """Use the link up and sign in, with the password that is chosen here, or the one that there is."""
    link = _opened(token)
    try:
        return _join(token, link) if link.needs_proof else _choose(token, link)
    except LinkNotValid as error:
        raise _no_longer_valid() from error
    except ProofNeeded:
        # somebody else has chosen a password or been let in since the form was sent
        return redirect(request.path, code=303)


def _choose(token: str, link: OpenedLink) -> Response:
    form = NewPasswordForm()
    if not form.validate():
        return _choice_page(link, form, status=400)
    password_hash = run_in_thread(lambda: hash_password(form.password.data))
    user_id = ask_database(choose_password, token, password_hash, request.remote_addr)
    begin_browser_session(user_id, password_hash, by=actor_of(user_id, link.email))
    return remember_device(redirect(own_path(None), code=303), user_id)


def _join(token: str, link: OpenedLink) -> Response:
    form = ProofForm()
    user = checked_user(link.email, form.current.data or "")
    if user is None:
        form.current.errors = ["This is not the password of this sign-in."]
        return _proof_page(link, form, status=401)
    project_id = ask_database(accept_invitation, token, user.user_id, request.remote_addr)
    return sign_in_browser(user, redirect(f"/dashboard?project={project_id}", code=303))


def _choice_page(link: OpenedLink, form: NewPasswordForm, *, status: int = 200) -> Response:
    return page("sign_in/one_time_link.html", status=status, form=form, link=link, needs_https=needs_https())


def _proof_page(link: OpenedLink, form: ProofForm, *, status: int = 200) -> Response:
    return page("sign_in/join.html", status=status, form=form, link=link, needs_https=needs_https())


def _opened(token: str) -> OpenedLink:
    try:
        return ask_database(open_link, token)
    except LinkNotValid as error:
        raise _no_longer_valid() from error


def _no_longer_valid() -> PageError:
    return PageError(
        404,
        "NOT_FOUND",
        "This link is not valid any more",
        "Each link works once, and for 7 days. Ask whoever gave it to you for a new one, or sign in.",
    )
