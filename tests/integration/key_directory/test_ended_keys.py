"""Whose key it is that is refused: known to the service, though not to whoever sent it."""

from datetime import timedelta

import psycopg
import pytest
import redis

from app.core.errors import InvalidApiKey
from app.core.keys.api_key import hash_key, mint_key
from app.core.keys.directory import KeyDirectory
from app.core.keys.lifecycle import create_key, revoke_key
from app.core.keys.records import TOMBSTONE_PREFIX
from app.core.queries.api_keys import EndedKey
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.projects import insert_project
from tests.clocks import Clock

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


def ended_of(directory: KeyDirectory, key: str) -> tuple[int, int] | None:
    with pytest.raises(InvalidApiKey) as refused:
        directory.find(key)
    assert str(refused.value) == "", "it says nothing of the key to anybody"
    return refused.value.ended


@pytest.fixture
def connection(pool):
    with pool.connection() as connection:
        yield connection


def make(connection, client, now, **changes):
    project_id = insert_project(connection, "demo")
    wishes = {"name": "ci", "scopes": ["ingest"], "rate_limit": None, "expires_at": None} | changes
    return project_id, create_key(connection, client, project_id=project_id, by=COMMAND_LINE, now=now, **wishes)


def test_of_a_revoked_key_it_is_known_whose_it_was(connection, client, directory, clock: Clock):
    project_id, new = make(connection, client, clock.now())
    directory.find(new.key)
    revoke_key(connection, client, new.key_id, COMMAND_LINE)
    clock.seconds += 2
    for _ in range(2):
        assert ended_of(directory, new.key) == EndedKey(new.key_id, project_id)


def test_of_an_expired_key_it_is_known_whose_it_was(connection, client, directory, clock: Clock):
    project_id, new = make(connection, client, clock.now(), expires_at=clock.now() + timedelta(seconds=30))
    directory.find(new.key)
    clock.seconds += 31
    for _ in range(2):
        assert ended_of(directory, new.key) == EndedKey(new.key_id, project_id)


def test_of_an_unknown_key_nothing_is_known(directory):
    assert ended_of(directory, mint_key()) is None
    assert ended_of(directory, "nonsense") is None


def test_a_tombstone_of_another_release_refuses_without_a_name(connection, client: redis.Redis, directory, clock):
    _, new = make(connection, client, clock.now())
    client.set(TOMBSTONE_PREFIX + hash_key(new.key).hex(), b"1")
    assert ended_of(directory, new.key) is None


def test_a_key_that_is_not_valid_takes_the_same_steps_whatever_it_is(
    connection, client: redis.Redis, directory, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """So that the time of a 401 tells nobody whether a key was ever good; bench/refused_keys.py measures it."""
    _, revoked = make(connection, client, clock.now())
    _, used_then_revoked = make(connection, client, clock.now())
    _, expired = make(connection, client, clock.now(), expires_at=clock.now() + timedelta(seconds=30))
    directory.find(used_then_revoked.key)
    for new in (revoked, used_then_revoked):
        revoke_key(connection, client, new.key_id, COMMAND_LINE)
    clock.seconds += 31
    steps: list[str] = []
    execute, send = psycopg.Cursor.execute, redis.Redis.execute_command

    def executed(self, query, *args, **kwargs):
        steps.append(str(query))
        return execute(self, query, *args, **kwargs)

    def sent(self, *args, **options):
        steps.append(str(args[0]))
        return send(self, *args, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", executed)
    monkeypatch.setattr(redis.Redis, "execute_command", sent)

    def steps_of(key: str) -> list[str]:
        steps.clear()
        with pytest.raises(InvalidApiKey):
            directory.find(key)
        return list(steps)

    steps_of(mint_key())  # which may need a new connection
    unknown = steps_of(mint_key())
    assert len(unknown) >= 2, "Redis and PostgreSQL were asked"
    assert steps_of(revoked.key) == unknown
    assert steps_of(used_then_revoked.key) == unknown
    assert steps_of(expired.key) == unknown
