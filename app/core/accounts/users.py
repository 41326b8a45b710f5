"""Users: made, given another password, disabled, made an operator."""

from datetime import datetime

from app.core.accounts.links import find_user, join_all
from app.core.accounts.sessions import end_all_sessions
from app.core.database import Connection
from app.core.errors import NotConfirmed, NotFound, PasswordChanged
from app.core.queries.audit_log import Action, Actor, insert_audit_entry
from app.core.queries.invitations import select_inviting_projects
from app.core.queries.memberships import Role, insert_membership
from app.core.queries.projects import insert_project, select_project_names
from app.core.queries.sign_in_links import delete_all_sign_in_links, delete_sign_in_links
from app.core.queries.users import (
    insert_operator,
    lock_user,
    update_confirmed_at,
    update_disabled_at,
    update_is_operator,
    update_password_hash,
)

DEFAULT_PROJECT = "default"
MAX_EMAIL_LENGTH = 254


def is_email(text: str) -> bool:
    """Whether it looks like an email address; nobody writes to it, so no more is asked of it."""
    name, at, domain = text.rpartition("@")
    return bool(name and at and domain) and len(text) <= MAX_EMAIL_LENGTH and text.isprintable() and " " not in text


def create_operator(
    connection: Connection, email: str, password_hash: str, *, project: str | None, role: Role, by: Actor
) -> None:
    """Make a user who is an operator and belongs to the project, which is made where there is none.

    Without a `project` it is the only one, or else the one with the name "default". Raises AlreadyExists for an
    email that is taken.
    """
    with connection.transaction():
        user_id = insert_operator(connection, email, password_hash)
        if project is None:
            names = select_project_names(connection)
            project = names[0] if len(names) == 1 else DEFAULT_PROJECT
        project_id = insert_project(connection, project)
        insert_membership(connection, project_id, user_id, role)
        subject = f"{email} (operator)"
        insert_audit_entry(connection, Action.USER_MADE, by, subject=subject, project_id=project_id, user_id=user_id)


def change_password(connection: Connection, user_id: int, before: str, password_hash: str, by: Actor) -> None:
    """Give a user another password; all sessions end, and all links with which an operator would change it.

    Raises PasswordChanged where the hash `before`, of the password that was checked, is not the user's any more.
    """
    with connection.transaction():
        user = lock_user(connection, user_id)
        if user is None or user.password_hash != before:
            raise PasswordChanged("password")
        update_password_hash(connection, user_id, password_hash)
        delete_sign_in_links(connection, user_id, project_id=None)
        end_all_sessions(connection, user_id)
        insert_audit_entry(connection, Action.PASSWORD_CHANGED, by, subject=user.email, user_id=user_id)


def confirm_user(
    connection: Connection, user_id: int, by: Actor, *, project_id: int, password_changed_at: datetime | None
) -> str:
    """Vouch for it that whoever holds a sign-in is whom its email names: they join all projects that invite them.

    The email. Raises NotFound for one whom the project does not invite, or who has chosen no password: then there is
    nobody to vouch for. Raises PasswordChanged where the password is not the one of `password_changed_at`: whoever
    chose it since may be somebody else.
    """
    with connection.transaction():
        user = lock_user(connection, user_id)
        invited = project_id in select_inviting_projects(connection, user_id)
        if user is None or user.password_hash is None or user.is_disabled or not invited:
            raise NotFound("the project invites no such user with a password")
        if user.password_changed_at != password_changed_at:
            raise PasswordChanged("password")
        update_confirmed_at(connection, user_id)
        insert_audit_entry(connection, Action.SIGN_IN_CONFIRMED, by, subject=user.email, user_id=user_id)
        join_all(connection, user_id, by)
    return user.email


def disable_user(connection: Connection, email: str, by: Actor) -> None:
    """End all sessions and links of a user, and let none begin. Raises NotFound."""
    with connection.transaction():
        user = find_user(connection, email)
        update_disabled_at(connection, user.user_id, disabled=True)
        end_all_sessions(connection, user.user_id)
        delete_all_sign_in_links(connection, user.user_id)
        if not user.is_disabled:
            insert_audit_entry(connection, Action.USER_DISABLED, by, subject=user.email, user_id=user.user_id)


def enable_user(connection: Connection, email: str, by: Actor) -> None:
    """Let a user who was disabled sign in again, with the password that there was. Raises NotFound."""
    with connection.transaction():
        user = find_user(connection, email)
        update_disabled_at(connection, user.user_id, disabled=False)
        if user.is_disabled:
            insert_audit_entry(connection, Action.USER_ENABLED, by, subject=user.email, user_id=user.user_id)


def revoke_operator(connection: Connection, email: str, by: Actor) -> None:
    """Make an operator a user like others, and end all sessions. Raises NotFound."""
    with connection.transaction():
        user = find_user(connection, email)
        update_is_operator(connection, user.user_id, is_operator=False)
        end_all_sessions(connection, user.user_id)
        if user.is_operator:
            insert_audit_entry(connection, Action.OPERATOR_REVOKED, by, subject=user.email, user_id=user.user_id)


def make_operator(connection: Connection, email: str, by: Actor) -> None:
    """Make a user an operator. Raises NotFound, and NotConfirmed where nobody has vouched for who holds the sign-in."""
    with connection.transaction():
        user = find_user(connection, email)
        if not user.is_confirmed:
            raise NotConfirmed(user.email)
        update_is_operator(connection, user.user_id, is_operator=True)
        if not user.is_operator:
            insert_audit_entry(connection, Action.OPERATOR_MADE, by, subject=user.email, user_id=user.user_id)
