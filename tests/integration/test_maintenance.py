"""Upkeep on a real PostgreSQL: partitions ahead, retention, and minutes that go while hours stay."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from app.core.database import Connection, connect, open_pool
from app.core.errors import ClocksDisagree, PartitionBlocked
from app.core.queries.maintenance import MAINTENANCE_LOCK
from app.core.queries.partitions import drop_partitions_before, ensure_partitions, partition_name
from app.core.queries.rollups import compact_bucket
from app.core.queries.session_locks import release_session_lock, try_session_lock
from app.core.redis_client import connect as connect_redis
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import Event, new_event_id
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from tests.waiting import wait_until
from worker.maintenance import agreed_time, maintain
from worker.runner import Runner
from worker.store import EventStore, ReceivedEvent

NOW = datetime(2031, 5, 20, 12, 30, tzinfo=UTC)
WAITS_FOR_A_ROW = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test' AND wait_event_type = 'Lock'
"""
SELECT_PARTITIONS = """
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1
"""


@pytest.fixture
def database(database_url: str, clean_database: None) -> Iterator[Connection]:
    """A connection; the partitions that a test leaves in its future are dropped, and today's are made again."""
    with connect(database_url, application_name="test", statement_timeout_ms=10_000) as connection:
        connection.execute("INSERT INTO projects (name) VALUES ('demo')")
        yield connection
        drop_partitions_before(connection, NOW.date() + timedelta(days=100))
        today = datetime.now(UTC).date()
        ensure_partitions(connection, today - timedelta(days=1), today + timedelta(days=7))


def store_at(connection: Connection, *times: datetime) -> None:
    received = [
        ReceivedEvent(Event(new_event_id(), 1, UUID(int=1), "v", Decimal(5)), int(time.timestamp() * 1_000))
        for time in times
    ]
    assert EventStore().store(connection, received).new == len(times)


def partitions(connection: Connection) -> list[str]:
    return [row[0] for row in connection.execute(SELECT_PARTITIONS)]


def test_partitions_are_made_a_week_ahead(database):
    maintain(database, NOW, retention_days=90)
    expected = {partition_name(NOW.date() + timedelta(days=offset)) for offset in range(-1, 8)}
    assert expected <= set(partitions(database))


def test_events_past_their_retention_go_and_their_hours_and_days_stay(database):
    store_at(database, NOW - timedelta(days=41), NOW - timedelta(days=39), NOW)
    fold_all(database)
    maintain(database, NOW, retention_days=40)
    assert database.execute("SELECT count(*) FROM events").fetchone() == (2,)
    rows = database.execute("SELECT grain, sum(events) FROM rollups WHERE prompt_key = 0 GROUP BY 1 ORDER BY 1")
    assert rows.fetchall() == [("day", 3), ("hour", 3), ("minute", 1)]
    assert partition_name((NOW - timedelta(days=41)).date()) not in partitions(database)


def test_partitions_stay_for_as_long_as_events_may_come_with_such_a_time(database):
    received = [
        ReceivedEvent(Event(new_event_id(), 1, UUID(int=1), "v", Decimal(5)), int(time.timestamp() * 1_000))
        for time in (NOW - timedelta(days=30), NOW - timedelta(days=33))
    ]
    EventStore().store(database, received)
    maintain(database, NOW, retention_days=1)
    assert database.execute("SELECT count(*) FROM events").fetchone() == (1,)
    assert EventStore().store(database, received[:1]).new == 0


def test_a_table_that_somebody_else_has_attached_stays(database):
    database.execute("CREATE TABLE archive_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')")
    try:
        maintain(database, NOW, retention_days=90)
        assert "archive_2025" in partitions(database)
    finally:
        database.execute("DROP TABLE archive_2025")


def test_upkeep_goes_by_postgresqls_clock(database):
    here = datetime.now(UTC)
    assert abs(agreed_time(database, here - timedelta(minutes=50)) - here) < timedelta(minutes=5)


@pytest.mark.parametrize("days", [-90, 90])
def test_nothing_is_cleaned_up_where_the_clocks_of_two_machines_disagree(database, days):
    with pytest.raises(ClocksDisagree, match="set the wrong one right"):
        agreed_time(database, datetime.now(UTC) + timedelta(days=days))


def test_a_worker_whose_clock_is_wrong_drops_nothing_and_goes_on_draining(
    database, database_url, redis_url, clean_redis
):
    pool = open_pool(database_url, application_name="pa-worker", size=1)
    client = connect_redis(redis_url, timeout_seconds=5)
    store_at(database, datetime.now(UTC) - timedelta(days=5))
    wrong = datetime.now(UTC) + timedelta(days=1_000)
    runner = Runner(EventBuffer(client), client, pool, consumer="w", retention_days=90, clock=lambda: wrong)
    EventBuffer(client).append(Event(new_event_id(), 1, UUID(int=1), "v"))
    runner.tick()
    assert database.execute("SELECT count(*) FROM events").fetchone() == (2,)
    pool.close()
    client.close()


