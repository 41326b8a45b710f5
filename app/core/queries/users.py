"""Users of the dashboard. Emails are looked up in whatever case; they are stored as they were given."""

from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection
from app.core.queries.rows import all_rows, one_row, one_value


def insert_operator(connection: Connection, email: str, password_hash: str) -> int:
    """The id of a new user, an operator. Raises AlreadyExists for an email that is taken, in whatever case."""
    sql = """
        INSERT INTO users (email, password_hash, is_operator, password_changed_at, confirmed_at)
        VALUES (%(email)s, %(password_hash)s, true, now(), now())
        RETURNING id
    """
    return int(one_value(connection, sql, {"email": email, "password_hash": password_hash}))


def insert_invited_user(connection: Connection, email: str) -> None:
    """Make a user who is to choose a password; no change where the email has a user already."""
    # Waits for whoever is adding the same user just now.
    sql = "INSERT INTO users (email) VALUES (%(email)s) ON CONFLICT (lower(email)) DO NOTHING"
    connection.execute(sql, {"email": email})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUser:
    """`password_hash` is None for a user who was invited and has not chosen a password yet.

    `is_confirmed`: an operator has vouched for it that whoever holds the sign-in is whom the email names, or it is one.
    """

    user_id: int
    email: str
    is_operator: bool
    is_confirmed: bool
    is_disabled: bool
    password_hash: str | None
    password_changed_at: datetime | None


_USER = """
SELECT id AS user_id, email, is_operator, is_operator OR confirmed_at IS NOT NULL AS is_confirmed,
       disabled_at IS NOT NULL AS is_disabled, password_hash, password_changed_at
FROM users
"""


def select_user(connection: Connection, email: str) -> StoredUser | None:
    return one_row(connection, StoredUser, f"{_USER} WHERE lower(email) = lower(%(email)s)", {"email": email})


def lock_user(connection: Connection, user_id: int) -> StoredUser | None:
    """A user whom nobody else changes until the end of the transaction; None where there is none with this id."""
    # Waits for a change under way, and has one that comes wait.
    sql = f"{_USER} WHERE id = %(user_id)s FOR NO KEY UPDATE"
    return one_row(connection, StoredUser, sql, {"user_id": user_id})


def select_password_hash(connection: Connection, user_id: int) -> str | None:
    """The hash of a user's password; None where there is none."""
    sql = "SELECT password_hash FROM users WHERE id = %(user_id)s"
    found: str | None = one_value(connection, sql, {"user_id": user_id})
    return found


def select_email(connection: Connection, user_id: int) -> str | None:
    found: str | None = one_value(connection, "SELECT email FROM users WHERE id = %(user_id)s", {"user_id": user_id})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDescription:
    """A user as the list shows it; `projects` are names with the role in brackets."""

    user_id: int
    email: str
    is_operator: bool
    is_disabled: bool
    has_password: bool
    created_at: datetime
    projects: list[str]


def select_users(connection: Connection) -> list[UserDescription]:
    sql = """
        SELECT users.id AS user_id, users.email, users.is_operator, users.disabled_at IS NOT NULL AS is_disabled,
               users.password_hash IS NOT NULL AS has_password, users.created_at,
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


def update_confirmed_at(connection: Connection, user_id: int) -> None:
    """Confirm a user from now on; one who is confirmed already keeps the time."""
    sql = "UPDATE users SET confirmed_at = now() WHERE id = %(user_id)s AND confirmed_at IS NULL"
    connection.execute(sql, {"user_id": user_id})


def update_disabled_at(connection: Connection, user_id: int, *, disabled: bool) -> None:
    sql = "UPDATE users SET disabled_at = CASE WHEN %(disabled)s THEN now() END WHERE id = %(user_id)s"
    connection.execute(sql, {"user_id": user_id, "disabled": disabled})


def update_is_operator(connection: Connection, user_id: int, *, is_operator: bool) -> None:
    sql = "UPDATE users SET is_operator = %(is_operator)s WHERE id = %(user_id)s"
    connection.execute(sql, {"user_id": user_id, "is_operator": is_operator})
