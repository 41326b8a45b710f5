"""The members of a project: who is in it, as what, and how others get in."""

import logging
from collections.abc import Callable

from flask import flash, redirect, url_for
from werkzeug.wrappers import Response

from app.core.accounts.members import Invitation, change_role, invite, remove_member
from app.core.accounts.users import confirm_user
from app.core.database import MAX_INTEGER
from app.core.errors import LastAdmin, PasswordChanged, UserDisabled
from app.core.queries.memberships import Member, select_members
from app.web.errors import ApiError
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.rendering import page
from app.web.pages.projects.forms import ConfirmForm, InviteForm, RoleForm
from app.web.proxies import public_url_for
from app.web.request_context import actor, visitor
from app.web.services import ask_database

CHOSEN_ANEW = (
    "Nobody was let in: the password of this sign-in was chosen anew since you looked, perhaps by somebody else. "
    "Ask again whose it is."
)
LAST_ADMIN = "A project keeps at least one admin: make somebody else an admin first."


def state_of(member: Member) -> str:
    """What a member can do here: a disabled one nothing, an invited one must join first."""
    if member.is_disabled:
        return "disabled"
    if member.has_joined:
        return "active"
    return "waiting" if member.has_password else "invited"


CSV_COLUMNS: dict[str, Callable[[Member], object]] = {
    "email": lambda member: member.email,
    "state": state_of,
    "since": lambda member: member.since,
    "role": lambda member: member.role,
}

log = logging.getLogger(__name__)

blueprint = page_blueprint("members")


@blueprint.get("/dashboard/members")
@signed_in(role="admin")
def members() -> Response:
    return _members_page(InviteForm())


@blueprint.get("/dashboard/members.csv")
@signed_in(role="admin")
def download() -> Response:
    return csv_table("members.csv", CSV_COLUMNS, ask_database(select_members, visitor().project_id))


@blueprint.post("/dashboard/members")
@signed_in(role="admin")
def add() -> Response:
    """Invite somebody. The one-time link with which they join is in this answer and nowhere else."""
    form = InviteForm()
    if not form.validate():
        return _members_page(form, status=400)
    try:
        invitation = ask_database(invite, visitor().project_id, form.email.data, form.role.data, actor())
    except UserDisabled:
        form.email.errors = ["An operator has disabled this user, and can enable them again."]
        return _members_page(form, status=400)
    _note("invited a member", role=form.role.data)
    if invitation.token is not None:
        return _members_page(InviteForm(formdata=None), invitation=invitation)
    flash(_outcome(invitation), "success")
    return _to_list()


@blueprint.post("/dashboard/members/<int:user_id>/role")
@signed_in(role="admin")
def set_role(user_id: int) -> Response:
    form = RoleForm()
    if not form.validate():
        raise ApiError(400, "VALIDATION_ERROR", "There is no such role.")
    role = form.role.data
    try:
        ask_database(change_role, visitor().project_id, _checked(user_id), role, actor())
    except LastAdmin:
        flash(LAST_ADMIN, "error")
        return _to_list()
    _note("changed a role", member=user_id, role=role)
    flash("The role is changed. It holds from the next click on.", "success")
    return _to_list() if role == "admin" else _to_where_allowed(user_id)


@blueprint.post("/dashboard/members/<int:user_id>/remove")
@signed_in(role="admin")
def remove(user_id: int) -> Response:
    try:
        ask_database(remove_member, visitor().project_id, _checked(user_id), actor())
    except LastAdmin:
        flash(LAST_ADMIN, "error")
        return _to_list()
    _note("removed a member", member=user_id)
    flash("The member is removed. Their API keys keep working: see the API keys page.", "success")
    return _to_where_allowed(user_id)


@blueprint.post("/dashboard/members/<int:user_id>/confirm")
@signed_in(role="admin")
def confirm(user_id: int) -> Response:
    """Let somebody in whose sign-in was made elsewhere, for an operator who knows that it is theirs."""
    if not visitor().user.is_operator:
        raise ApiError(403, "FORBIDDEN", "Only operators may do this.")
    form = ConfirmForm()
    if not form.validate():
        raise ApiError(400, "VALIDATION_ERROR", "This is not the time at which a password was chosen.")
    try:
        email = ask_database(
            confirm_user,
            _checked(user_id),
            actor(),
            project_id=visitor().project_id,
            password_changed_at=form.password_chosen_at.data,
        )
    except PasswordChanged:
        flash(CHOSEN_ANEW, "error")
        return _to_list()
    _note("confirmed a sign-in", member=user_id)
    flash(f"{email} is in this project now, and in all others that had invited them.", "success")
    return _to_list()


def _members_page(form: InviteForm, *, invitation: Invitation | None = None, status: int = 200) -> Response:
    found = ask_database(select_members, visitor().project_id)
    link = None
    if invitation is not None:
        link = public_url_for("pages_one_time_link.show_link", token=invitation.token)
    return page(
        "projects/members.html",
        active="members",
        status=status,
        form=form,
        members=found,
        invitation=invitation,
        link=link,
        state_of=state_of,
    )


def _outcome(invitation: Invitation) -> str:
    if invitation.was_member:
        return f"{invitation.email} is in this project already."
    return f"{invitation.email} is in this project now, and signs in as before."


def _to_list() -> Response:
    return redirect(url_for("pages_members.members"), code=303)


def _to_where_allowed(changed_user_id: int) -> Response:
    """Who gave up the right to see the list themselves goes to the dashboard."""
    return redirect(url_for("pages_sign_in.home"), code=303) if changed_user_id == visitor().user_id else _to_list()


def _checked(user_id: int) -> int:
    if user_id > MAX_INTEGER:
        raise ApiError(404, "NOT_FOUND", "There is no such member.")
    return user_id


def _note(message: str, **fields: object) -> None:
    log.info(message, extra={"by_user": visitor().user_id, "project": visitor().project_id, **fields})
