import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app.core.database import connect, database_errors
from app.core.errors import DatabaseUnavailable, Rejected
from app.core.migrations import SCHEMA_REVISION, current_revision, migrate, runner
from app.core.queries.distribution import MIGRATION_LOCK
from app.core.rollups.latency_histogram import MAX_COUNT, ZERO_BUCKET, decode_histogram
from app.local.postgres import RunningPostgres
from tests.databases import new_database
from tests.waiting import wait_until

SELECT_TABLES = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
SELECT_PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1"
SELECT_BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'pa-migrate' AND wait_event_type = 'Lock'
"""
INSERT_ROLLUP = """
INSERT INTO rollups VALUES
    (%s, 0, 0, 'day', '2026-01-01Z', 1, 1, 1, 1, 1, 1, 1, 1, %s, 0, 0, 0, NULL, NULL, 0, 0, 0, NULL, NULL)
"""
INSERT_OLD_LINK = """
INSERT INTO sign_in_links (token_hash, user_id, expires_at) VALUES (%s, %s, now() + interval '1 day')
"""
SELECT_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %(key)s AND NOT granted"


@pytest.fixture
def empty_database(postgres: RunningPostgres) -> Iterator[str]:
    with new_database(postgres.url) as url:
        yield url


def revision(url: str) -> str | None:
    with connect(url, application_name="tests", statement_timeout_ms=5_000) as connection:
        return current_revision(connection)


def select(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def test_an_empty_database_has_no_revision_and_a_migrated_one_has_the_newest(empty_database: str):
    assert revision(empty_database) is None
    assert migrate(empty_database) is None
    assert revision(empty_database) == SCHEMA_REVISION


def test_the_second_run_finds_nothing_to_do(empty_database: str):
    migrate(empty_database)
    before = select(empty_database, SELECT_TABLES)
    assert migrate(empty_database) == SCHEMA_REVISION
    assert select(empty_database, SELECT_TABLES) == before


def test_it_makes_the_partitions_from_yesterday_to_a_week_ahead(empty_database: str):
    today = datetime.now(UTC).date()
    migrate(empty_database)
    names = [name for (name,) in select(empty_database, SELECT_PARTITIONS)]
    assert [f"events_{today + timedelta(days=offset):%Y%m%d}" for offset in range(-1, 7)] == names[:8]
    assert len(names) == 9


def test_of_four_runners_at_once_one_migrates_and_the_others_find_it_done(empty_database: str):
    start = threading.Barrier(4)

    def run(_number: int) -> str | None:
        start.wait()
        return migrate(empty_database)

    with ThreadPoolExecutor(4) as runners:
        found = list(runners.map(run, range(4)))
    assert sorted(found, key=str) == [SCHEMA_REVISION] * 3 + [None]


def test_a_runner_waits_for_the_one_before_it(empty_database: str):
    with psycopg.connect(empty_database, autocommit=True) as other, ThreadPoolExecutor(1) as runner:
        other.execute("SELECT pg_advisory_lock(%(key)s)", {"key": MIGRATION_LOCK})
        running = runner.submit(migrate, empty_database)

        def is_waiting() -> bool:
            row = other.execute(SELECT_WAITING, {"key": MIGRATION_LOCK}).fetchone()
            return row == (1,)

        wait_until(is_waiting)
        assert revision(empty_database) is None
        other.execute("SELECT pg_advisory_unlock(%(key)s)", {"key": MIGRATION_LOCK})
        running.result(timeout=20)
    assert revision(empty_database) == SCHEMA_REVISION


def test_it_gives_way_to_a_transaction_that_holds_a_table_and_says_so(empty_database: str):
    with psycopg.connect(empty_database) as other:
        other.execute("CREATE TABLE projects (id integer)")
        with pytest.raises(DatabaseUnavailable, match="gave way 2 times"):
            migrate(empty_database, lock_timeout_ms=50, attempts=2)
        other.rollback()
    assert migrate(empty_database) is None


def test_it_is_done_once_the_table_is_free_again(empty_database: str):
    with psycopg.connect(empty_database) as other, ThreadPoolExecutor(1) as runner:
        other.execute("CREATE TABLE projects (id integer)")
        running = runner.submit(migrate, empty_database, lock_timeout_ms=50, attempts=20)
        with psycopg.connect(empty_database, autocommit=True) as watcher:
            wait_until(lambda: watcher.execute(SELECT_BLOCKED).fetchone() == (1,))
        other.rollback()
        assert running.result(timeout=30) is None
    assert revision(empty_database) == SCHEMA_REVISION


def test_a_failed_migration_leaves_nothing_behind(empty_database: str):
    with psycopg.connect(empty_database, autocommit=True) as other:
        other.execute("CREATE TABLE dead_letters (in_the_way integer)")
    with pytest.raises(DatabaseUnavailable, match="DuplicateTable"):
        migrate(empty_database)
    assert revision(empty_database) is None
    assert select(empty_database, SELECT_TABLES) in ([(1,)], [(2,)])  # with or without Alembic's own, which is empty


def test_it_refuses_a_database_of_a_later_release(empty_database: str):
    migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Rejected, match="9999"):
        migrate(empty_database)


def test_it_says_that_a_server_does_not_answer():
    with pytest.raises(DatabaseUnavailable):
        migrate("postgres://nobody@127.0.0.1:1/nothing")


def test_users_of_the_first_release_become_operators_and_admins_of_every_project(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as first_release:
        first_release.setattr(runner, "SCHEMA_REVISION", "0001")
        migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("INSERT INTO projects (name) VALUES ('demo'), ('other')")
        connection.execute("INSERT INTO users (email, password_hash) VALUES ('admin@localhost', 'hash')")
    assert migrate(empty_database) == "0001"
    assert select(empty_database, "SELECT email, password_hash, is_operator FROM users") == [
        ("admin@localhost", "hash", True)
    ]
    assert select(empty_database, "SELECT project_id, user_id, role FROM memberships ORDER BY 1") == [
        (1, 1, "admin"),
        (2, 1, "admin"),
    ]


def test_histograms_of_the_second_release_keep_their_counts(empty_database: str, monkeypatch: pytest.MonkeyPatch):
    counts = {ZERO_BUCKET: 3, -1_046: 1, -1: 2, 0: MAX_COUNT, 300: MAX_COUNT + 1, 1_396: 2**32 - 1}
    entries = [
        struct.pack("<hI", -32768 if bucket == ZERO_BUCKET else bucket, count) for bucket, count in counts.items()
    ]
    old = [b"".join(entries), entries[1] + entries[1], b""]
    with monkeypatch.context() as second_release:
        second_release.setattr(runner, "SCHEMA_REVISION", "0002")
        migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        for project_id, histogram in enumerate(old):
            connection.execute(INSERT_ROLLUP, [project_id, histogram])
    assert migrate(empty_database) == "0002"
    stored = select(empty_database, "SELECT latency_histogram FROM rollups ORDER BY project_id")
    assert [decode_histogram(histogram) for (histogram,) in stored] == [counts, {-1_046: 2}, {}]


def test_hundreds_of_histograms_are_written_again_within_seconds(empty_database: str, monkeypatch: pytest.MonkeyPatch):
    old = b"".join(struct.pack("<hI", bucket, 1 + bucket) for bucket in range(60))
    with monkeypatch.context() as second_release:
        second_release.setattr(runner, "SCHEMA_REVISION", "0002")
        migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.executemany(INSERT_ROLLUP, [(project_id, old) for project_id in range(200)])
    with ThreadPoolExecutor(1) as background:
        assert background.submit(migrate, empty_database).result(timeout=30) == "0002"
    stored = select(empty_database, "SELECT DISTINCT latency_histogram FROM rollups")
    assert [decode_histogram(histogram) for (histogram,) in stored] == [{bucket: 1 + bucket for bucket in range(60)}]


def test_a_worker_of_the_second_release_stores_nothing_and_loses_nothing(empty_database: str):
    migrate(empty_database)
    with (
        connect(empty_database, application_name="tests", statement_timeout_ms=5_000) as connection,
        pytest.raises(DatabaseUnavailable),
        database_errors(),
    ):
        connection.execute("UPDATE rollups SET latency_sketch = latency_sketch || ''")


def test_who_was_invited_and_never_came_must_join_and_no_old_link_of_theirs_opens_anything(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as fourth_release:
        fourth_release.setattr(runner, "SCHEMA_REVISION", "0004")
        migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("INSERT INTO projects (name) VALUES ('one'), ('two')")
        connection.execute(
            "INSERT INTO users (email, password_hash) VALUES ('m', 'hash'), ('new', NULL), ('both', NULL)"
        )
        connection.execute("INSERT INTO users (email, password_hash, is_operator) VALUES ('root', 'hash', true)")
        connection.execute(
            "INSERT INTO memberships (project_id, user_id, role)"
            " VALUES (1, 1, 'member'), (1, 2, 'admin'), (1, 3, 'member'), (2, 3, 'member')"
        )
        for user_id in (1, 2, 3):
            connection.execute(INSERT_OLD_LINK, [bytes([user_id]) * 32, user_id])
    assert migrate(empty_database) == "0004"
    assert select(empty_database, "SELECT project_id, user_id, role FROM memberships") == [(1, 1, "member")]
    assert select(empty_database, "SELECT project_id, user_id, role FROM invitations ORDER BY user_id, project_id") == [
        (1, 2, "admin"),
        (1, 3, "member"),
        (2, 3, "member"),
    ]
    assert select(empty_database, "SELECT user_id, project_id, by_operator FROM sign_in_links") == [(1, None, True)]
    assert select(empty_database, "SELECT email FROM users WHERE confirmed_at IS NOT NULL") == [("root",)]


def test_a_link_that_another_projects_admin_kept_does_not_become_one_of_the_project_that_still_invites(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as fourth_release:
        fourth_release.setattr(runner, "SCHEMA_REVISION", "0004")
        migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("INSERT INTO projects (name) VALUES ('the attacker''s'), ('theirs')")
        connection.execute("INSERT INTO users (email) VALUES ('victim')")
        connection.execute("INSERT INTO memberships (project_id, user_id, role) VALUES (1, 1, 'member')")
        connection.execute(INSERT_OLD_LINK, [b"k" * 32, 1])
        # the release before made no second link, and let the first one be when the member was removed
        connection.execute("INSERT INTO memberships (project_id, user_id, role) VALUES (2, 1, 'admin')")
        connection.execute("DELETE FROM memberships WHERE project_id = 1")
    migrate(empty_database)
    assert select(empty_database, "SELECT project_id, user_id, role FROM invitations") == [(2, 1, "admin")]
    assert select(empty_database, "SELECT project_id FROM sign_in_links") == []
