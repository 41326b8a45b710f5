"""API keys: only their hashes are stored."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from app.core.database import Connection

INSERT_API_KEY = """
INSERT INTO api_keys (project_id, name, key_hash, prefix, scopes, rate_limit)
VALUES (%(project_id)s, %(name)s, %(key_hash)s, %(prefix)s, %(scopes)s, %(rate_limit)s)
RETURNING id
"""

SELECT_API_KEY_BY_HASH = """
SELECT id, project_id, scopes, rate_limit, expires_at
FROM api_keys
WHERE key_hash = %(key_hash)s AND revoked_at IS NULL
"""

SELECT_API_KEYS = """
SELECT api_keys.id, projects.name, api_keys.name, api_keys.prefix, api_keys.scopes, api_keys.rate_limit,
       api_keys.created_at, api_keys.expires_at, api_keys.revoked_at
FROM api_keys
JOIN projects ON projects.id = api_keys.project_id
ORDER BY api_keys.id
"""

SELECT_KEY_HASH = "SELECT key_hash FROM api_keys WHERE id = %(key_id)s"

UPDATE_REVOKED_AT = "UPDATE api_keys SET revoked_at = now() WHERE id = %(key_id)s AND revoked_at IS NULL"


class ApiKeyRow(NamedTuple):
    """A key that is not revoked; it may be expired. Times are in UTC."""

    key_id: int
    project_id: int
    scopes: list[str]
    rate_limit: str | None
    expires_at: datetime | None


class ApiKeyDescription(NamedTuple):
    """A key as people tell keys apart: `prefix` is its beginning. Times are in UTC."""

    key_id: int
    project: str
    name: str
    prefix: str
    scopes: list[str]
    rate_limit: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def insert_api_key(
    connection: Connection,
    project_id: int,
    name: str,
    *,
    key_hash: bytes,
    prefix: str,
    scopes: Sequence[str],
    rate_limit: str | None,
) -> int:
    """Store a new key; returns its id."""
    row = connection.execute(
        INSERT_API_KEY,
        {
            "project_id": project_id,
            "name": name,
            "key_hash": key_hash,
            "prefix": prefix,
            "scopes": list(scopes),
            "rate_limit": rate_limit,
        },
    ).fetchone()
    assert row is not None
    return int(row[0])


def select_api_key_by_hash(connection: Connection, key_hash: bytes) -> ApiKeyRow | None:
    """The key with this SHA-256, unless it is unknown or revoked."""
    row = connection.execute(SELECT_API_KEY_BY_HASH, {"key_hash": key_hash}).fetchone()
    return None if row is None else ApiKeyRow(*row)


def select_api_keys(connection: Connection) -> list[ApiKeyDescription]:
    """All keys of all projects, oldest first."""
    return [ApiKeyDescription(*row) for row in connection.execute(SELECT_API_KEYS)]


def select_key_hash(connection: Connection, key_id: int) -> bytes | None:
    """The SHA-256 of a key; None where there is no key with this id."""
    row = connection.execute(SELECT_KEY_HASH, {"key_id": key_id}).fetchone()
    return None if row is None else bytes(row[0])


def update_revoked_at(connection: Connection, key_id: int) -> None:
    """Revoke a key from now on; one that is revoked already keeps its time."""
    connection.execute(UPDATE_REVOKED_AT, {"key_id": key_id})
