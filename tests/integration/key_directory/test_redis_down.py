"""Keys while Redis is down, and what a revocation of that time is worth when it is back."""

import time
from collections.abc import Callable, Iterator

import pytest
import redis

from app.core.database import ConnectionPool
from app.core.errors import InvalidApiKey, RedisUnavailable
from app.core.keys.directory import (
    ASK_AGAIN_SECONDS,
    CONFIRM_AFTER_SECONDS,
    DATABASE_DEADLINE_SECONDS,
    MEMORY_SECONDS,
    KeyDirectory,
)
from app.core.keys.lifecycle import revoke_key
from app.core.queries.audit_log import COMMAND_LINE
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.clocks import Clock
from tests.frozen import frozen
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")

A_MOMENT_LATER = MEMORY_SECONDS + 0.001


@pytest.fixture
def stopped_redis(redis_server: RunningRedis, clean_redis: None) -> Iterator[RunningRedis]:
    """Runs when the test begins and when it has ended."""
    yield redis_server
    if redis_server.exit_code() is not None:
        redis_server.restart()


@pytest.fixture
def processes(client: redis.Redis, pool: ConnectionPool, clock: Clock) -> list[KeyDirectory]:
    return [KeyDirectory(client, pool, monotonic=clock.monotonic, now=clock.now) for _ in range(2)]


def is_valid(directory: KeyDirectory, key: str) -> bool:
    try:
        directory.find(key)
    except InvalidApiKey:
        return False
    return True


@pytest.fixture
def revoke(pool: ConnectionPool, client: redis.Redis) -> Callable[[], bool]:
    """Revokes the only key; says whether Redis was told."""

    def revoke_the_key() -> bool:
        with pool.connection() as connection:
            return revoke_key(connection, client, 1, COMMAND_LINE)

    return revoke_the_key


@pytest.fixture
def alone(client: redis.Redis, dead_pool: ConnectionPool, clock: Clock) -> KeyDirectory:
    """Of a process that PostgreSQL does not answer."""
    return KeyDirectory(client, dead_pool, monotonic=clock.monotonic, now=clock.now)


def test_a_revocation_without_redis_holds_at_once_and_when_redis_is_back(
    processes: list[KeyDirectory],
    revoke: Callable[[], bool],
    stopped_redis: RunningRedis,
    clock: Clock,
    database_url: str,
) -> None:
    key = create_key(database_url)
    assert [is_valid(process, key) for process in processes] == [True, True]
    stopped_redis.stop()
    assert not revoke(), "it says that Redis was not told"
    clock.seconds += A_MOMENT_LATER
    for process in processes:
        with pytest.raises(RedisUnavailable):
            process.find(key)
    stopped_redis.restart()
    assert [is_valid(process, key) for process in processes] == [False, False]


def test_a_process_that_was_not_asked_meanwhile_takes_the_key_for_another_minute_at_most(
    directory: KeyDirectory,
    revoke: Callable[[], bool],
    stopped_redis: RunningRedis,
    clock: Clock,
    database_url: str,
) -> None:
    key = create_key(database_url)
    assert is_valid(directory, key)
    stopped_redis.stop()
    revoke()
    stopped_redis.restart()
    clock.seconds += CONFIRM_AFTER_SECONDS + 1
    is_valid(directory, key)

    def is_refused() -> bool:
        clock.seconds += A_MOMENT_LATER
        return not is_valid(directory, key)

    wait_until(is_refused)


def test_a_good_key_goes_on_when_redis_is_back_and_postgresql_is_asked_once(
    directory: KeyDirectory, pool: ConnectionPool, stopped_redis: RunningRedis, clock: Clock, database_url: str
) -> None:
    key = create_key(database_url)
    known = directory.find(key)
    stopped_redis.stop()
    clock.seconds += A_MOMENT_LATER
    with pytest.raises(RedisUnavailable):
        directory.find(key)
    stopped_redis.restart()
    asked_before = pool.get_stats()["requests_num"]
    for _ in range(3):
        clock.seconds += A_MOMENT_LATER
        assert directory.find(key) == known
    assert pool.get_stats()["requests_num"] == asked_before + 1


def test_it_goes_on_when_redis_is_back_and_postgresql_is_down(
    directory: KeyDirectory, alone: KeyDirectory, stopped_redis: RunningRedis, database_url: str
) -> None:
    key = create_key(database_url)
    known = directory.find(key)
    stopped_redis.stop()
    with pytest.raises(RedisUnavailable):
        alone.find(key)
    stopped_redis.restart()
    assert alone.find(key) == known


def test_one_slow_answer_of_postgresql_does_not_let_a_key_work_again_that_was_revoked_meanwhile(
    *,
    directory: KeyDirectory,
    revoke: Callable[[], bool],
    stopped_redis: RunningRedis,
    postgres: RunningPostgres,
    clock: Clock,
    database_url: str,
) -> None:
    revoked, *others = (create_key(database_url) for _ in range(4))
    known = [directory.find(key) for key in (revoked, *others)][1:]
    stopped_redis.stop()
    revoke()
    clock.seconds += A_MOMENT_LATER
    with pytest.raises(RedisUnavailable):
        directory.find(revoked)
    stopped_redis.restart()
    with frozen(postgres.pid):
        began_at = time.monotonic()
        assert [directory.find(key) for key in others] == known
        assert time.monotonic() - began_at < DATABASE_DEADLINE_SECONDS * len(others), "only one waits for it"
    clock.seconds += ASK_AGAIN_SECONDS + 1
    assert not is_valid(directory, revoked)
