"""Reading raw events for a download."""

import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from app.core.analytics.event_download import iterate_events
from app.core.database import Connection
from app.core.errors import DatabaseUnavailable
from app.core.queries.raw_events import ROWS_AT_ONCE, EventsOf
from app.core.rollups.time_range import TimeRange
from tests.drains import open_connection
from tests.sign_in import create_project
from tests.stored_events import an_event, store_events
from tests.waiting import wait_until

OPEN = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pa-download'"
MEMORY_BYTES = 20_000_000


@pytest.fixture
def project_id(database_url: str, clean_database: None) -> int:
    return create_project(database_url, "demo")


@pytest.fixture
def connection(database_url: str):
    with open_connection(database_url) as connection:
        yield connection


def last_day() -> TimeRange:
    now = datetime.now(UTC)
    return TimeRange(now - timedelta(days=1), now + timedelta(hours=1), "minute")


def open_downloads(connection: Connection) -> int:
    row = connection.execute(OPEN).fetchone()
    assert row is not None
    return int(row[0])


def test_a_day_is_as_of_the_moment_in_which_it_is_begun(database_url: str, connection: Connection, project_id: int):
    store_events(database_url, [an_event(project_id) for _ in range(2 * ROWS_AT_ONCE)])
    events = iterate_events(database_url, EventsOf(project_id), last_day())
    first = next(events)
    connection.execute("DELETE FROM events")
    store_events(database_url, [an_event(project_id, version="later")])
    assert {event.version_hash for event in [first, *events]} == {"v1"}


def test_a_reader_who_pauses_for_too_long_loses_the_connection(
    database_url: str, connection: Connection, project_id: int
):
    store_events(database_url, [an_event(project_id) for _ in range(ROWS_AT_ONCE + 1)])
    events = iterate_events(database_url, EventsOf(project_id), last_day(), longest_pause_seconds=0.2)
    next(events)
    wait_until(lambda: open_downloads(connection) == 0)
    with pytest.raises(DatabaseUnavailable):
        list(events)


def test_memory_stays_the_same_however_many_events_there_are(database_url: str, project_id: int):
    store_events(database_url, [an_event(project_id, version="x" * 250) for _ in range(20 * ROWS_AT_ONCE)])
    tracemalloc.start()
    try:
        count = sum(1 for _ in iterate_events(database_url, EventsOf(project_id), last_day()))
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20 * ROWS_AT_ONCE
    assert most_bytes < MEMORY_BYTES
