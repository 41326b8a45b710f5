"""API keys for tests, straight into PostgreSQL."""

import random
from collections.abc import Sequence
from datetime import datetime

from app.core.keys.api_key import display_prefix, hash_key, mint_key
from tests.databases import kept_connection

INSERT_PROJECT = """
INSERT INTO projects (name) VALUES (%(name)s) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id
"""
INSERT_KEY = """
INSERT INTO api_keys (project_id, name, key_hash, prefix, scopes, rate_limit, expires_at)
VALUES (%(project_id)s, 'test', %(key_hash)s, %(prefix)s, %(scopes)s, %(rate_limit)s, %(expires_at)s)
"""
SKIP_KEY_IDS = """
SELECT setval(pg_get_serial_sequence('api_keys', 'id'), %(last_id)s)
"""
REVOKE_KEY = "UPDATE api_keys SET revoked_at = now() WHERE key_hash = %(key_hash)s"


def create_key(
    database_url: str,
    *,
    project: str = "demo",
    scopes: Sequence[str] = ("ingest",),
    rate_limit: str | None = "100000/minute",
    expires_at: datetime | None = None,
) -> str:
    """A new key; the project is made where there is none."""
    key = mint_key()
    with kept_connection(database_url) as connection:
        row = connection.execute(INSERT_PROJECT, {"name": project}).fetchone()
        assert row is not None
        connection.execute(
            INSERT_KEY,
            {
                "project_id": row[0],
                "key_hash": hash_key(key),
                "prefix": display_prefix(key),
                "scopes": list(scopes),
                "rate_limit": rate_limit,
                "expires_at": expires_at,
            },
        )
    return key


def skip_key_ids(database_url: str) -> None:
    """Let the next key have an id that no key had before, though tests empty the tables and ids begin anew.

    A web process that outlives a test remembers for a minute which ids it has noted as used.
    """
    with kept_connection(database_url) as connection:
        connection.execute(SKIP_KEY_IDS, {"last_id": random.randrange(1_000_000, 2_000_000_000)})


def revoke_key_in_database(database_url: str, key: str) -> None:
    """Without a word to Redis, as an operator with psql would."""
    with kept_connection(database_url) as connection:
        connection.execute(REVOKE_KEY, {"key_hash": hash_key(key)})
