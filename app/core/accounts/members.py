"""Who belongs to a project: invite, change roles, remove."""

from dataclasses import dataclass, field

from app.core.accounts.users import make_sign_in_link
from app.core.database import Connection
from app.core.errors import AlreadyExists, LastAdmin, NotFound
from app.core.queries.memberships import (
    Role,
    count_other_projects,
    delete_membership,
    insert_membership,
    lock_roles,
    update_role,
)
from app.core.queries.projects import count_members, insert_project, select_project_id
from app.core.queries.users import insert_invited_user, select_user


@dataclass(frozen=True, slots=True)
class Invitation:
    """`token` is that of a sign-in link, for a user who has no password yet; `was_member`: nothing has changed."""

    email: str
    token: str | None = field(repr=False)
    was_member: bool
    has_password: bool


def invite(connection: Connection, project_id: int, email: str, role: Role) -> Invitation:
    """Let the user with this email into the project; who is not known yet becomes a user without a password.

    One who waits in another project too gets no new link: whoever holds it can be that user there as well.
    """
    with connection.transaction():
        user = select_user(connection, email)
        if user is None:
            insert_invited_user(connection, email)
            user = select_user(connection, email)
            assert user is not None
        added = insert_membership(connection, project_id, user.user_id, role)
        if user.password_hash is not None:
            return Invitation(user.email, None, was_member=not added, has_password=True)
        alone_here = count_other_projects(connection, user.user_id, project_id) == 0
        token = make_sign_in_link(connection, user.user_id) if alone_here and not user.is_operator else None
        return Invitation(user.email, token, was_member=not added, has_password=False)


def change_role(connection: Connection, project_id: int, user_id: int, role: Role) -> None:
    """Make a member an admin or the other way round. Raises NotFound, and LastAdmin."""
    with connection.transaction():
        _check_change(connection, project_id, user_id, stays_admin=role == "admin")
        update_role(connection, project_id, user_id, role)


def remove_member(connection: Connection, project_id: int, user_id: int) -> None:
    """Take a member out of the project, from the next request on. Raises NotFound, and LastAdmin."""
    with connection.transaction():
        _check_change(connection, project_id, user_id, stays_admin=False)
        delete_membership(connection, project_id, user_id)


def add_member(connection: Connection, email: str, project: str, role: Role) -> None:
    """Let a user in, or change the role; the project is made where there is none. Raises NotFound, and LastAdmin."""
    with connection.transaction():
        user = select_user(connection, email)
        if user is None:
            raise NotFound(f"there is no user {email}")
        project_id = insert_project(connection, project)
        if not insert_membership(connection, project_id, user.user_id, role):
            change_role(connection, project_id, user.user_id, role)


def create_project(connection: Connection, name: str, user_id: int) -> int:
    """The id of a new project whose admin is the user. One without members, made with its first key, counts as new.

    Raises AlreadyExists for one that others have.
    """
    with connection.transaction():
        project_id = select_project_id(connection, name)
        if project_id is None:
            project_id = insert_project(connection, name)
        elif count_members(connection, project_id) > 0:
            raise AlreadyExists(name)
        insert_membership(connection, project_id, user_id, "admin")
    return project_id


def _check_change(connection: Connection, project_id: int, user_id: int, *, stays_admin: bool) -> None:
    members = lock_roles(connection, project_id)
    if user_id not in [member.user_id for member in members]:
        raise NotFound("there is no such member")
    admins = [member.user_id for member in members if member.role == "admin"]
    if admins == [user_id] and not stays_admin:
        raise LastAdmin("a project keeps at least one admin")
