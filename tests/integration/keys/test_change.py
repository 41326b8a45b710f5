"""Changing a key on real servers: in PostgreSQL, in Redis, and for processes that know the key already."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import redis

from app.core.database import Connection, ConnectionPool
from app.core.errors import InvalidApiKey, NotFound
from app.core.keys.api_key import hash_key
from app.core.keys.change import NotChangeable, change_key
from app.core.keys.directory import KeyDirectory
from app.core.keys.lifecycle import NewKey, create_key, revoke_key, rotate_key
from app.core.keys.records import RECORD_PREFIX, publish_in_redis
from app.core.queries.api_keys import select_api_key
from app.core.queries.audit_log import COMMAND_LINE, select_audit_entries
from app.core.queries.projects import insert_project
from app.local.redis_server import RunningRedis
from tests.clocks import Clock
from tests.frozen import frozen

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(client: redis.Redis, pool: ConnectionPool, clock: Clock) -> KeyDirectory:
    return KeyDirectory(client, pool, monotonic=clock.monotonic, now=clock.now)


def create(connection: Connection, client: redis.Redis, project_id: int, clock: Clock, **changes) -> NewKey:
    wishes = {"name": "ci", "scopes": ["ingest"], "rate_limit": "5/second", "expires_at": None} | changes
    return create_key(connection, client, project_id=project_id, by=COMMAND_LINE, now=clock.now(), **wishes)


def change(connection, client, project_id: int, key_id: int, clock: Clock, **changes) -> bool:
    wishes = {"name": "ci", "rate_limit": "5/second", "expires_at": None} | changes
    return change_key(connection, client, key_id, project_id=project_id, by=COMMAND_LINE, now=clock.now(), **wishes)


def test_a_change_holds_within_a_second_where_the_key_is_known(connection, client, project_id, directory, clock):
    new = create(connection, client, project_id, clock)
    assert directory.find(new.key).rate_limit == "5/second"
    end = clock.now() + HOUR
    assert change(connection, client, project_id, new.key_id, clock, name="x", rate_limit=None, expires_at=end)
    clock.seconds += 1.01
    found = directory.find(new.key, may_ask_database=lambda: False)
    assert (found.rate_limit, found.expires_at) == (None, end)
    key = select_api_key(connection, project_id, new.key_id)
    assert key is not None
    assert (key.name, key.rate_limit, key.expires_at) == ("x", None, end)


class Overtaken(redis.Redis):
    """A client that is held up just before it writes a record down, while something else happens."""

    def __init__(self, url: str, meanwhile: Callable[[], object]) -> None:
        super().__init__(connection_pool=redis.ConnectionPool.from_url(url))
        self._meanwhile = meanwhile

    def eval(self, *args: Any, **options: Any) -> Any:
        self._meanwhile()
        return super().eval(*args, **options)


def test_who_asked_postgresql_before_a_change_leaves_no_old_record_behind(
    connection, client, pool, project_id, *, clock, redis_url
):
    new = create(connection, client, project_id, clock)
    late = Overtaken(
        redis_url, lambda: change(connection, client, project_id, new.key_id, clock, rate_limit="1/minute")
    )
    with pool.connection() as own:
        told = publish_in_redis(late, own, hash_key(new.key), clock.now())
    assert told is not None
    assert told.rate_limit == "5/second", "it asked before"
    assert KeyDirectory(client, pool).find(new.key, may_ask_database=lambda: False).rate_limit == "1/minute"


def test_an_expired_key_works_again_with_a_later_end(connection, client, project_id, directory, clock):
    new = create(connection, client, project_id, clock, expires_at=clock.now() + timedelta(seconds=5))
    clock.seconds += 6
    with pytest.raises(InvalidApiKey):
        directory.find(new.key)
    change(connection, client, project_id, new.key_id, clock, expires_at=clock.now() + HOUR)
    clock.seconds += 1.01
    assert directory.find(new.key).key_id == new.key_id


def test_every_change_is_in_the_audit_log_and_what_is_none_is_not(connection, client, project_id, clock):
    new = create(connection, client, project_id, clock)
    change(connection, client, project_id, new.key_id, clock)
    end = datetime(2100, 1, 2, 3, 4, tzinfo=UTC)
    change(connection, client, project_id, new.key_id, clock, name="batch", rate_limit=None, expires_at=end)
    (told,) = select_audit_entries(connection, project_id=project_id, action="key changed", limit=9)
    assert told.subject == (
        f"ci ({new.key[:14]}…): now called batch, limit default instead of 5/second, "
        "ends 2100-01-02 03:04 UTC instead of never"
    )


def test_a_revoked_key_stays_as_it_is(connection, client, project_id, clock):
    new = create(connection, client, project_id, clock)
    revoke_key(connection, client, new.key_id, COMMAND_LINE)
    with pytest.raises(NotChangeable):
        change(connection, client, project_id, new.key_id, clock, name="x")
    key = select_api_key(connection, project_id, new.key_id)
    assert key is not None
    assert key.name == "ci"


def test_a_key_of_another_project_is_not_found(connection, client, project_id, clock):
    new = create(connection, client, project_id, clock)
    other = insert_project(connection, "other")
    with pytest.raises(NotFound):
        change(connection, client, other, new.key_id, clock, name="x")


def test_where_redis_does_not_answer_it_is_told_that_the_change_may_be_late(
    connection, client, project_id, clock, redis_server: RunningRedis
):
    new = create(connection, client, project_id, clock)
    with frozen(redis_server.pid):
        assert not change(connection, client, project_id, new.key_id, clock, rate_limit="1/minute")
    key = select_api_key(connection, project_id, new.key_id)
    assert key is not None
    assert key.rate_limit == "1/minute"


def test_a_full_redis_forgets_the_old_record_all_the_same(connection, client, pool, project_id, clock):
    new = create(connection, client, project_id, clock)
    client.config_set("maxmemory", 1)
    try:
        change(connection, client, project_id, new.key_id, clock, rate_limit="1/minute")
        assert client.get(RECORD_PREFIX + hash_key(new.key).hex()) is None
        assert KeyDirectory(client, pool).find(new.key).rate_limit == "1/minute"
    finally:
        client.config_set("maxmemory", 0)


def test_a_rotation_leaves_no_record_without_the_new_end(connection, client, pool, project_id, *, clock, redis_url):
    old = create(connection, client, project_id, clock)
    how = {"project_id": project_id, "overlap": HOUR, "expires_at": None, "by": COMMAND_LINE, "now": clock.now()}
    late = Overtaken(redis_url, lambda: rotate_key(connection, client, old.key_id, **how))
    with pool.connection() as own:
        publish_in_redis(late, own, hash_key(old.key), clock.now())
    assert KeyDirectory(client, pool).find(old.key, may_ask_database=lambda: False).expires_at is not None


def test_the_change_is_in_one_transaction_with_its_entry(connection, client, project_id, clock):
    new = create(connection, client, project_id, clock)
    connection.execute("ALTER TABLE audit_log ADD CONSTRAINT nothing CHECK (action <> 'key changed') NOT VALID")
    try:
        with pytest.raises(psycopg.errors.CheckViolation):
            change(connection, client, project_id, new.key_id, clock, name="x")
    finally:
        connection.execute("ALTER TABLE audit_log DROP CONSTRAINT nothing")
    key = select_api_key(connection, project_id, new.key_id)
    assert key is not None
    assert key.name == "ci"
