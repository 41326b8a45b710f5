"""API keys: only their hashes are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from app.core.database import Connection
from app.core.queries.rows import all_rows, one_row, one_value


def insert_api_key(
    connection: Connection,
    project_id: int,
    name: str,
    *,
    key_hash: bytes,
    prefix: str,
    scopes: Sequence[str],
    rate_limit: str | None,
    expires_at: datetime | None = None,
    created_by: int | None = None,
    rotated_from: int | None = None,
) -> int:
    sql = """
        INSERT INTO api_keys
            (project_id, name, key_hash, prefix, scopes, rate_limit, expires_at, created_by, rotated_from)
        VALUES (%(project_id)s, %(name)s, %(key_hash)s, %(prefix)s, %(scopes)s, %(rate_limit)s, %(expires_at)s,
                %(created_by)s, %(rotated_from)s)
        RETURNING id
    """
    parameters = {
        "project_id": project_id,
        "name": name,
        "key_hash": key_hash,
        "prefix": prefix,
        "scopes": list(scopes),
        "rate_limit": rate_limit,
        "expires_at": expires_at,
        "created_by": created_by,
        "rotated_from": rotated_from,
    }
    return int(one_value(connection, sql, parameters))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key that is not revoked; it may be expired. `rate_limit` is None where the default holds. Times are in UTC."""

    key_id: int
    project_id: int
    scopes: list[str]
    rate_limit: str | None
    expires_at: datetime | None


class EndedKey(NamedTuple):
    """A key that worked once."""

    key_id: int
    project_id: int


def select_api_key_by_hash(connection: Connection, key_hash: bytes) -> ApiKey | None:
    """The key with this SHA-256, unless it is unknown or revoked."""
    sql = """
        SELECT id AS key_id, project_id, scopes, rate_limit, expires_at
        FROM api_keys
        WHERE key_hash = %(key_hash)s AND revoked_at IS NULL
    """
    return one_row(connection, ApiKey, sql, {"key_hash": key_hash})


