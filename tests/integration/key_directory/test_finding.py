"""Which keys are found valid, and for how long."""

from datetime import timedelta

import pytest
import redis

from app.core import redis_client
from app.core.database import ConnectionPool
from app.core.errors import InvalidApiKey, RedisUnavailable
from app.core.keys.api_key import hash_key, mint_key
from app.core.keys.directory import CONFIRM_AFTER_SECONDS, KeyDirectory
from app.core.keys.records import RECORD_PREFIX, TOMBSTONE_PREFIX, revoke_in_redis
from tests.api_keys import create_key, revoke_key_in_database
from tests.clocks import Clock
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


def test_it_finds_a_key_with_all_that_it_may_do(directory: KeyDirectory, database_url: str, clock: Clock) -> None:
    expires_at = (clock.now() + timedelta(days=1)).replace(microsecond=123_456)
    key = create_key(database_url, scopes=["read", "ingest"], rate_limit="5/second", expires_at=expires_at)
    from_database = directory.find(key)
    clock.seconds += 2
    from_redis = directory.find(key)
    assert from_database == from_redis
    assert sorted(from_redis.scopes) == ["ingest", "read"]
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


def test_unknown_revoked_and_expired_keys_go_the_same_way(
    directory: KeyDirectory, pool: ConnectionPool, client: redis.Redis, database_url: str, clock: Clock
) -> None:
    """So that the time that a refusal takes tells nobody which of them a key is."""
    expiring = create_key(database_url, expires_at=clock.now() + timedelta(seconds=10))
    revoked = create_key(database_url)
    for key in (expiring, revoked):
        directory.find(key)
    revoke_in_redis(client, hash_key(revoked))
    revoke_key_in_database(database_url, revoked)
    clock.seconds += 11
    asked_whether: list[bool] = []

    def may_ask_database() -> bool:
        asked_whether.append(True)
        return True

    asked_before = pool.get_stats()["requests_num"]
    for number, key in enumerate((mint_key(), revoked, expiring), 1):
        with pytest.raises(InvalidApiKey):
            directory.find(key, may_ask_database=may_ask_database)
        assert (len(asked_whether), pool.get_stats()["requests_num"]) == (number, asked_before + number)


def test_a_revoked_or_expired_key_is_refused_without_postgresql_too(
    directory: KeyDirectory, client: redis.Redis, dead_pool: ConnectionPool, database_url: str, clock: Clock
) -> None:
    expiring = create_key(database_url, expires_at=clock.now() + timedelta(seconds=10))
    revoked = create_key(database_url)
    for key in (expiring, revoked):
        directory.find(key)
    revoke_in_redis(client, hash_key(revoked))
    clock.seconds += 11
    alone = KeyDirectory(client, dead_pool, monotonic=clock.monotonic, now=clock.now)
    for key in (revoked, expiring):
        with pytest.raises(InvalidApiKey):
            alone.find(key)
