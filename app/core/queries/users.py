"""Users of the dashboard. Emails are looked up in whatever case; they are stored as they were given."""

from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection

INSERT_USER = """
INSERT INTO users (email, password_hash, is_operator, password_changed_at)
VALUES (%(email)s, %(password_hash)s, %(is_operator)s, now())
RETURNING id
"""
# Waits for whoever is adding the same user just now.
INSERT_INVITED_USER = "INSERT INTO users (email) VALUES (%(email)s) ON CONFLICT (lower(email)) DO NOTHING"
SELECT_USER = """
SELECT id, email, is_operator, password_hash
  FROM users
 WHERE lower(email) = lower(%(email)s)
"""
SELECT_HASH = "SELECT password_hash FROM users WHERE id = %(user_id)s"
# Waits for a change under way, and has one that comes wait.
LOCK_HASH = SELECT_HASH + " FOR NO KEY UPDATE"
SELECT_USERS = """
SELECT users.id, users.email, users.is_operator, users.password_hash IS NOT NULL, users.created_at,
       array_remove(array_agg(projects.name || ' (' || memberships.role || ')' ORDER BY projects.name), NULL)
  FROM users
  LEFT JOIN memberships ON memberships.user_id = users.id
  LEFT JOIN projects ON projects.id = memberships.project_id
 GROUP BY users.id
 ORDER BY users.id
"""
UPDATE_HASH = """
UPDATE users SET password_hash = %(password_hash)s, password_changed_at = now() WHERE id = %(user_id)s
"""
REPLACE_HASH = """
UPDATE users SET password_hash = %(password_hash)s WHERE id = %(user_id)s AND password_hash = %(before)s
"""


@dataclass(frozen=True, slots=True)
class StoredUser:
    """`password_hash` is None for a user who was invited and has not chosen a password yet."""

    user_id: int
    email: str
    is_operator: bool
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class UserDescription:
    """A user as the list shows it; `projects` are names with the role in brackets."""

    user_id: int
    email: str
    is_operator: bool
    has_password: bool
    created_at: datetime
    projects: list[str]


def insert_user(connection: Connection, email: str, password_hash: str, *, is_operator: bool = False) -> int:
    """The id of a new user. Raises AlreadyExists for an email that is taken, in whatever case."""
    row = connection.execute(
        INSERT_USER, {"email": email, "password_hash": password_hash, "is_operator": is_operator}
    ).fetchone()
    assert row is not None
    return int(row[0])


def insert_invited_user(connection: Connection, email: str) -> None:
    """Make a user who is to choose a password; no change where the email has a user already."""
    connection.execute(INSERT_INVITED_USER, {"email": email})


def select_user(connection: Connection, email: str) -> StoredUser | None:
    """The user with this email."""
    row = connection.execute(SELECT_USER, {"email": email}).fetchone()
    return None if row is None else StoredUser(*row)


def select_password_hash(connection: Connection, user_id: int) -> str | None:
    """The hash of a user's password; None where there is none."""
    row = connection.execute(SELECT_HASH, {"user_id": user_id}).fetchone()
    return None if row is None else row[0]


def lock_password_hash(connection: Connection, user_id: int) -> str | None:
    """As `select_password_hash`; nobody else changes it until the end of the transaction."""
    row = connection.execute(LOCK_HASH, {"user_id": user_id}).fetchone()
    return None if row is None else row[0]


def select_users(connection: Connection) -> list[UserDescription]:
    """All users, oldest first."""
    return [UserDescription(*row) for row in connection.execute(SELECT_USERS)]


def update_password_hash(connection: Connection, user_id: int, password_hash: str) -> None:
    """Store another password."""
    connection.execute(UPDATE_HASH, {"user_id": user_id, "password_hash": password_hash})


def replace_password_hash(connection: Connection, user_id: int, before: str, password_hash: str) -> None:
    """Store another hash of the same password, unless the password was changed in between."""
    connection.execute(REPLACE_HASH, {"user_id": user_id, "before": before, "password_hash": password_hash})
