"""Users of the dashboard."""

from app.core.database import Connection

INSERT_USER = "INSERT INTO users (email, password_hash) VALUES (%(email)s, %(password_hash)s)"


def insert_user(connection: Connection, email: str, password_hash: str) -> None:
    """Store a new user. `database_errors` makes AlreadyExists of an email that is taken, in whatever case."""
    connection.execute(INSERT_USER, {"email": email, "password_hash": password_hash})
