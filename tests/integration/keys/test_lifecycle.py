"""Keys on real servers: what becomes of them in PostgreSQL, in Redis, and for a process that knows them already."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import redis

from app.core.database import Connection
from app.core.errors import InvalidApiKey, NotFound
from app.core.keys.api_key import hash_key
from app.core.keys.directory import KeyDirectory
from app.core.keys.lifecycle import (
    ENDS_SOON,
    KeyState,
    NewKey,
    NotReplaceable,
    create_key,
    revoke_key,
    rotate_key,
    state_of,
)
from app.core.queries.api_keys import ApiKeyDescription, lock_api_key, select_api_key, select_api_keys_of_project
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.projects import insert_project
from tests.waiting import wait_until

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
SELECT_WAITING_FOR_A_LOCK = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


def create(connection: Connection, client: redis.Redis, project_id: int, **changes) -> NewKey:
    wishes = {"name": "ci", "scopes": ["read", "ingest"], "rate_limit": "5/second", "expires_at": None}
    return create_key(connection, client, project_id=project_id, by=COMMAND_LINE, now=NOW, **wishes | changes)


def rotate(connection, client, project_id: int, key_id: int, *, overlap=HOUR, expires_at=None) -> NewKey:
    return rotate_key(
        connection,
        client,
        key_id,
        project_id=project_id,
        overlap=overlap,
        expires_at=expires_at,
        by=COMMAND_LINE,
        now=NOW,
    )


def described(connection: Connection, project_id: int, key_id: int) -> ApiKeyDescription:
    key = select_api_key(connection, project_id, key_id)
    assert key is not None
    return key


def test_a_new_key_works_with_all_that_was_asked_for(connection, client, pool, project_id):
    new = create(connection, client, project_id, expires_at=NOW + HOUR)
    found = KeyDirectory(client, pool).find(new.key, may_ask_database=lambda: False)
    assert (found.key_id, found.project_id, found.scopes) == (new.key_id, project_id, ["ingest", "read"])
    assert (found.rate_limit, found.expires_at) == ("5/second", NOW + HOUR)
    assert new.key not in repr(new)


def test_a_rotated_key_works_beside_its_successor_until_the_overlap_is_over(connection, client, pool, project_id):
    clock = [NOW]

    def now() -> datetime:
        return clock[0]

    directory = KeyDirectory(client, pool, monotonic=lambda: now().timestamp(), now=now)
    old = create(connection, client, project_id)
    directory.find(old.key)
    new = rotate(connection, client, project_id, old.key_id)
    clock[0] += timedelta(minutes=59)
    assert directory.find(old.key).key_id == old.key_id
    assert directory.find(new.key).key_id == new.key_id
    clock[0] += timedelta(minutes=1)
    with pytest.raises(InvalidApiKey):
        directory.find(old.key)
    assert directory.find(new.key).key_id == new.key_id


def test_the_end_of_a_rotated_key_reaches_a_process_that_may_not_ask_postgresql(connection, client, pool, project_id):
    old = create(connection, client, project_id)
    rotate(connection, client, project_id, old.key_id, overlap=timedelta(0))
    with pytest.raises(InvalidApiKey):
        KeyDirectory(client, pool).find(old.key, may_ask_database=lambda: False)


def test_a_successor_has_the_name_scopes_and_limit_of_the_old_key_and_an_end_of_its_own(connection, client, project_id):
    old = create(connection, client, project_id)
    new = rotate(connection, client, project_id, old.key_id, expires_at=NOW + 5 * HOUR)
    before, after = described(connection, project_id, old.key_id), described(connection, project_id, new.key_id)
    assert (after.name, after.scopes, after.rate_limit) == (before.name, before.scopes, before.rate_limit)
    assert (before.expires_at, after.expires_at) == (NOW + HOUR, NOW + 5 * HOUR)
    assert (before.successor_id, before.successor_prefix) == (new.key_id, after.prefix)
    assert connection.execute("SELECT rotated_from FROM api_keys WHERE id = %s", [new.key_id]).fetchone() == (
        old.key_id,
    )


def test_an_overlap_never_lengthens_the_life_of_a_key(connection, client, project_id):
    old = create(connection, client, project_id, expires_at=NOW + HOUR)
    rotate(connection, client, project_id, old.key_id, overlap=7 * 24 * HOUR)
    assert described(connection, project_id, old.key_id).expires_at == NOW + HOUR


def test_a_key_is_rotated_once_though_it_is_asked_for_twice_at_the_same_time(connection, client, pool, project_id):
    old = create(connection, client, project_id)

    def rotate_too() -> None:
        with pool.connection() as own:
            rotate(own, client, project_id, old.key_id)

    with ThreadPoolExecutor(1) as second, pool.connection() as observer:
        with connection.transaction():
            lock_api_key(connection, project_id, old.key_id)
            waiting = second.submit(rotate_too)
            wait_until(lambda: observer.execute(SELECT_WAITING_FOR_A_LOCK).fetchone() == (1,))
            rotate(connection, client, project_id, old.key_id)
        with pytest.raises(NotReplaceable, match="rotated already"):
            waiting.result(10)
    assert len(select_api_keys_of_project(connection, project_id, limit=10)) == 2


def test_a_key_whose_successor_was_revoked_can_be_rotated_again(connection, client, project_id):
    old = create(connection, client, project_id)
    lost = rotate(connection, client, project_id, old.key_id)
    revoke_key(connection, client, lost.key_id, COMMAND_LINE)
    again = rotate(connection, client, project_id, old.key_id)
    assert described(connection, project_id, old.key_id).successor_id == again.key_id


def test_a_key_that_ends_soon_is_expiring_whether_or_not_its_successor_lives(connection, client, project_id):
    old = create(connection, client, project_id)
    lost = rotate(connection, client, project_id, old.key_id, overlap=ENDS_SOON)
    revoke_key(connection, client, lost.key_id, COMMAND_LINE)
    key = described(connection, project_id, old.key_id)
    assert (key.successor_id, state_of(key, NOW)) == (None, KeyState.EXPIRING)
    short = create(connection, client, project_id, expires_at=NOW + HOUR)
    assert state_of(described(connection, project_id, short.key_id), NOW) is KeyState.EXPIRING


def test_a_key_that_does_not_work_any_more_is_not_rotated(connection, client, project_id):
    revoked = create(connection, client, project_id)
    revoke_key(connection, client, revoked.key_id, COMMAND_LINE)
    expired = create(connection, client, project_id, expires_at=NOW)
    for key in (revoked, expired):
        with pytest.raises(NotReplaceable, match="create a new one"):
            rotate(connection, client, project_id, key.key_id)
    assert len(select_api_keys_of_project(connection, project_id, limit=10)) == 2


def test_a_key_of_another_project_is_not_found(connection, client, pool, project_id):
    other = insert_project(connection, "other")
    key = create(connection, client, project_id)
    with pytest.raises(NotFound):
        revoke_key(connection, client, key.key_id, COMMAND_LINE, project_id=other)
    with pytest.raises(NotFound):
        rotate(connection, client, other, key.key_id)
    assert select_api_key(connection, other, key.key_id) is None
    assert select_api_keys_of_project(connection, other, limit=10) == []
    assert KeyDirectory(client, pool).find(key.key).key_id == key.key_id


def test_states_are_told_apart(connection, client, project_id):
    keys = {
        KeyState.ACTIVE: create(connection, client, project_id, expires_at=NOW + ENDS_SOON + HOUR),
        KeyState.EXPIRED: create(connection, client, project_id, expires_at=NOW),
        KeyState.EXPIRING: create(connection, client, project_id),
        KeyState.REVOKED: create(connection, client, project_id),
    }
    rotate(connection, client, project_id, keys[KeyState.EXPIRING].key_id)
    revoke_key(connection, client, keys[KeyState.REVOKED].key_id, COMMAND_LINE)
    for state, key in keys.items():
        assert state_of(described(connection, project_id, key.key_id), NOW) is state
    rotated = described(connection, project_id, keys[KeyState.EXPIRING].key_id)
    assert state_of(rotated, NOW + HOUR) is KeyState.EXPIRED


def test_every_change_is_logged_without_the_key(connection, client, project_id, caplog):
    caplog.set_level(logging.INFO)
    old = create(connection, client, project_id)
    new = rotate(connection, client, project_id, old.key_id)
    revoke_key(connection, client, old.key_id, COMMAND_LINE, project_id=project_id)
    told = [record for record in caplog.records if record.name == "app.core.keys.lifecycle"]
    assert [record.getMessage() for record in told] == ["API key created", "API key rotated", "API key revoked"]
    assert [record.key_id for record in told] == [old.key_id] * 3
    everything = "\n".join(str(vars(record)) for record in caplog.records)
    for secret in (old.key, new.key, hash_key(old.key).hex(), hash_key(new.key).hex()):
        assert secret not in everything
