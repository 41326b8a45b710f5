"""Sessions of signed-in browsers, by the SHA-256 of their ids."""

from dataclasses import dataclass

from app.core.database import Connection
from app.core.queries.memberships import Role
from app.core.queries.rows import all_rows, one_value


def insert_session(connection: Connection, token_hash: bytes, user_id: int, *, lifetime_seconds: int) -> None:
    sql = """
        INSERT INTO sessions (token_hash, user_id, expires_at)
        VALUES (%(token_hash)s, %(user_id)s, now() + make_interval(secs => %(lifetime_seconds)s))
    """
    parameters = {"token_hash": token_hash, "user_id": user_id, "lifetime_seconds": lifetime_seconds}
    connection.execute(sql, parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One project of the user of a session, or one row without a project; none where the session is over.

    An operator is admin of every project, `is_member` or not.
    """

    user_id: int
    email: str
    is_operator: bool
    seen_long_ago: bool
    project_id: int | None
    name: str | None
    role: Role | None
    is_member: bool | None


def select_session(
    connection: Connection, token_hash: bytes, *, idle_seconds: int, resolution_seconds: int
) -> list[SessionRow]:
    """The projects of a session's user: first those that the user is in, by when they came; then an operator's others.

    `seen_long_ago`: the last time is further back than `resolution_seconds`.
    """
    sql = """
        SELECT users.id AS user_id, users.email, users.is_operator,
               sessions.last_seen_at < now() - make_interval(secs => %(resolution_seconds)s) AS seen_long_ago,
               seen.project_id, seen.name, CASE WHEN users.is_operator THEN 'admin' ELSE seen.role END AS role,
               seen.is_member
        FROM sessions
        JOIN users ON users.id = sessions.user_id
        LEFT JOIN LATERAL (
            SELECT projects.id AS project_id, projects.name, memberships.role, true AS is_member,
                   memberships.created_at
            FROM memberships
            JOIN projects ON projects.id = memberships.project_id
            WHERE memberships.user_id = users.id
            UNION ALL
            SELECT projects.id, projects.name, NULL, false, NULL
            FROM projects
            WHERE users.is_operator
              AND NOT EXISTS (
                  SELECT FROM memberships WHERE memberships.project_id = projects.id AND memberships.user_id = users.id
              )
        ) AS seen ON true
        WHERE sessions.token_hash = %(token_hash)s
          AND sessions.expires_at > now()
          AND sessions.last_seen_at > now() - make_interval(secs => %(idle_seconds)s)
          AND users.disabled_at IS NULL
        ORDER BY seen.is_member DESC, seen.created_at, lower(seen.name), seen.project_id
    """
    parameters = {"token_hash": token_hash, "idle_seconds": idle_seconds, "resolution_seconds": resolution_seconds}
    return all_rows(connection, SessionRow, sql, parameters)


def update_last_seen(connection: Connection, token_hash: bytes) -> None:
    sql = "UPDATE sessions SET last_seen_at = now() WHERE token_hash = %(token_hash)s"
    connection.execute(sql, {"token_hash": token_hash})


def delete_session(connection: Connection, token_hash: bytes) -> int | None:
    """The id of its user; None where there is no such session."""
    sql = "DELETE FROM sessions WHERE token_hash = %(token_hash)s RETURNING user_id"
    user_id: int | None = one_value(connection, sql, {"token_hash": token_hash})
    return user_id


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
