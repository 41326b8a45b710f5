"""The table of additions stays small, and upkeep that comes before the fold makes nothing wrong."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from app.core.database import Connection
from app.core.queries.additions import TAKE_ADDITIONS, shrink_additions
from app.core.queries.partitions import ensure_coming_partitions
from app.core.rollups.latency_histogram import ENTRY_BYTES
from app.core.stream.events import Event, new_event_id
from tests.drains import open_connection
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from tests.waiting import wait_until
from worker.maintenance import maintain
from worker.store import EventStore, ReceivedEvent

NOW = datetime.now(UTC)
MEGABYTE = 1_000_000
FILL = """
INSERT INTO rollup_additions
SELECT added.* FROM generate_series(1, 8000), LATERAL (SELECT * FROM rollup_additions LIMIT 1) AS added
"""
EMPTY = "DELETE FROM rollup_additions WHERE ctid <> (SELECT max(ctid) FROM rollup_additions)"

DEAD = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relid = 'rollup_additions'::regclass"


def store_at(connection: Connection, project_id: int, *times: datetime) -> None:
    batch = [
        ReceivedEvent(Event(new_event_id(), project_id, UUID(int=1), "v", Decimal(5)), int(time.timestamp() * 1_000))
        for time in times
    ]
    assert EventStore().store(connection, batch).new == len(times)


def additions_bytes(connection: Connection) -> int:
    row = connection.execute("SELECT pg_relation_size('rollup_additions')").fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def sparse(database: Connection, project_id: int) -> None:
    """One row at the end of a table that held thousands, as a long snapshot leaves it."""
    store_at(database, project_id, NOW)
    database.execute(FILL)
    database.execute(EMPTY)
    # PostgreSQL 15 and later write down what a connection did a second later: after the vacuum it would count again.
    wait_until(lambda: (database.execute(DEAD).fetchone() or (0,))[0] >= 7_000)
    database.execute("VACUUM rollup_additions")
    assert additions_bytes(database) > MEGABYTE


@pytest.mark.usefixtures("sparse")
def test_a_fold_after_a_vacuum_compares_no_addition_with_each_minute(database: Connection, project_id: int):
    """The planner then takes the table for empty, whatever batches add: a join in loops would take minutes."""
    parameters = {"project_id": project_id, "start": None, "end": None, "max_rows": 9, "max_minutes": 9}
    plan = database.execute(f"EXPLAIN {TAKE_ADDITIONS}", parameters | {"entry_bytes": ENTRY_BYTES}).fetchall()
    assert "Nested Loop" not in str(plan)


@pytest.mark.usefixtures("sparse")
def test_what_the_table_has_grown_beyond_its_rows_is_given_back(database):
    wait_until(lambda: shrink_additions(database, above_bytes=MEGABYTE, lock_timeout_ms=500))
    assert additions_bytes(database) < MEGABYTE
    assert assert_rollups_equal_a_recount(database) == 1
    assert not shrink_additions(database, above_bytes=MEGABYTE, lock_timeout_ms=500)
    assert database.execute("SHOW lock_timeout").fetchone() == ("5s",)


@pytest.mark.usefixtures("sparse")
def test_a_table_that_is_in_use_stays_as_it_is_and_the_upkeep_goes_on(
    database, database_url, monkeypatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("worker.maintenance.SPARSE_BYTES", MEGABYTE)
    with open_connection(database_url) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM rollup_additions")

        def stays_large() -> bool:
            maintain(database, NOW, retention_days=90)
            return "stays large" in caplog.text

        wait_until(stays_large, 30)
    assert vars(caplog.records[-1])["see"] == "docs/runbook.md#locked_rows"
    assert assert_rollups_equal_a_recount(database) == 1


def test_a_table_that_is_full_is_not_written_anew(database, project_id):
    store_at(database, project_id, NOW)
    database.execute(FILL)
    database.execute("ANALYZE rollup_additions")
    assert not shrink_additions(database, above_bytes=MEGABYTE, lock_timeout_ms=500)


def test_what_is_folded_after_its_raw_events_and_minutes_have_gone_counts_in_hours_and_days(database, project_id):
    store_at(database, project_id, NOW - timedelta(days=41), NOW - timedelta(days=8), NOW)
    maintain(database, NOW, retention_days=40)
    fold_all(database)
    maintain(database, NOW, retention_days=40)
    ensure_coming_partitions(database, NOW.date())
    assert database.execute("SELECT count(*) FROM events").fetchone() == (2,)
    rows = database.execute("SELECT grain, sum(events) FROM rollups WHERE prompt_key = 0 GROUP BY 1 ORDER BY 1")
    assert rows.fetchall() == [("day", 3), ("hour", 3), ("minute", 1)]
