"""The life of an API key: made, replaced, revoked. Each change is in PostgreSQL and in Redis when these return.

Every function takes a connection in autocommit mode. A key itself is returned once, to be shown once; what is logged
names it by its id.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import redis

from app.core.database import Connection
from app.core.errors import NotFound, RedisFull, RedisUnavailable, Rejected
from app.core.keys.api_key import display_prefix, hash_key, mint_key
from app.core.keys.records import forget_in_redis, publish_in_redis, revoke_in_redis
from app.core.queries.api_keys import (
    ApiKeyDescription,
    EndedKey,
    insert_api_key,
    lock_api_key,
    select_api_key,
    select_key_hash,
    update_expires_at_to_earlier,
    update_revoked_at,
)
from app.core.queries.audit_log import Action, Actor, insert_audit_entry

SCOPES = ("ingest", "read")
ENDS_SOON = timedelta(days=7)
"""As long as a rotated key works on at most: what ends sooner is no key to rely on, whoever succeeds it."""

LAST_DAY = date(9998, 12, 31)
"""The latest on which a key can work."""

log = logging.getLogger(__name__)


class NotReplaceable(Rejected):
    """A key cannot be rotated; the message says why, fit for its owner."""


class KeyState(StrEnum):
    """What a key is good for now. One that is EXPIRING works, but has a successor or ends within ENDS_SOON."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `key` is kept nowhere else."""

    key_id: int
    key: str = field(repr=False)


def state_of(key: ApiKeyDescription, now: datetime) -> KeyState:
    if key.revoked_at is not None:
        return KeyState.REVOKED
    if key.expires_at is not None and key.expires_at <= now:
        return KeyState.EXPIRED
    ends_soon = key.expires_at is not None and key.expires_at <= now + ENDS_SOON
    return KeyState.EXPIRING if ends_soon or key.successor_id is not None else KeyState.ACTIVE


def end_of_day(day: date) -> datetime:
    """The end of a key that works on this day, in UTC, for the last time."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def create_key(
    connection: Connection,
    client: redis.Redis,
    *,
    project_id: int,
    name: str,
    scopes: Sequence[str],
    rate_limit: str | None,
    expires_at: datetime | None,
    by: Actor,
    now: datetime,
) -> NewKey:
    """Make a key. Without `rate_limit` the default holds, without `expires_at` no end.

    An address with too many failures is looked up in Redis only, and a new key must work from there too: so it is
    published. Where Redis does not take it, PostgreSQL is asked, as for a key that Redis has forgotten.
    """
    key = mint_key()
    with connection.transaction():
        key_id = insert_api_key(
            connection,
            project_id,
            name,
            key_hash=hash_key(key),
            prefix=display_prefix(key),
            scopes=sorted(set(scopes)),
            rate_limit=rate_limit,
            expires_at=expires_at,
            created_by=by.user_id,
        )
        subject = f"{name} ({display_prefix(key)}…)"
        insert_audit_entry(connection, Action.KEY_MADE, by, subject=subject, project_id=project_id)
    publish_in_redis(client, connection, hash_key(key), now)
    log.info("API key created", extra={"key_id": key_id, "project_id": project_id, "user_id": by.user_id})
    return NewKey(key_id, key)


def revoke_key(
    connection: Connection,
    client: redis.Redis,
    key_id: int,
    by: Actor,
    *,
    project_id: int | None = None,
) -> bool:
    """Make a key invalid within a second, for good; False where a Redis that is full or down may delay that.

    While Redis is down no key works. Afterwards a process that was not asked meanwhile may take this one for up to a
    minute. Raises NotFound where there is no such key, or not in the project where one is named, and
    DatabaseUnavailable: then the key may still be valid, and this must be done again.

    In Redis before PostgreSQL, so that it holds from the start; and again after it, so that a process that asked
    PostgreSQL in between leaves nothing behind.
    """
    key = select_key_hash(connection, key_id, project_id=project_id)
    if key is None:
        raise NotFound(f"there is no key with the id {key_id}")
    ended = EndedKey(key_id, key.project_id)
    _mark_revoked(client, key.key_hash, ended)
    with connection.transaction():
        revoked = update_revoked_at(connection, key_id)
        if revoked is not None:
            subject = f"{revoked.name} ({revoked.prefix}…)"
            insert_audit_entry(connection, Action.KEY_REVOKED, by, subject=subject, project_id=revoked.project_id)
    log.info("API key revoked", extra={"key_id": key_id, "project_id": project_id, "user_id": by.user_id})
    return _mark_revoked(client, key.key_hash, ended)


def rotate_key(
    connection: Connection,
    client: redis.Redis,
    key_id: int,
    *,
    project_id: int,
    overlap: timedelta,
    expires_at: datetime | None,
    by: Actor,
    now: datetime,
) -> NewKey:
    """Make a key with the same name, scopes and limit; the old one works on for the overlap, never beyond its own end.

    Raises NotFound, and NotReplaceable for a key that does not work any more or has a successor already: a click that
    is sent twice makes one key.
    """
    key = mint_key()
    with connection.transaction():
        old_hash = lock_api_key(connection, project_id, key_id)
        old = select_api_key(connection, project_id, key_id)
        if old_hash is None or old is None:
            raise NotFound(f"there is no key with the id {key_id}")
        _require_replaceable(old, now)
        new_id = insert_api_key(
            connection,
            project_id,
            old.name,
            key_hash=hash_key(key),
            prefix=display_prefix(key),
            scopes=old.scopes,
            rate_limit=old.rate_limit,
            expires_at=expires_at,
            created_by=by.user_id,
            rotated_from=key_id,
        )
        update_expires_at_to_earlier(connection, key_id, now + overlap)
        subject = f"{old.name} ({old.prefix}… by {display_prefix(key)}…)"
        insert_audit_entry(connection, Action.KEY_ROTATED, by, subject=subject, project_id=project_id)
    # The old key's record in Redis has its end in it. Where Redis does not take the new one, every process still
    # learns of it within about a minute, when the record is confirmed.
    forget_in_redis(client, old_hash)
    for key_hash in (hash_key(key), old_hash):
        publish_in_redis(client, connection, key_hash, now)
    log.info(
        "API key rotated",
        extra={"key_id": key_id, "new_key_id": new_id, "project_id": project_id, "user_id": by.user_id},
    )
    return NewKey(new_id, key)


def _require_replaceable(key: ApiKeyDescription, now: datetime) -> None:
    if state_of(key, now) in (KeyState.EXPIRED, KeyState.REVOKED):
        raise NotReplaceable("This key does not work any more: create a new one.")
    if key.successor_id is not None:
        raise NotReplaceable("This key was rotated already. Rotate its successor, or revoke that one first.")


def _mark_revoked(client: redis.Redis, key_hash: bytes, ended: EndedKey) -> bool:
    try:
        revoke_in_redis(client, key_hash, ended)
    except (RedisFull, RedisUnavailable):
        return False
    return True
