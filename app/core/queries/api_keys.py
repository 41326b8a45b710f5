"""SQL about API keys."""

from datetime import datetime
from typing import NamedTuple

from app.core.database import Connection

_SELECT_BY_HASH = """
SELECT id, project_id, scopes, rate_limit, expires_at
  FROM api_keys
 WHERE key_hash = %(key_hash)s
   AND revoked_at IS NULL
"""


class ApiKeyRow(NamedTuple):
    """A key that is not revoked; it may be expired."""

    key_id: int
    project_id: int
    scopes: list[str]
    rate_limit: str | None
    expires_at: datetime | None


def select_api_key_by_hash(connection: Connection, key_hash: bytes) -> ApiKeyRow | None:
    """The key with this hash, unless it is unknown or revoked."""
    row = connection.execute(_SELECT_BY_HASH, {"key_hash": key_hash}).fetchone()
    return None if row is None else ApiKeyRow(*row)
