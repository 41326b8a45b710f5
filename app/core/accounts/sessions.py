"""Sessions: a browser that is signed in. They live in PostgreSQL, so that sign-out holds everywhere at once."""

from dataclasses import dataclass

from app.core.accounts.tokens import hash_token, new_token
from app.core.database import Connection
from app.core.errors import PasswordChanged
from app.core.queries.audit_log import Action, Actor, add_item, insert_audit_entry, lock_entry_of_hour
from app.core.queries.memberships import Role
from app.core.queries.sessions import (
    delete_ended_sessions,
    delete_session,
    delete_sessions,
    insert_session,
    select_session,
    update_last_seen,
)
from app.core.queries.users import StoredUser, lock_user, select_email

DAY_SECONDS = 86_400
IDLE_SECONDS = 14 * DAY_SECONDS
LIFETIME_SECONDS = 30 * DAY_SECONDS
LAST_SEEN_RESOLUTION_SECONDS = 300


@dataclass(frozen=True, slots=True)
class ProjectRole:
    """A project and what the user of a session is there: an operator an admin, also where they are no member."""

    project_id: int
    name: str
    role: Role
    is_member: bool = True


@dataclass(frozen=True, slots=True)
class SessionUser:
    """Whose session it is. `projects` are those that the user was let into, first one first.

    An operator may use the command line too, and sees what belongs to no project; after the projects that they are in
    come all others, by name.
    """

    user_id: int
    email: str
    is_operator: bool
    projects: list[ProjectRole]


def begin_session(
    connection: Connection, user_id: int, password_hash: str, *, before: str | None = None, by: Actor | None = None
) -> str:
    """The id of a new session; `before` is the one that the browser had, which ends. With `by` it is a sign-in.

    Raises PasswordChanged where `password_hash` is not the user's any more: a change of the password ends all
    sessions, and one that begins while it is made must not slip through. The same for a user who is disabled.
    """
    session_id = new_token()
    with connection.transaction():
        user = lock_user(connection, user_id)
        if user is None or user.is_disabled or user.password_hash != password_hash:
            raise PasswordChanged("password")
        if before is not None:
            delete_session(connection, hash_token(before))
        delete_ended_sessions(connection, idle_seconds=IDLE_SECONDS)
        insert_session(connection, hash_token(session_id), user_id, lifetime_seconds=LIFETIME_SECONDS)
        if by is not None:
            insert_audit_entry(connection, Action.SIGNED_IN, by, user_id=user_id)
    return session_id


def find_session(connection: Connection, session_id: str) -> SessionUser | None:
    """The user of a session and the projects as they are now; None for one that is over.

    That it was seen is written at most every five minutes.
    """
    token_hash = hash_token(session_id)
    rows = select_session(
        connection, token_hash, idle_seconds=IDLE_SECONDS, resolution_seconds=LAST_SEEN_RESOLUTION_SECONDS
    )
    if not rows:
        return None
    if rows[0].seen_long_ago:
        update_last_seen(connection, token_hash)
    projects = [
        ProjectRole(row.project_id, row.name, row.role, bool(row.is_member))
        for row in rows
        if row.project_id is not None and row.name is not None and row.role is not None
    ]
    return SessionUser(rows[0].user_id, rows[0].email, rows[0].is_operator, projects)


def end_session(connection: Connection, session_id: str, address: str | None) -> None:
    """Sign out; nothing is done where the session is over already."""
    with connection.transaction():
        user_id = delete_session(connection, hash_token(session_id))
        if user_id is not None:
            by = Actor(select_email(connection, user_id), user_id, address)
            insert_audit_entry(connection, Action.SIGNED_OUT, by, user_id=user_id)


def note_failed_sign_in(connection: Connection, user: StoredUser, address: str | None) -> None:
    """For the audit log."""
    by = Actor(None, address=address)
    insert_audit_entry(connection, Action.SIGN_IN_FAILED, by, subject=user.email, user_id=user.user_id)


def note_sign_in_of_nobody(connection: Connection, network: str) -> None:
    """For the audit log: what was typed for an email that nobody has may be a password, so it is not written.

    One entry tells of all of an hour from a network, with their number: strangers can make any number of them.
    """
    with connection.transaction():
        entry_id = lock_entry_of_hour(connection, Action.SIGN_IN_FAILED, network)
        if entry_id is None:
            insert_audit_entry(connection, Action.SIGN_IN_FAILED, Actor(None, address=network))
        else:
            add_item(connection, entry_id)


def note_failed_check(connection: Connection, user_id: int, by: Actor) -> None:
    """For the audit log: a session asked to change its password, and did not know the one that there is."""
    insert_audit_entry(connection, Action.PASSWORD_CHECK_FAILED, by, subject=by.name, user_id=user_id)


def end_all_sessions(connection: Connection, user_id: int) -> None:
    delete_sessions(connection, user_id)
