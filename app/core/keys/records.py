"""What Redis has of API keys, for all processes: records of what each may do, and tombstones of revoked ones."""

from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
import redis

from app.core.database import Connection
from app.core.errors import RedisFull, RedisUnavailable, Rejected, Unavailable
from app.core.queries.api_keys import ApiKey, EndedKey, select_api_key_by_hash
from app.core.redis_client import redis_errors
from app.core.redis_cluster import placed_by

RECORD_PREFIX = "pa:api-key:"
TOMBSTONE_PREFIX = "pa:api-key-revoked:"
CHANGES_PREFIX = "pa:api-key-changes:"
"""How often a key was changed of late, so that who asked PostgreSQL before a change leaves no old record behind."""

RECORD_LIFETIME_SECONDS = 7 * 86_400
TOMBSTONE_LIFETIME_SECONDS = 30 * 86_400
"""Longer than any record lives that was written just before the tombstone."""
CHANGES_LIFETIME_SECONDS = 3_600
"""Longer than anybody takes to write down what PostgreSQL has answered."""

_SET_UNLESS_CHANGED = """
if (redis.call('GET', KEYS[2]) or '') == ARGV[2] then
    redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
end
"""


def publish_in_redis(client: redis.Redis, connection: Connection, key_hash: bytes, now: datetime) -> ApiKey | None:
    """The key as PostgreSQL knows it, which all processes then find in Redis; None for an unknown or revoked one.

    A record that Redis does not take is only asked for again.
    """
    name = name_of(client, key_hash)
    changes = _changes(client, name)
    api_key = select_api_key_by_hash(connection, key_hash)
    if changes is None:
        return api_key
    with suppress(Unavailable, Rejected), redis_errors():
        if api_key is None or has_expired(api_key, now):
            client.delete(RECORD_PREFIX + name)
        else:
            keys = (RECORD_PREFIX + name, CHANGES_PREFIX + name)
            values = (_encode(api_key, now), changes, str(RECORD_LIFETIME_SECONDS))
            client.eval(_SET_UNLESS_CHANGED, len(keys), *keys, *values)
    return api_key


def forget_in_redis(client: redis.Redis, key_hash: bytes) -> bool:
    """After a change in PostgreSQL: have every process learn of it within a second.

    False where a Redis that is full or down may delay that by the minute after which records are confirmed.
    """
    name = name_of(client, key_hash)
    try:
        with redis_errors():
            # first of all, which a full Redis does too: then PostgreSQL is asked
            client.delete(RECORD_PREFIX + name)
            client.incr(CHANGES_PREFIX + name)
            client.expire(CHANGES_PREFIX + name, CHANGES_LIFETIME_SECONDS)
            # what somebody wrote meanwhile
            client.delete(RECORD_PREFIX + name)
    except (RedisFull, RedisUnavailable):
        return False
    return True


def revoke_in_redis(client: redis.Redis, key_hash: bytes, ended: EndedKey | None = None) -> None:
    """Make every process refuse the key within a second; with `ended` it knows whose key it refuses.

    Call it before and after the revocation in PostgreSQL. Raises RedisUnavailable, and RedisFull where Redis
    has no room for the tombstone: the record is gone then, so PostgreSQL is asked.
    """
    name = name_of(client, key_hash)
    with redis_errors():
        client.delete(RECORD_PREFIX + name)
        told = b"1" if ended is None else orjson.dumps(list(ended))
        client.set(TOMBSTONE_PREFIX + name, told, ex=TOMBSTONE_LIFETIME_SECONDS)


def name_of(client: redis.Redis, key_hash: bytes) -> str:
    """What the names of all that Redis has of a key end with."""
    return placed_by(client, key_hash.hex())


def has_expired(api_key: ApiKey, now: datetime) -> bool:
    return api_key.expires_at is not None and api_key.expires_at <= now


def ended_key(tombstone: bytes | str | None) -> EndedKey | None:
    """Whose key it was; None for a tombstone that does not tell (another version's)."""
    try:
        return EndedKey(*orjson.loads(tombstone or b""))
    except (ValueError, TypeError):
        return None


def decode_record(record: bytes | str) -> tuple[ApiKey | None, float]:
    """The key and when PostgreSQL last confirmed it; no key for a record of another shape (another version's)."""
    try:
        fields: dict[str, Any] = orjson.loads(record)
        expires_at = fields["expires_at"]
        api_key = ApiKey(
            key_id=fields["key_id"],
            project_id=fields["project_id"],
            scopes=list(fields["scopes"]),
            rate_limit=fields["rate_limit"],
            expires_at=None if expires_at is None else datetime.fromisoformat(expires_at),
        )
        return api_key, float(fields["checked_at"])
    except (ValueError, KeyError, TypeError):
        return None, 0.0


def _changes(client: redis.Redis, name: str) -> bytes | str | None:
    """None where Redis does not answer."""
    try:
        with redis_errors():
            return client.get(CHANGES_PREFIX + name) or b""
    except (RedisFull, RedisUnavailable):
        return None


def _encode(api_key: ApiKey, checked_at: datetime) -> bytes:
    return orjson.dumps({**asdict(api_key), "checked_at": checked_at.timestamp()})
