"""Sessions of signed-in browsers, by the SHA-256 of their ids."""

from dataclasses import dataclass

from app.core.database import Connection
from app.core.queries.memberships import Role
from app.core.queries.rows import all_rows


def insert_session(connection: Connection, token_hash: bytes, user_id: int, *, lifetime_seconds: int) -> None:
    sql = """
        INSERT INTO sessions (token_hash, user_id, expires_at)
        VALUES (%(token_hash)s, %(user_id)s, now() + make_interval(secs => %(lifetime_seconds)s))
    """
    parameters = {"token_hash": token_hash, "user_id": user_id, "lifetime_seconds": lifetime_seconds}
    connection.execute(sql, parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One project of the user of a session, or one row without a project; none where the session is over."""

    user_id: int
    email: str
    is_operator: bool
    seen_long_ago: bool
    project_id: int | None
    name: str | None
    role: Role | None


def select_session(
    connection: Connection, token_hash: bytes, *, idle_seconds: int, resolution_seconds: int
) -> list[SessionRow]:
    """The user of a session with each project, the first one first; empty for a session that is over or never was.

    `seen_long_ago` says that it was last seen more than `resolution_seconds` ago.
    """
    sql = """
        SELECT users.id AS user_id, users.email, users.is_operator,
               sessions.last_seen_at < now() - make_interval(secs => %(resolution_seconds)s) AS seen_long_ago,
               projects.id AS project_id, projects.name, memberships.role
        FROM sessions
        JOIN users ON users.id = sessions.user_id
        LEFT JOIN memberships ON memberships.user_id = users.id
        LEFT JOIN projects ON projects.id = memberships.project_id
        WHERE sessions.token_hash = %(token_hash)s
          AND sessions.expires_at > now()
          AND sessions.last_seen_at > now() - make_interval(secs => %(idle_seconds)s)
        ORDER BY memberships.created_at, projects.id
    """
    parameters = {"token_hash": token_hash, "idle_seconds": idle_seconds, "resolution_seconds": resolution_seconds}
    return all_rows(connection, SessionRow, sql, parameters)


def update_last_seen(connection: Connection, token_hash: bytes) -> None:
    sql = "UPDATE sessions SET last_seen_at = now() WHERE token_hash = %(token_hash)s"
    connection.execute(sql, {"token_hash": token_hash})


def delete_session(connection: Connection, token_hash: bytes) -> None:
    sql = "DELETE FROM sessions WHERE token_hash = %(token_hash)s"
    connection.execute(sql, {"token_hash": token_hash})


def delete_sessions(connection: Connection, user_id: int) -> None:
    sql = "DELETE FROM sessions WHERE user_id = %(user_id)s"
    connection.execute(sql, {"user_id": user_id})


def delete_ended_sessions(connection: Connection, *, idle_seconds: int) -> None:
    sql = """
        DELETE FROM sessions
        WHERE expires_at <= now()
           OR last_seen_at <= now() - make_interval(secs => %(idle_seconds)s)
    """
    connection.execute(sql, {"idle_seconds": idle_seconds})
