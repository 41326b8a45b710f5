"""Sessions of signed-in browsers, by the SHA-256 of their ids."""

from dataclasses import dataclass

from app.core.database import Connection
from app.core.queries.memberships import Role

INSERT_SESSION = """
INSERT INTO sessions (token_hash, user_id, expires_at)
VALUES (%(token_hash)s, %(user_id)s, now() + make_interval(secs => %(lifetime_seconds)s))
"""
# One row for each project of the user, or one without a project; none where the session is over.
SELECT_SESSION = """
SELECT users.id, users.email, users.is_operator,
       sessions.last_seen_at < now() - make_interval(secs => %(resolution_seconds)s),
       projects.id, projects.name, memberships.role
  FROM sessions
  JOIN users ON users.id = sessions.user_id
  LEFT JOIN memberships ON memberships.user_id = users.id
  LEFT JOIN projects ON projects.id = memberships.project_id
 WHERE sessions.token_hash = %(token_hash)s
   AND sessions.expires_at > now()
   AND sessions.last_seen_at > now() - make_interval(secs => %(idle_seconds)s)
 ORDER BY memberships.created_at, projects.id
"""
UPDATE_LAST_SEEN = "UPDATE sessions SET last_seen_at = now() WHERE token_hash = %(token_hash)s"
DELETE_SESSION = "DELETE FROM sessions WHERE token_hash = %(token_hash)s"
DELETE_SESSIONS = "DELETE FROM sessions WHERE user_id = %(user_id)s"
DELETE_ENDED_SESSIONS = """
DELETE FROM sessions
 WHERE expires_at <= now()
    OR last_seen_at <= now() - make_interval(secs => %(idle_seconds)s)
"""


@dataclass(frozen=True, slots=True)
class ProjectRole:
    """A project and what the user of a session is there."""

    project_id: int
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class SessionUser:
    """Whose session it is. `projects` are those that the user was let into, first one first."""

    user_id: int
    email: str
    is_operator: bool
    seen_long_ago: bool
    projects: list[ProjectRole]


def insert_session(connection: Connection, token_hash: bytes, user_id: int, *, lifetime_seconds: int) -> None:
    """Begin a session."""
    parameters = {"token_hash": token_hash, "user_id": user_id, "lifetime_seconds": lifetime_seconds}
    connection.execute(INSERT_SESSION, parameters)


def select_session(
    connection: Connection, token_hash: bytes, *, idle_seconds: int, resolution_seconds: int
) -> SessionUser | None:
    """The user of a session and the projects; None for a session that is over or never was.

    `seen_long_ago` says that it was last seen more than `resolution_seconds` ago.
    """
    parameters = {"token_hash": token_hash, "idle_seconds": idle_seconds, "resolution_seconds": resolution_seconds}
    rows = connection.execute(SELECT_SESSION, parameters).fetchall()
    if not rows:
        return None
    projects = [ProjectRole(*row[4:]) for row in rows if row[4] is not None]
    user_id, email, is_operator, seen_long_ago = rows[0][:4]
    return SessionUser(user_id, email, is_operator, seen_long_ago, projects)


def update_last_seen(connection: Connection, token_hash: bytes) -> None:
    """Note that a session is in use."""
    connection.execute(UPDATE_LAST_SEEN, {"token_hash": token_hash})


def delete_session(connection: Connection, token_hash: bytes) -> None:
    """End one session."""
    connection.execute(DELETE_SESSION, {"token_hash": token_hash})


def delete_sessions(connection: Connection, user_id: int) -> None:
    """End all sessions of a user."""
    connection.execute(DELETE_SESSIONS, {"user_id": user_id})


def delete_ended_sessions(connection: Connection, *, idle_seconds: int) -> None:
    """Forget what is over."""
    connection.execute(DELETE_ENDED_SESSIONS, {"idle_seconds": idle_seconds})
