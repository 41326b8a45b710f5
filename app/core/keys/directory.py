"""KeyDirectory: from an API key to what it may do, while PostgreSQL is down too, and never long after its revocation.

Three places are asked in turn: this process's memory (at most 1 s old), Redis, PostgreSQL. A record in Redis that
PostgreSQL has not confirmed for a minute is used as it is, and confirmed in the background where PostgreSQL answers.
A revocation leaves a tombstone in Redis, which is read with the record in one trip and always wins. While Redis is lost
no key is found for longer than memory lasts; a revocation of that time is in PostgreSQL alone, so a process that has
noticed the loss has records from before it confirmed before it uses them again. Where PostgreSQL is too slow to do so
they are used meanwhile, and it is asked again ten seconds later.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson
import redis

from app.core import background
from app.core.database import Connection, ConnectionPool, answer_of, connection_from
from app.core.errors import DatabaseUnavailable, EndedKey, InvalidApiKey, RedisUnavailable, Rejected, Unavailable
from app.core.keys.api_key import hash_key, is_well_formed
from app.core.keys.uses import KeyUses
from app.core.queries.api_keys import ApiKey, select_api_key_by_hash
from app.core.redis_client import redis_errors

RECORD_PREFIX = "pa:api-key:"
TOMBSTONE_PREFIX = "pa:api-key-revoked:"

MEMORY_SECONDS = 1.0
MEMORY_ENTRIES = 10_000
CONFIRM_AFTER_SECONDS = 60
RECORD_LIFETIME_SECONDS = 7 * 86_400
TOMBSTONE_LIFETIME_SECONDS = 30 * 86_400
"""Longer than any record lives that was written just before the tombstone."""

DATABASE_DEADLINE_SECONDS = 2.0
"""How long to wait for a connection of the pool and for PostgreSQL's answer, all in all."""

ASK_AGAIN_SECONDS = 10.0
"""How long keys go on as Redis has them after a loss of Redis that PostgreSQL could not answer for in time."""


class KeyDirectory:
    """One in each process; safe for many greenlets or threads."""

    def __init__(
        self,
        client: redis.Redis,
        pool: ConnectionPool,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        uses: KeyUses | None = None,
    ) -> None:
        """The clocks: `monotonic` in seconds, `now` with a time zone. With `uses`, it notes when keys are used."""
        self._client = client
        self._pool = pool
        self._monotonic = monotonic
        self._now = now
        self._uses = uses
        self._memory: dict[bytes, tuple[float, _Known]] = {}
        self._lost_redis_at = 0.0
        self._ask_again_at = 0.0
        self._confirming = threading.Lock()
        self._asking: dict[bytes, Future[ApiKey | None]] = {}
        self._asking_lock = threading.Lock()

    def find(self, key: str, *, may_ask_database: Callable[[], bool] = lambda: True) -> ApiKey:
        """The valid key. `may_ask_database` is asked only where neither memory nor Redis knows the key.

        Raises InvalidApiKey for a malformed, unknown, revoked or expired one and for one that only PostgreSQL
        could know but must not be asked for, RedisUnavailable where Redis does not answer, and DatabaseUnavailable
        where only PostgreSQL could tell and does not answer.
        """
        key_hash = hash_key(key)
        asked_at = self._monotonic()
        remembered = self._memory.get(key_hash)
        is_old = remembered is None or asked_at - remembered[0] > MEMORY_SECONDS
        if remembered is None or is_old:
            if not is_well_formed(key):
                raise InvalidApiKey
            # The time before the look-up counts, so that a revocation during it is seen a second later.
            remembered = (asked_at, self._look_up(key_hash, may_ask_database))
            self._remember(key_hash, remembered)
        api_key = remembered[1]
        if not isinstance(api_key, ApiKey):
            raise InvalidApiKey(api_key)
        if _has_expired(api_key, self._now()):
            raise InvalidApiKey(EndedKey(api_key.key_id, api_key.project_id))
        if is_old and self._uses is not None:
            self._uses.note(api_key.key_id, self._now().timestamp())
        return api_key

    def _remember(self, key_hash: bytes, entry: "tuple[float, _Known]") -> None:
        if len(self._memory) >= MEMORY_ENTRIES:
            self._memory.clear()
        self._memory[key_hash] = entry

    def _look_up(self, key_hash: bytes, may_ask_database: Callable[[], bool]) -> "_Known":
        record, tombstone = self._read_redis(key_hash.hex())
        is_revoked = tombstone is not None
        known, checked_at = _decode(record) if record is not None else (None, 0.0)
        if known is None or is_revoked or _has_expired(known, self._now()):
            # All keys that are not valid go the same way, so that the time tells nobody which kind theirs is.
            if not may_ask_database():
                # raised, and so not remembered: the key may be good, and another client may ask PostgreSQL for it
                raise InvalidApiKey(_ended_key(tombstone))
            try:
                told = self._ask_in_time(key_hash)
            except DatabaseUnavailable:
                if known is None and not is_revoked:
                    raise
                told = known
            return _ended_key(tombstone) if is_revoked else told
        is_from_before_loss = checked_at <= self._lost_redis_at
        if is_from_before_loss and self._monotonic() >= self._ask_again_at:
            return self._confirmed_after_loss(key_hash, known)
        too_old = self._now().timestamp() - checked_at > CONFIRM_AFTER_SECONDS
        # One at a time, the other keys at a later look-up: a PostgreSQL that hangs holds no more than that one.
        if (too_old or is_from_before_loss) and self._confirming.acquire(blocking=False):
            threading.Thread(target=self._confirm, args=(key_hash,), daemon=True).start()
        return known

    def _read_redis(self, name: str) -> tuple[bytes | str | None, bytes | str | None]:
        """The record and the tombstone; each None where there is none."""
        try:
            with redis_errors():
                record, tombstone = self._client.mget(RECORD_PREFIX + name, TOMBSTONE_PREFIX + name)
        except RedisUnavailable:
            self._lost_redis_at = self._now().timestamp()
            raise
        return record, tombstone

    def _confirmed_after_loss(self, key_hash: bytes, known: ApiKey) -> ApiKey | None:
        """As PostgreSQL has it; where that does not answer either, ingestion goes on with what Redis says.

        The loss is not forgotten: for ASK_AGAIN_SECONDS nobody waits for PostgreSQL, and then one does again.
        """
        try:
            return self._ask_in_time(key_hash)
        except DatabaseUnavailable:
            self._ask_again_at = self._monotonic() + ASK_AGAIN_SECONDS
            return known

    def _ask_in_time(self, key_hash: bytes) -> ApiKey | None:
        return answer_of(self._asked(key_hash), deadline_seconds=DATABASE_DEADLINE_SECONDS)

    def _asked(self, key_hash: bytes) -> "Future[ApiKey | None]":
        """One question a key, however many requests wait for it: a new client's first requests come all at once."""
        with self._asking_lock:
            answer = self._asking.get(key_hash)
            if answer is None:
                answer = self._asking[key_hash] = background.begin(lambda: self._ask_database(key_hash))
                answer.add_done_callback(lambda _: self._asking.pop(key_hash, None))
        return answer

    def _confirm(self, key_hash: bytes) -> None:
        try:
            with suppress(DatabaseUnavailable):
                self._ask_database(key_hash)
        finally:
            self._confirming.release()

    def _ask_database(self, key_hash: bytes) -> ApiKey | None:
        with connection_from(self._pool) as connection:
            return publish_in_redis(self._client, connection, key_hash, self._now())


