"""Finding keys while PostgreSQL is down, hangs, or is asked by many."""

import time
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import redis

from app.core.database import ConnectionPool
from app.core.errors import DatabaseUnavailable
from app.core.keys.api_key import hash_key, mint_key
from app.core.keys.directory import CONFIRM_AFTER_SECONDS, DATABASE_DEADLINE_SECONDS, MEMORY_ENTRIES, KeyDirectory
from app.core.keys.records import RECORD_PREFIX
from app.local.postgres import RunningPostgres
from tests.api_keys import create_key
from tests.clocks import Clock
from tests.frozen import frozen
from tests.waiting import wait_until

RECORD = {"key_id": 5, "project_id": 6, "scopes": ["ingest"], "rate_limit": None, "expires_at": None}

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


def test_a_known_key_is_found_for_days_without_postgresql(
    directory: KeyDirectory, client: redis.Redis, dead_pool: ConnectionPool, database_url: str, clock: Clock
) -> None:
    key = create_key(database_url)
    known = directory.find(key)
    clock.seconds += 3 * 86_400
    alone = KeyDirectory(client, dead_pool, monotonic=clock.monotonic, now=clock.now)
    assert alone.find(key) == known
    with pytest.raises(DatabaseUnavailable):
        alone.find(mint_key())


def test_known_keys_never_wait_for_a_postgresql_that_hangs(
    directory: KeyDirectory, pool: ConnectionPool, postgres: RunningPostgres, database_url: str, clock: Clock
) -> None:
    keys = [create_key(database_url) for _ in range(5)]
    known = [directory.find(key) for key in keys]
    clock.seconds += CONFIRM_AFTER_SECONDS + 1
    asked_before = pool.get_stats()["requests_num"]
    with frozen(postgres.pid):
        began_at = time.monotonic()
        assert [directory.find(key) for key in keys] == known
        assert time.monotonic() - began_at < DATABASE_DEADLINE_SECONDS
        assert pool.get_stats()["requests_num"] == asked_before + 1, "confirmations go one at a time"


def test_a_new_key_does_not_wait_for_long_for_a_postgresql_that_hangs(
    directory: KeyDirectory, postgres: RunningPostgres, database_url: str
) -> None:
    directory.find(create_key(database_url))
    key = create_key(database_url)
    with frozen(postgres.pid):
        began_at = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            directory.find(key)
        assert time.monotonic() - began_at < DATABASE_DEADLINE_SECONDS + 1
    wait_until(lambda: is_found(directory, key))


def test_many_requests_with_a_new_key_ask_postgresql_once(
    directory: KeyDirectory, pool: ConnectionPool, postgres: RunningPostgres, database_url: str
) -> None:
    directory.find(create_key(database_url))
    key = create_key(database_url)
    asked_before = pool.get_stats()["requests_num"]
    arrived: list[bool] = []

    def may_ask_database() -> bool:
        arrived.append(True)
        return True

    with ThreadPoolExecutor(20) as requests:
        with frozen(postgres.pid):
            found = [requests.submit(directory.find, key, may_ask_database=may_ask_database) for _ in range(20)]
            wait_until(lambda: len(arrived) == 20 and len(directory._asking) == 1)
        assert len({answer.result().key_id for answer in found}) == 1
    assert pool.get_stats()["requests_num"] == asked_before + 1
    assert directory._asking == {}, "a later look-up asks anew"


def is_found(directory: KeyDirectory, key: str) -> bool:
    try:
        directory.find(key)
    except DatabaseUnavailable:
        return False
    return True


def test_a_record_of_another_shape_is_read_again_from_postgresql(
    directory: KeyDirectory, client: redis.Redis, database_url: str
) -> None:
    key = create_key(database_url)
    whole = RECORD | {"project_id": 0, "checked_at": 0}
    broken = [orjson.dumps(whole | change) for change in ({"scopes": None}, {"expires_at": 1}, {"checked_at": "x"})]
    for record in (b"", b"not json", b"[]", b"7", b'"text"', b"null", b"{}", b'{"key_id":1}', *broken):
        client.set(RECORD_PREFIX + hash_key(key).hex(), record)
        assert KeyDirectory(client, directory._pool).find(key).project_id > 0


def test_a_record_of_a_later_release_with_more_in_it_is_used(
    clock: Clock, client: redis.Redis, dead_pool: ConnectionPool, database_url: str
):
    key = create_key(database_url)
    record = orjson.dumps(RECORD | {"checked_at": clock.now().timestamp(), "added_later": [1]})
    client.set(RECORD_PREFIX + hash_key(key).hex(), record)
    found = KeyDirectory(client, dead_pool, now=clock.now).find(key)
    assert (found.key_id, found.project_id, found.scopes) == (5, 6, ["ingest"])


def test_its_memory_is_bounded(directory: KeyDirectory) -> None:
    for n in range(MEMORY_ENTRIES + 10):
        directory._remember(n.to_bytes(32), (0.0, None))
    assert len(directory._memory) <= MEMORY_ENTRIES
