"""Who belongs to a project: invite, change roles, remove."""

from dataclasses import dataclass, field

from app.core.accounts.links import find_user, join_all, make_link, may_choose_by_invitation
from app.core.database import Connection
from app.core.errors import AlreadyExists, LastAdmin, NotConfirmed, NotFound, UserDisabled
from app.core.queries.audit_log import Action, Actor, insert_audit_entry
from app.core.queries.invitations import take_invitation, update_invitation, upsert_invitation
from app.core.queries.memberships import (
    Role,
    delete_membership,
    insert_membership,
    is_member,
    lock_roles,
    update_role,
)
from app.core.queries.projects import count_members, insert_project, select_project_id
from app.core.queries.sign_in_links import delete_sign_in_links
from app.core.queries.users import (
    StoredUser,
    insert_invited_user,
    select_email,
    select_user,
    update_confirmed_at,
)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What came of it: `token` is that of a link with which the user joins, None for one who is a member now.

    `was_member`: nothing has changed. `needs_proof`: the link alone opens nothing, the sign-in's password is asked for.
    """

    email: str
    token: str | None = field(default=None, repr=False)
    was_member: bool = False
    needs_proof: bool = False


def invite(connection: Connection, project_id: int, email: str, role: Role, by: Actor) -> Invitation:
    """Invite the user with this email to the project; who is not known yet becomes a user without a password.

    Who is confirmed is a member at once. All others join with the link, which opens this project only. Raises
    UserDisabled.
    """
    with connection.transaction():
        if select_user(connection, email) is None:
            insert_invited_user(connection, email)
        user = find_user(connection, email)
        if user.is_disabled:
            raise UserDisabled(user.email)
        if is_member(connection, project_id, user.user_id):
            return Invitation(user.email, was_member=True)
        if user.is_confirmed:
            _let_in(connection, project_id, user, role, by)
            return Invitation(user.email)
        upsert_invitation(connection, project_id, user.user_id, role)
        _note(connection, Action.INVITED, by, project_id, user.user_id, subject=f"{user.email} ({role})")
        return Invitation(
            user.email,
            make_link(connection, user.user_id, project_id=project_id),
            needs_proof=not may_choose_by_invitation(connection, user),
        )


def change_role(connection: Connection, project_id: int, user_id: int, role: Role, by: Actor) -> None:
    """Make a member, or somebody invited, an admin or the other way round. Raises NotFound, and LastAdmin."""
    with connection.transaction():
        if not update_invitation(connection, project_id, user_id, role):
            _check_change(connection, project_id, user_id, stays_admin=role == "admin")
            update_role(connection, project_id, user_id, role)
        subject = f"{select_email(connection, user_id)} (now {role})"
        _note(connection, Action.ROLE_CHANGED, by, project_id, user_id, subject=subject)


def remove_member(connection: Connection, project_id: int, user_id: int, by: Actor) -> None:
    """Take a member out of the project, from the next request on, or an invitation back, with its link.

    Raises NotFound, and LastAdmin.
    """
    with connection.transaction():
        action = Action.INVITATION_WITHDRAWN
        if take_invitation(connection, project_id, user_id) is None:
            action = Action.MEMBER_REMOVED
            _check_change(connection, project_id, user_id, stays_admin=False)
            delete_membership(connection, project_id, user_id)
        delete_sign_in_links(connection, user_id, project_id=project_id)
        _note(connection, action, by, project_id, user_id, subject=select_email(connection, user_id))


def add_member(
    connection: Connection, email: str, project: str, role: Role, by: Actor, *, confirm: bool = False
) -> StoredUser:
    """Let a user in, or change the role; the project is made where there is none. For operators.

    The user as they were. With `confirm` they join all other projects that wait for them, too. Raises NotFound,
    LastAdmin, and NotConfirmed where nobody has vouched for who holds the sign-in and `confirm` does not either.
    """
    with connection.transaction():
        user = find_user(connection, email)
        project_id = insert_project(connection, project)
        if is_member(connection, project_id, user.user_id):
            change_role(connection, project_id, user.user_id, role, by)
        elif user.is_confirmed or confirm:
            _let_in(connection, project_id, user, role, by)
        else:
            raise NotConfirmed(user.email)
        if confirm and not user.is_confirmed:
            update_confirmed_at(connection, user.user_id)
            insert_audit_entry(connection, Action.SIGN_IN_CONFIRMED, by, subject=user.email, user_id=user.user_id)
            join_all(connection, user.user_id, by)
    return user


def create_project(connection: Connection, name: str, by: Actor) -> int:
    """The id of a new project whose admin is the user. One without members, made with its first key, counts as new.

    Raises AlreadyExists for one that others have.
    """
    assert by.user_id is not None
    with connection.transaction():
        project_id = select_project_id(connection, name)
        if project_id is None:
            project_id = insert_project(connection, name)
        elif count_members(connection, project_id) > 0:
            raise AlreadyExists(name)
        insert_membership(connection, project_id, by.user_id, "admin")
        _note(connection, Action.PROJECT_MADE, by, project_id, by.user_id, subject=name)
    return project_id


def _let_in(connection: Connection, project_id: int, user: StoredUser, role: Role, by: Actor) -> None:
    take_invitation(connection, project_id, user.user_id)
    delete_sign_in_links(connection, user.user_id, project_id=project_id)
    insert_membership(connection, project_id, user.user_id, role)
    _note(connection, Action.JOINED, by, project_id, user.user_id, subject=f"{user.email} ({role})")


def _note(
    connection: Connection, action: Action, by: Actor, project_id: int, user_id: int, *, subject: str | None
) -> None:
    insert_audit_entry(connection, action, by, subject=subject, project_id=project_id, user_id=user_id)


def _check_change(connection: Connection, project_id: int, user_id: int, *, stays_admin: bool) -> None:
    members = lock_roles(connection, project_id)
    if user_id not in [member.user_id for member in members]:
        raise NotFound("there is no such member")
    admins = [member.user_id for member in members if member.role == "admin"]
    if admins == [user_id] and not stays_admin:
        raise LastAdmin("a project keeps at least one admin")
