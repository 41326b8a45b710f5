"""The key directory on real servers, with clocks that the tests turn."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import redis

from app.core import redis_client
from app.core.database import ConnectionPool, open_pool
from app.core.errors import DatabaseUnavailable, InvalidApiKey, RedisUnavailable
from app.core.keys.api_key import hash_key, mint_key
from app.core.keys.directory import (
    CONFIRM_AFTER_SECONDS,
    DATABASE_DEADLINE_SECONDS,
    MEMORY_ENTRIES,
    RECORD_PREFIX,
    TOMBSTONE_PREFIX,
    KeyDirectory,
    revoke_in_redis,
)
from app.local.postgres import RunningPostgres
from tests.api_keys import create_key, revoke_key_in_database
from tests.frozen import frozen
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


class Clock:
    """One time for both clocks of a directory."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self._start = datetime.now(UTC) - timedelta(seconds=1_000)

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis_client.connect(redis_url) as client:
        yield client


@pytest.fixture
def pool(database_url: str) -> Iterator[ConnectionPool]:
    with open_pool(database_url, application_name="tests", size=2) as pool:
        yield pool


@pytest.fixture
def dead_pool() -> Iterator[ConnectionPool]:
    """Of a database that does not answer."""
    with open_pool("postgresql://nobody@127.0.0.1:1/nothing", application_name="tests", size=1) as pool:
        yield pool


@pytest.fixture
def directory(client: redis.Redis, pool: ConnectionPool, clock: Clock) -> KeyDirectory:
    return KeyDirectory(client, pool, monotonic=clock.monotonic, now=clock.now)


def test_it_finds_a_key_with_all_that_it_may_do(directory: KeyDirectory, database_url: str, clock: Clock) -> None:
    expires_at = (clock.now() + timedelta(days=1)).replace(microsecond=123_456)
    key = create_key(database_url, scopes=["read", "ingest"], rate_limit="5/second", expires_at=expires_at)
    from_database = directory.find(key)
    clock.seconds += 2
    from_redis = directory.find(key)
    assert from_database == from_redis
    assert from_redis.scopes == frozenset({"read", "ingest"})
    assert from_redis.rate_limit == "5/second"
    assert from_redis.expires_at == expires_at


def test_it_refuses_malformed_and_unknown_keys(directory: KeyDirectory) -> None:
    for key in ("", "eg_live_", "x" * 46, mint_key() + " ", mint_key()):
        with pytest.raises(InvalidApiKey):
            directory.find(key)


def test_it_asks_no_server_about_a_malformed_key(dead_pool: ConnectionPool) -> None:
    directory = KeyDirectory(redis_client.connect("redis://127.0.0.1:1"), dead_pool)
    with pytest.raises(InvalidApiKey):
        directory.find("eg_live_" + "x" * 38)
    with pytest.raises(RedisUnavailable):
        directory.find(mint_key())


def test_a_tombstone_in_redis_stops_a_key_after_a_second_whatever_postgresql_says(
    directory: KeyDirectory, client: redis.Redis, database_url: str, clock: Clock
) -> None:
    key = create_key(database_url)
    directory.find(key)
    revoke_in_redis(client, hash_key(key))
    clock.seconds += 1.001
    with pytest.raises(InvalidApiKey):
        directory.find(key)


def test_a_record_that_is_written_after_the_tombstone_does_not_revive_the_key(
    directory: KeyDirectory, client: redis.Redis, database_url: str, clock: Clock
) -> None:
    key = create_key(database_url)
    directory.find(key)
    record = client.get(RECORD_PREFIX + hash_key(key).hex())
    assert isinstance(record, bytes)
    revoke_in_redis(client, hash_key(key))
    client.set(RECORD_PREFIX + hash_key(key).hex(), record)
    clock.seconds += 2
    with pytest.raises(InvalidApiKey):
        directory.find(key)
    record_ttl = 7 * 86_400
    assert client.ttl(TOMBSTONE_PREFIX + hash_key(key).hex()) > record_ttl


def test_a_key_that_is_revoked_in_postgresql_alone_stops_after_about_a_minute(
    directory: KeyDirectory, client: redis.Redis, database_url: str, clock: Clock
) -> None:
    key = create_key(database_url)
    directory.find(key)
    revoke_key_in_database(database_url, key)
    clock.seconds += CONFIRM_AFTER_SECONDS + 1
    directory.find(key)
    wait_until(lambda: client.get(RECORD_PREFIX + hash_key(key).hex()) is None)
    clock.seconds += 1.001
    with pytest.raises(InvalidApiKey):
        directory.find(key)


def test_a_key_is_confirmed_each_minute(
    directory: KeyDirectory, client: redis.Redis, database_url: str, clock: Clock
) -> None:
    key = create_key(database_url)
    directory.find(key)
    before = client.get(RECORD_PREFIX + hash_key(key).hex())
    clock.seconds += CONFIRM_AFTER_SECONDS + 1
    directory.find(key)
    wait_until(lambda: client.get(RECORD_PREFIX + hash_key(key).hex()) != before)


def test_an_unknown_key_is_remembered_for_a_second_only(
    directory: KeyDirectory, database_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = mint_key()
    with pytest.raises(InvalidApiKey):
        directory.find(key)
    monkeypatch.setattr("tests.api_keys.mint_key", lambda: key)
    create_key(database_url)
    with pytest.raises(InvalidApiKey):
        directory.find(key)
    clock.seconds += 1.001
    assert directory.find(key).project_id > 0


def test_a_key_that_it_may_not_ask_postgresql_for_is_refused_but_not_remembered_as_unknown(
    directory: KeyDirectory, pool: ConnectionPool, database_url: str
) -> None:
    key = create_key(database_url)
    asked_before = pool.get_stats().get("requests_num", 0)
    with pytest.raises(InvalidApiKey):
        directory.find(key, may_ask_database=lambda: False)
    assert pool.get_stats().get("requests_num", 0) == asked_before
    assert directory.find(key).project_id > 0


def test_a_known_key_is_found_without_asking_whether_it_may_ask(
    directory: KeyDirectory, database_url: str, clock: Clock
) -> None:
    key = create_key(database_url)
    known = directory.find(key)
    clock.seconds += 2
    assert directory.find(key, may_ask_database=lambda: False) == known


def test_an_expired_key_is_refused_though_it_is_remembered(
    directory: KeyDirectory, database_url: str, clock: Clock
) -> None:
    key = create_key(database_url, expires_at=clock.now() + timedelta(seconds=0.5))
    directory.find(key)
    clock.seconds += 0.5
    with pytest.raises(InvalidApiKey):
        directory.find(key)


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
        assert len({answer.result() for answer in found}) == 1
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
    for record in (b"", b"not json", b"[]", b"{}", b'{"key_id":1}'):
        client.set(RECORD_PREFIX + hash_key(key).hex(), record)
        assert KeyDirectory(client, directory._pool).find(key).project_id > 0


def test_its_memory_is_bounded(directory: KeyDirectory) -> None:
    for n in range(MEMORY_ENTRIES + 10):
        directory._remember(n.to_bytes(32), (0.0, None))
    assert len(directory._memory) <= MEMORY_ENTRIES