# Of several successors the last one counts: a key may be replaced again once its successor is revoked.
_DESCRIPTIONS = """
SELECT api_keys.id AS key_id, projects.name AS project, api_keys.name, api_keys.prefix, api_keys.scopes,
       api_keys.rate_limit, users.email AS created_by, api_keys.created_at, api_keys.expires_at, api_keys.revoked_at,
       successor.id AS successor_id, successor.prefix AS successor_prefix
FROM api_keys
JOIN projects ON projects.id = api_keys.project_id
LEFT JOIN users ON users.id = api_keys.created_by
LEFT JOIN LATERAL (
    SELECT next.id, next.prefix
    FROM api_keys AS next
    WHERE next.rotated_from = api_keys.id AND next.revoked_at IS NULL
    ORDER BY next.id DESC
    LIMIT 1
) AS successor ON true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyDescription:
    """A key as people tell keys apart: `prefix` is its beginning. Times are in UTC.

    `created_by` is an email address, None for a key made on the command line. The successor is the key that it was
    replaced by and that is not revoked.
    """

    key_id: int
    project: str
    name: str
    prefix: str
    scopes: list[str]
    rate_limit: str | None
    created_by: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    successor_id: int | None
    successor_prefix: str | None


def select_api_keys(connection: Connection) -> list[ApiKeyDescription]:
    return all_rows(connection, ApiKeyDescription, f"{_DESCRIPTIONS} ORDER BY api_keys.id")


def select_api_keys_of_project(
    connection: Connection, project_id: int, *, limit: int, offset: int = 0
) -> list[ApiKeyDescription]:
    """The keys of a project: those that are not revoked first, the newest first."""
    sql = f"""
        {_DESCRIPTIONS}
        WHERE api_keys.project_id = %(project_id)s
        ORDER BY api_keys.revoked_at IS NOT NULL, api_keys.id DESC
        LIMIT %(limit)s OFFSET %(offset)s
    """
    parameters = {"project_id": project_id, "limit": limit, "offset": offset}
    return all_rows(connection, ApiKeyDescription, sql, parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCounts:
    """How many keys a project has."""

    not_revoked: int
    revoked: int


def count_api_keys(connection: Connection, project_id: int) -> KeyCounts:
    sql = """
        SELECT count(*) FILTER (WHERE revoked_at IS NULL) AS not_revoked,
               count(*) FILTER (WHERE revoked_at IS NOT NULL) AS revoked
        FROM api_keys
        WHERE project_id = %(project_id)s
    """
    found = one_row(connection, KeyCounts, sql, {"project_id": project_id})
    assert found is not None
    return found


def select_api_key(connection: Connection, project_id: int, key_id: int) -> ApiKeyDescription | None:
    """One key; None where the project has none with this id."""
    sql = f"{_DESCRIPTIONS} WHERE api_keys.project_id = %(project_id)s AND api_keys.id = %(key_id)s"
    return one_row(connection, ApiKeyDescription, sql, {"project_id": project_id, "key_id": key_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHash:
    """The SHA-256 of a key, and whose it is."""

    key_hash: bytes
    project_id: int


def select_key_hash(connection: Connection, key_id: int, *, project_id: int | None = None) -> KeyHash | None:
    """None where there is no key with this id, or not in the project that is named."""
    sql = """
        SELECT key_hash, project_id
        FROM api_keys
        WHERE id = %(key_id)s AND (%(project_id)s::integer IS NULL OR project_id = %(project_id)s)
    """
    return one_row(connection, KeyHash, sql, {"key_id": key_id, "project_id": project_id})


def lock_api_key(connection: Connection, project_id: int, key_id: int) -> bytes | None:
    """The SHA-256 of a key of the project; nobody else changes the key until the end of the transaction."""
    sql = "SELECT key_hash FROM api_keys WHERE id = %(key_id)s AND project_id = %(project_id)s FOR UPDATE"
    found: bytes | None = one_value(connection, sql, {"key_id": key_id, "project_id": project_id})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedKey:
    """A key that was revoked just now."""

    project_id: int
    name: str
    prefix: str


def update_revoked_at(connection: Connection, key_id: int) -> RevokedKey | None:
    """Revoke a key from now on; None for one that is revoked already, which keeps its time."""
    sql = """
        UPDATE api_keys SET revoked_at = now() WHERE id = %(key_id)s AND revoked_at IS NULL
        RETURNING project_id, name, prefix
    """
    return one_row(connection, RevokedKey, sql, {"key_id": key_id})


def update_expires_at_to_earlier(connection: Connection, key_id: int, expires_at: datetime) -> None:
    """Let a key expire then, unless it does so sooner."""
    # least() passes over a null, which is a key that never expires.
    sql = """
        UPDATE api_keys SET expires_at = least(expires_at, %(expires_at)s) WHERE id = %(key_id)s
    """
    connection.execute(sql, {"key_id": key_id, "expires_at": expires_at})


def update_api_key(
    connection: Connection, key_id: int, *, name: str, rate_limit: str | None, expires_at: datetime | None
) -> None:
    sql = """
        UPDATE api_keys
        SET name = %(name)s, rate_limit = %(rate_limit)s, expires_at = %(expires_at)s
        WHERE id = %(key_id)s
    """
    parameters = {"key_id": key_id, "name": name, "rate_limit": rate_limit, "expires_at": expires_at}
    connection.execute(sql, parameters)


def select_first_key_at(connection: Connection, project_id: int, name: str) -> datetime:
    """When the first key with this name was made; there must be one."""
    sql = "SELECT min(created_at) FROM api_keys WHERE project_id = %(project_id)s AND name = %(name)s"
    first_at: datetime = one_value(connection, sql, {"project_id": project_id, "name": name})
    return first_at
