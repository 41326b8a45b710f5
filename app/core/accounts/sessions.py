"""Sessions: a browser that is signed in. They live in PostgreSQL, so that sign-out holds everywhere at once."""

from app.core.accounts.tokens import hash_token, new_token
from app.core.database import Connection
from app.core.errors import PasswordChanged
from app.core.queries.sessions import (
    SessionUser,
    delete_ended_sessions,
    delete_session,
    delete_sessions,
    insert_session,
    select_session,
    update_last_seen,
)
from app.core.queries.users import lock_password_hash

DAY_SECONDS = 86_400
IDLE_SECONDS = 14 * DAY_SECONDS
LIFETIME_SECONDS = 30 * DAY_SECONDS
LAST_SEEN_RESOLUTION_SECONDS = 300


def begin_session(connection: Connection, user_id: int, password_hash: str, *, before: str | None = None) -> str:
    """The id of a new session; `before` is the one that the browser had, which ends.

    Raises PasswordChanged where `password_hash` is not the user's any more: a change of the password ends all
    sessions, and one that begins while it is made must not slip through.
    """
    session_id = new_token()
    with connection.transaction():
        if lock_password_hash(connection, user_id) != password_hash:
            raise PasswordChanged("password")
        if before is not None:
            delete_session(connection, hash_token(before))
        delete_ended_sessions(connection, idle_seconds=IDLE_SECONDS)
        insert_session(connection, hash_token(session_id), user_id, lifetime_seconds=LIFETIME_SECONDS)
    return session_id


def find_session(connection: Connection, session_id: str) -> SessionUser | None:
    """The user of a session and the projects as they are now; None for one that is over.

    That it was seen is written at most every five minutes.
    """
    token_hash = hash_token(session_id)
    found = select_session(
        connection,
        token_hash,
        idle_seconds=IDLE_SECONDS,
        resolution_seconds=LAST_SEEN_RESOLUTION_SECONDS,
    )
    if found is not None and found.seen_long_ago:
        update_last_seen(connection, token_hash)
    return found


def end_session(connection: Connection, session_id: str) -> None:
    """Sign out."""
    delete_session(connection, hash_token(session_id))


def end_all_sessions(connection: Connection, user_id: int) -> None:
    """Sign a user out everywhere."""
    delete_sessions(connection, user_id)
