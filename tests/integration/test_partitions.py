import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import psycopg
import pytest

from app.core.database import Connection, connect, database_errors
from app.core.errors import DatabaseUnavailable
from app.core.migrations import migrate
from app.core.queries.partitions import drop_partitions_before, ensure_partitions, partition_name
from app.local.postgres import RunningPostgres
from tests.databases import new_database

FIRST = date(2031, 12, 28)
LAST = date(2032, 1, 3)
SELECT_DAYS = """
SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname ~ '^events_203' AND relkind = 'r' ORDER BY 1
"""
SELECT_INDEXES = "SELECT count(*) FROM pg_index WHERE indrelid = to_regclass(%(name)s) AND indisprimary"
INSERT_EVENT = """
INSERT INTO events (project_id, day, event_id, version_key, occurred_at, received_at)
VALUES (1, %(day)s, gen_random_uuid(), 1, now(), now())
"""


@pytest.fixture
def own_database(postgres: RunningPostgres) -> Iterator[str]:
    with new_database(postgres.url) as url:
        migrate(url)
        yield url


@pytest.fixture
def connection(own_database: str) -> Iterator[Connection]:
    with open_connection(own_database) as connection:
        yield connection


def open_connection(url: str) -> Connection:
    # the lock timeout that counts is the one that partitions set themselves
    return connect(url, application_name="tests", statement_timeout_ms=10_000, lock_timeout_ms=60_000)


def test_it_makes_every_day_from_the_first_to_the_last(connection: Connection):
    ensure_partitions(connection, FIRST, LAST)
    rows = connection.execute(SELECT_DAYS).fetchall()
    assert [name for name, _ in rows] == [partition_name(FIRST + timedelta(days=offset)) for offset in range(7)]
    assert rows[4][1] == "FOR VALUES FROM ('2032-01-01') TO ('2032-01-02')"


def test_a_partition_has_the_primary_key(connection: Connection):
    ensure_partitions(connection, FIRST, FIRST)
    assert connection.execute(SELECT_INDEXES, {"name": partition_name(FIRST)}).fetchone() == (1,)
    connection.execute(INSERT_EVENT, {"day": FIRST})
    row = connection.execute("SELECT tableoid::regclass::text FROM events").fetchone()
    assert row == (partition_name(FIRST),)


def test_it_fills_gaps_and_leaves_what_is_there(connection: Connection):
    ensure_partitions(connection, FIRST, FIRST)
    connection.execute(INSERT_EVENT, {"day": FIRST})
    ensure_partitions(connection, FIRST, LAST)
    ensure_partitions(connection, FIRST, LAST)
    assert len(connection.execute(SELECT_DAYS).fetchall()) == 7
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)


def test_four_callers_at_once_do_not_disturb_each_other_or_the_inserts(own_database: str, connection: Connection):
    ensure_partitions(connection, FIRST, FIRST)
    start = threading.Barrier(5)
    done = threading.Event()

    def make(_number: int) -> None:
        with open_connection(own_database) as own:
            start.wait()
            ensure_partitions(own, FIRST, LAST)

    def insert() -> int:
        inserted = 0
        with open_connection(own_database) as own:
            start.wait()
            while not done.is_set() or inserted == 0:
                own.execute(INSERT_EVENT, {"day": FIRST})
                inserted += 1
        return inserted

    with ThreadPoolExecutor(5) as threads:
        inserting = threads.submit(insert)
        making = [threads.submit(make, number) for number in range(4)]
        try:
            for made in making:
                made.result()
        finally:
            done.set()
        inserted = inserting.result()
    assert len(connection.execute(SELECT_DAYS).fetchall()) == 7
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (inserted,)


def test_making_one_does_not_wait_for_an_open_transaction_that_inserted(own_database: str, connection: Connection):
    ensure_partitions(connection, FIRST, FIRST)
    with psycopg.connect(own_database) as other:
        other.execute(INSERT_EVENT, {"day": FIRST})
        connection.execute("SET lock_timeout = '200ms'")
        ensure_partitions(connection, FIRST, LAST)
    assert len(connection.execute(SELECT_DAYS).fetchall()) == 7


def test_it_drops_the_days_before_and_keeps_the_day_itself(connection: Connection):
    ensure_partitions(connection, date(2021, 12, 30), date(2022, 1, 2))
    assert drop_partitions_before(connection, date(2022, 1, 1)) == ["events_20211230", "events_20211231"]
    assert drop_partitions_before(connection, date(2022, 1, 1)) == []
    connection.execute(INSERT_EVENT, {"day": date(2022, 1, 1)})


def test_dropping_gives_way_to_a_query_that_takes_long(own_database: str, connection: Connection):
    ensure_partitions(connection, date(2022, 1, 1), date(2022, 1, 1))
    with psycopg.connect(own_database) as other:
        other.execute("SELECT count(*) FROM events")
        with pytest.raises(DatabaseUnavailable, match="LockNotAvailable"), database_errors():
            drop_partitions_before(connection, date(2022, 1, 2))
    assert drop_partitions_before(connection, date(2022, 1, 2)) == ["events_20220101"]


def test_two_who_drop_at_once_do_not_disturb_each_other(own_database: str, connection: Connection):
    ensure_partitions(connection, date(2022, 1, 1), date(2022, 1, 6))
    start = threading.Barrier(2)

    def drop(_number: int) -> list[str]:
        with open_connection(own_database) as own:
            start.wait()
            return drop_partitions_before(own, date(2022, 1, 7))

    with ThreadPoolExecutor(2) as threads:
        dropped = [name for names in threads.map(drop, range(2)) for name in names]
    assert sorted(dropped) == [f"events_202201{day:02}" for day in range(1, 7)]