def test_minutes_go_after_a_week_and_not_before(database):
    store_at(database, NOW - timedelta(days=7, hours=2), NOW - timedelta(days=7), NOW)
    fold_all(database)
    maintain(database, NOW, retention_days=90)
    rows = database.execute("SELECT bucket_start FROM rollups WHERE grain = 'minute' AND prompt_key = 0 ORDER BY 1")
    assert [row[0] for row in rows] == [NOW - timedelta(days=7), NOW]


def test_a_second_worker_leaves_the_upkeep_to_the_first_but_still_makes_partitions(database, database_url):
    store_at(database, NOW - timedelta(days=40))
    with connect(database_url, application_name="other", statement_timeout_ms=10_000) as other:
        assert try_session_lock(other, MAINTENANCE_LOCK)
        maintain(database, NOW, retention_days=30)
        assert database.execute("SELECT count(*) FROM events").fetchone() == (1,)
        assert partition_name(NOW.date() + timedelta(days=7)) in partitions(database)
        release_session_lock(other, MAINTENANCE_LOCK)
    maintain(database, NOW, retention_days=30)
    assert database.execute("SELECT count(*) FROM events").fetchone() == (0,)


def test_an_event_of_a_day_without_a_partition_gets_one(database):
    past = datetime(2026, 1, 5, 23, 59, 59, 999_000, tzinfo=UTC)
    store_at(database, past, past + timedelta(milliseconds=1))
    assert {"events_20260105", "events_20260106"} <= set(partitions(database))


def test_the_histograms_of_yesterday_are_compacted(database):
    yesterday = NOW - timedelta(days=1)
    for _ in range(20):
        store_at(database, yesterday, NOW)
        fold_all(database)
    select = """
        SELECT grain, octet_length(latency_histogram)
        FROM rollups
        WHERE version_key = 0 AND prompt_key = 0 AND grain <> 'minute'
        ORDER BY grain, bucket_start
    """
    assert database.execute(select).fetchall() == [("day", 80), ("day", 80), ("hour", 80), ("hour", 80)]
    maintain(database, NOW, retention_days=90)
    assert database.execute(select).fetchall() == [("day", 4), ("day", 80), ("hour", 4), ("hour", 80)]
    assert assert_rollups_equal_a_recount(database) == 40


def test_a_histogram_that_grew_while_it_was_compacted_keeps_what_it_has(database, database_url):
    yesterday = NOW - timedelta(days=1)
    for _ in range(20):
        store_at(database, yesterday)
        fold_all(database)
    with connect(database_url, application_name="fold", statement_timeout_ms=10_000) as folding:
        with folding.transaction():
            store_at(folding, yesterday)
            fold_all(folding)
            day = (1, "day", yesterday.replace(hour=0, minute=0))
            upkeep = threading.Thread(target=compact_bucket, args=(database, *day), kwargs={"longer_than_bytes": 0})
            upkeep.start()
            wait_until(lambda: folding.execute(WAITS_FOR_A_ROW).fetchone() != (0,))
        upkeep.join()
    assert assert_rollups_equal_a_recount(database) == 21


def test_a_busy_table_puts_off_only_the_drop(database, database_url):
    store_at(database, NOW - timedelta(days=40), NOW - timedelta(days=20))
    fold_all(database)
    with connect(database_url, application_name="backup", statement_timeout_ms=10_000) as backup, backup.transaction():
        backup.execute("LOCK TABLE events IN ACCESS SHARE MODE")
        maintain(database, NOW, retention_days=30)
    assert database.execute("SELECT count(*) FROM events").fetchone() == (2,)
    assert database.execute("SELECT count(*) FROM rollups_minute").fetchone() == (0,)
    maintain(database, NOW, retention_days=30)
    assert database.execute("SELECT count(*) FROM events").fetchone() == (1,)


def test_numbers_of_old_events_go_and_those_of_losses_stay(database):
    database.execute("""
        INSERT INTO series (series, project_id, hour, changed_at)
        VALUES ('old', 1, '2031-01-01', '2031-01-01'), ('lossy', 1, '2031-01-01', '2031-01-01'),
               ('new', 1, '2031-05-19', '2031-05-19');
        INSERT INTO losses (series, project_id, hour, numbers, first_at, last_at)
        VALUES ('lossy', 1, '2031-01-01', '{[1,2)}', now(), now())
    """)
    maintain(database, NOW, retention_days=90)
    assert database.execute("SELECT series FROM series ORDER BY series").fetchall() == [("lossy",), ("new",)]


def test_entries_of_the_audit_log_go_after_400_days(database):
    for days in (401, 399):
        occurred_at = NOW - timedelta(days=days)
        database.execute("INSERT INTO audit_log (action, occurred_at) VALUES (%s, %s)", [str(days), occurred_at])
    maintain(database, NOW, retention_days=90)
    assert database.execute("SELECT action FROM audit_log").fetchall() == [("399",)]


def test_a_partition_that_cannot_be_made_keeps_no_other_upkeep_from_being_done(database):
    store_at(database, NOW - timedelta(days=100))
    name = partition_name(NOW.date() + timedelta(days=1))
    database.execute(f"CREATE TABLE {name} (day date)")
    try:
        with pytest.raises(PartitionBlocked, match=name):
            maintain(database, NOW, retention_days=90)
    finally:
        database.execute(f"DROP TABLE {name}")
    assert database.execute("SELECT count(*) FROM events").fetchone() == (0,)
