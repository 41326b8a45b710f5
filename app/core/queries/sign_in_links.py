"""One-time links, by the SHA-256 of their tokens: to choose a password with, or to join the project that invites."""

from dataclasses import dataclass

from app.core.database import Connection
from app.core.queries.rows import one_row


def insert_sign_in_link(
    connection: Connection, token_hash: bytes, user_id: int, project_id: int | None, *, lifetime_seconds: int
) -> None:
    """`project_id`: whose invitation it is; None for a link that an operator makes."""
    sql = """
        INSERT INTO sign_in_links (token_hash, user_id, project_id, by_operator, expires_at)
        VALUES (%(token_hash)s, %(user_id)s, %(project_id)s, %(project_id)s::integer IS NULL,
                now() + make_interval(secs => %(lifetime_seconds)s))
    """
    parameters = {
        "token_hash": token_hash,
        "user_id": user_id,
        "project_id": project_id,
        "lifetime_seconds": lifetime_seconds,
    }
    connection.execute(sql, parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInLink:
    """A link that is valid. `project_id` and `project`, its name, are None for one that an operator made."""

    user_id: int
    email: str
    project_id: int | None
    project: str | None


def select_sign_in_link(connection: Connection, token_hash: bytes) -> SignInLink | None:
    """None for a link that is used, too old or unknown, and for one of a user who is disabled."""
    sql = """
        SELECT users.id AS user_id, users.email, sign_in_links.project_id, projects.name AS project
        FROM sign_in_links
        JOIN users ON users.id = sign_in_links.user_id
        LEFT JOIN projects ON projects.id = sign_in_links.project_id
        WHERE sign_in_links.token_hash = %(token_hash)s
          AND sign_in_links.used_at IS NULL
          AND sign_in_links.expires_at > now()
          AND users.disabled_at IS NULL
          AND (sign_in_links.by_operator OR sign_in_links.project_id IS NOT NULL)
    """
    return one_row(connection, SignInLink, sql, {"token_hash": token_hash})


def use_sign_in_link(connection: Connection, token_hash: bytes) -> bool:
    """Use a link up: True once, and False ever after."""
    sql = """
        UPDATE sign_in_links
        SET used_at = now()
        WHERE token_hash = %(token_hash)s
          AND used_at IS NULL
          AND expires_at > now()
    """
    return connection.execute(sql, {"token_hash": token_hash}).rowcount == 1


def delete_sign_in_links(connection: Connection, user_id: int, *, project_id: int | None) -> None:
    """Those of a project's invitation that are not used; with None those that operators made."""
    sql = """
        DELETE FROM sign_in_links
        WHERE user_id = %(user_id)s AND used_at IS NULL AND project_id IS NOT DISTINCT FROM %(project_id)s::integer
    """
    connection.execute(sql, {"user_id": user_id, "project_id": project_id})


def delete_all_sign_in_links(connection: Connection, user_id: int) -> None:
    sql = "DELETE FROM sign_in_links WHERE user_id = %(user_id)s AND used_at IS NULL"
    connection.execute(sql, {"user_id": user_id})