_Known = ApiKey | EndedKey | None
"""What a look-up found: a key, which may have expired; one that is revoked; or none that is known."""


def _has_expired(api_key: ApiKey, now: datetime) -> bool:
    return api_key.expires_at is not None and api_key.expires_at <= now


def publish_in_redis(client: redis.Redis, connection: Connection, key_hash: bytes, now: datetime) -> ApiKey | None:
    """The key as PostgreSQL knows it, which all processes then find in Redis; None for an unknown or revoked one.

    A record that Redis does not take is only asked for again.
    """
    api_key = select_api_key_by_hash(connection, key_hash)
    name = RECORD_PREFIX + key_hash.hex()
    with suppress(Unavailable, Rejected), redis_errors():
        if api_key is None or _has_expired(api_key, now):
            client.delete(name)
        else:
            client.set(name, _encode(api_key, now), ex=RECORD_LIFETIME_SECONDS)
    return api_key


def revoke_in_redis(client: redis.Redis, key_hash: bytes, ended: EndedKey | None = None) -> None:
    """Make every process refuse the key within a second; with `ended` it knows whose key it refuses.

    Call it before and after the revocation in PostgreSQL. Raises RedisUnavailable, and RedisFull where Redis
    has no room for the tombstone: the record is gone then, so PostgreSQL is asked.
    """
    name = key_hash.hex()
    with redis_errors():
        client.delete(RECORD_PREFIX + name)
        told = b"1" if ended is None else orjson.dumps(list(ended))
        client.set(TOMBSTONE_PREFIX + name, told, ex=TOMBSTONE_LIFETIME_SECONDS)


def _ended_key(tombstone: bytes | str | None) -> EndedKey | None:
    """Whose key it was; None for a tombstone that does not tell (another version's)."""
    try:
        return EndedKey(*orjson.loads(tombstone or b""))
    except (ValueError, TypeError):
        return None


def _encode(api_key: ApiKey, checked_at: datetime) -> bytes:
    return orjson.dumps({**asdict(api_key), "checked_at": checked_at.timestamp()})


def _decode(record: bytes | str) -> tuple[ApiKey | None, float]:
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
