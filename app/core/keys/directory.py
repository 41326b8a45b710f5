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
from datetime import UTC, datetime

import redis

from app.core import background
from app.core.database import ConnectionPool, answer_of, connection_from
from app.core.errors import DatabaseUnavailable, InvalidApiKey, RedisUnavailable
from app.core.keys.api_key import hash_key, is_well_formed
from app.core.keys.records import (
    RECORD_PREFIX,
    TOMBSTONE_PREFIX,
    decode_record,
    ended_key,
    has_expired,
    name_of,
    publish_in_redis,
)
from app.core.keys.uses import KeyUses
from app.core.queries.api_keys import ApiKey, EndedKey
from app.core.redis_client import redis_errors
from app.core.redis_cluster import is_cluster

MEMORY_SECONDS = 1.0
MEMORY_ENTRIES = 10_000
CONFIRM_AFTER_SECONDS = 60

DATABASE_DEADLINE_SECONDS = 2.0
"""How long to wait for a connection of the pool and for PostgreSQL's answer, all in all."""

ASK_AGAIN_SECONDS = 10.0
"""How long keys go on as Redis has them after a loss of Redis that PostgreSQL could not answer for in time."""

_Known = ApiKey | EndedKey | None
"""What a look-up found: a key, which may have expired; one that is revoked; or none that is known."""


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
        if has_expired(api_key, self._now()):
            raise InvalidApiKey(EndedKey(api_key.key_id, api_key.project_id))
        if is_old and self._uses is not None:
            self._uses.note(api_key.key_id, self._now().timestamp())
        return api_key

    def _remember(self, key_hash: bytes, entry: tuple[float, _Known]) -> None:
        if len(self._memory) >= MEMORY_ENTRIES:
            self._memory.clear()
        self._memory[key_hash] = entry

    def _look_up(self, key_hash: bytes, may_ask_database: Callable[[], bool]) -> _Known:
        record, tombstone = self._read_redis(name_of(self._client, key_hash))
        is_revoked = tombstone is not None
        known, checked_at = decode_record(record) if record is not None else (None, 0.0)
        if known is None or is_revoked or has_expired(known, self._now()):
            # All keys that are not valid go the same way, so that the time tells nobody which kind theirs is.
            if not may_ask_database():
                # raised, and so not remembered: the key may be good, and another client may ask PostgreSQL for it
                raise InvalidApiKey(ended_key(tombstone))
            try:
                told = self._ask_in_time(key_hash)
            except DatabaseUnavailable:
                if known is None and not is_revoked:
                    raise
                told = known
            return ended_key(tombstone) if is_revoked else told
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
            if not is_cluster(self._client):
                raise
            # the other nodes go on, and PostgreSQL knows the keys
            return None, None
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
