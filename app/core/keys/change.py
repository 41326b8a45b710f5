"""Changing the name, limit and end of a key that is in use."""

import logging
from datetime import UTC, datetime

import redis

from app.core.database import Connection
from app.core.errors import NotFound, Rejected
from app.core.keys.records import forget_in_redis, publish_in_redis
from app.core.queries.api_keys import ApiKeyDescription, lock_api_key, select_api_key, update_api_key
from app.core.queries.audit_log import Action, Actor, insert_audit_entry

log = logging.getLogger(__name__)


class NotChangeable(Rejected):
    """The key is revoked, and so it stays."""


def change_key(
    connection: Connection,
    client: redis.Redis,
    key_id: int,
    *,
    project_id: int,
    name: str,
    rate_limit: str | None,
    expires_at: datetime | None,
    by: Actor,
    now: datetime,
) -> bool:
    """Give a key this name, limit (None: the default) and end (None: never), which hold everywhere within a second.

    False where a Redis that is full or down may delay that by about a minute. A key that has expired works again with
    a later end. Raises NotFound, NotChangeable for a revoked key, and DatabaseUnavailable: then it may be changed or
    not. Takes a connection in autocommit mode.
    """
    with connection.transaction():
        key_hash = lock_api_key(connection, project_id, key_id)
        old = select_api_key(connection, project_id, key_id)
        if key_hash is None or old is None:
            raise NotFound(f"there is no key with the id {key_id}")
        if old.revoked_at is not None:
            raise NotChangeable(f"the key {key_id} is revoked")
        changes = _told(old, name, rate_limit, expires_at)
        if changes:
            update_api_key(connection, key_id, name=name, rate_limit=rate_limit, expires_at=expires_at)
            subject = f"{old.name} ({old.prefix}…): {', '.join(changes)}"
            insert_audit_entry(connection, Action.KEY_CHANGED, by, subject=subject, project_id=project_id)
    # also where nothing changed: whoever sends a form again wants to be sure
    at_once = forget_in_redis(client, key_hash)
    publish_in_redis(client, connection, key_hash, now)
    log.info("API key changed", extra={"key_id": key_id, "project_id": project_id, "user_id": by.user_id})
    return at_once


def _told(old: ApiKeyDescription, name: str, rate_limit: str | None, expires_at: datetime | None) -> list[str]:
    """What becomes of the key, in words for the audit log; nothing where it stays as it is."""
    told = []
    if name != old.name:
        told.append(f"now called {name}")
    if rate_limit != old.rate_limit:
        told.append(f"limit {rate_limit or 'default'} instead of {old.rate_limit or 'default'}")
    if expires_at != old.expires_at:
        told.append(f"ends {_moment(expires_at)} instead of {_moment(old.expires_at)}")
    return told


def _moment(time: datetime | None) -> str:
    return "never" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
