"""Users of the dashboard. Emails are looked up in whatever case; they are stored as they were given."""

from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection
from app.core.queries.rows import all_rows, one_row, one_value


def insert_user(connection: Connection, email: str, password_hash: str, *, is_operator: bool = False) -> int:
    """The id of a new user. Raises AlreadyExists for an email that is taken, in whatever case."""
    sql = """
        INSERT INTO users (email, password_hash, is_operator, password_changed_at)
        VALUES (%(email)s, %(password_hash)s, %(is_operator)s, now())
        RETURNING id
    """
    parameters = {"email": email, "password_hash": password_hash, "is_operator": is_operator}
    return int(one_value(connection, sql, parameters))


def insert_invited_user(connection: Connection, email: str) -> None:
    """Make a user who is to choose a password; no change where the email has a user already."""
    # Waits for whoever is adding the same user just now.
    sql = "INSERT INTO users (email) VALUES (%(email)s) ON CONFLICT (lower(email)) DO NOTHING"
    connection.execute(sql, {"email": email})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUser:
    """`password_hash` is None for a user who was invited and has not chosen a password yet."""

    user_id: int
    email: str
    is_operator: bool
    password_hash: str | None


def select_user(connection: Connection, email: str) -> StoredUser | None:
    sql = """
        SELECT id AS user_id, email, is_operator, password_hash
        FROM users
        WHERE lower(email) = lower(%(email)s)
    """
    return one_row(connection, StoredUser, sql, {"email": email})


def select_password_hash(connection: Connection, user_id: int) -> str | None:
    """The hash of a user's password; None where there is none."""
    sql = "SELECT password_hash FROM users WHERE id = %(user_id)s"
    found: str | None = one_value(connection, sql, {"user_id": user_id})
    return found


def lock_password_hash(connection: Connection, user_id: int) -> str | None:
    """As `select_password_hash`; nobody else changes it until the end of the transaction."""
    # Waits for a change under way, and has one that comes wait.
    sql = "SELECT password_hash FROM users WHERE id = %(user_id)s FOR NO KEY UPDATE"
    found: str | None = one_value(connection, sql, {"user_id": user_id})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDescription:
    """A user as the list shows it; `projects` are names with the role in brackets."""

    user_id: int
    email: str
    is_operator: bool
    has_password: bool
    created_at: datetime
    projects: list[str]


def select_users(connection: Connection) -> list[UserDescription]:
    sql = """
        SELECT users.id AS user_id, users.email, users.is_operator, users.password_hash IS NOT NULL AS has_password,
               users.created_at,
               array_remove(array_agg(projects.name || ' (' || memberships.role || ')' ORDER BY projects.name), NULL)
                   AS projects
        FROM users
        LEFT JOIN memberships ON memberships.user_id = users.id
        LEFT JOIN projects ON projects.id = memberships.project_id
        GROUP BY users.id
        ORDER BY users.id
    """
    return all_rows(connection, UserDescription, sql)


def update_password_hash(connection: Connection, user_id: int, password_hash: str) -> None:
    sql = """
        UPDATE users SET password_hash = %(password_hash)s, password_changed_at = now() WHERE id = %(user_id)s
    """
    connection.execute(sql, {"user_id": user_id, "password_hash": password_hash})


def replace_password_hash(connection: Connection, user_id: int, before: str, password_hash: str) -> None:
    """Store another hash of the same password, unless the password was changed in between."""
    sql = """
        UPDATE users SET password_hash = %(password_hash)s WHERE id = %(user_id)s AND password_hash = %(before)s
    """
    parameters = {"user_id": user_id, "before": before, "password_hash": password_hash}
    connection.execute(sql, parameters)
