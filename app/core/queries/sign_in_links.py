"""One-time links with which a user chooses a password, by the SHA-256 of their tokens."""

from app.core.database import Connection
from app.core.queries.rows import one_value


def insert_sign_in_link(connection: Connection, token_hash: bytes, user_id: int, *, lifetime_seconds: int) -> None:
    sql = """
        INSERT INTO sign_in_links (token_hash, user_id, expires_at)
        VALUES (%(token_hash)s, %(user_id)s, now() + make_interval(secs => %(lifetime_seconds)s))
    """
    parameters = {"token_hash": token_hash, "user_id": user_id, "lifetime_seconds": lifetime_seconds}
    connection.execute(sql, parameters)


def select_sign_in_link(connection: Connection, token_hash: bytes) -> str | None:
    """The email of the user whom a link is for; None for one that is used, too old or unknown."""
    sql = """
        SELECT users.email
        FROM sign_in_links
        JOIN users ON users.id = sign_in_links.user_id
        WHERE sign_in_links.token_hash = %(token_hash)s
          AND sign_in_links.used_at IS NULL
          AND sign_in_links.expires_at > now()
    """
    email: str | None = one_value(connection, sql, {"token_hash": token_hash})
    return email


def use_sign_in_link(connection: Connection, token_hash: bytes) -> int | None:
    """Use a link up; the id of its user, once, and None ever after."""
    sql = """
        UPDATE sign_in_links
        SET used_at = now()
        WHERE token_hash = %(token_hash)s
          AND used_at IS NULL
          AND expires_at > now()
        RETURNING user_id
    """
    user_id: int | None = one_value(connection, sql, {"token_hash": token_hash})
    return user_id


def delete_sign_in_links(connection: Connection, user_id: int) -> None:
    sql = "DELETE FROM sign_in_links WHERE user_id = %(user_id)s AND used_at IS NULL"
    connection.execute(sql, {"user_id": user_id})
