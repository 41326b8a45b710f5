"""How far back single events are looked for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app.core.analytics.single_events import LONGEST_LOOK_SECONDS, read_single_events
from app.core.database import Connection
from app.core.rollups.time_range import TimeRange
from tests.drains import open_connection
from tests.sign_in import create_project
from tests.stored_events import PROMPT, an_event, store_events

LOCK = "LOCK TABLE events IN ACCESS EXCLUSIVE MODE"


@pytest.fixture
def project_id(database_url: str, clean_database: None) -> int:
    return create_project(database_url, "demo")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with open_connection(database_url) as connection:
        yield connection


def last_week() -> TimeRange:
    now = datetime.now(UTC)
    return TimeRange(now - timedelta(days=7), now + timedelta(minutes=1), "hour")


def test_it_looks_no_further_back_than_there_is_time_for(database_url: str, connection: Connection, project_id: int):
    store_events(database_url, [an_event(project_id, timedelta(days=day), latency_ms=f"{day + 1}") for day in range(5)])
    # the days are begun at these times, after the one at which the time begins to count
    times = iter([0.0, 0.0, 1.0, LONGEST_LOOK_SECONDS])
    found = read_single_events(
        connection, project_id, PROMPT, last_week(), only=(), order="slowest", clock=lambda: next(times)
    )
    assert [event.latency_ms for event in found.events] == [2, 1]
    assert not found.is_whole
    assert found.looked_since.date() == (datetime.now(UTC) - timedelta(days=1)).date()


def test_a_day_that_takes_too_long_ends_the_look_and_harms_nothing(
    database_url: str, connection: Connection, project_id: int
):
    store_events(database_url, [an_event(project_id)])
    # the first look at the clock begins the time, the second leaves a millisecond of it
    times = iter([0.0, LONGEST_LOOK_SECONDS - 0.001])
    with open_connection(database_url) as other, other.transaction():
        other.execute(LOCK)
        found = read_single_events(
            connection, project_id, PROMPT, last_week(), only=(), order="latest", clock=lambda: next(times)
        )
    assert (found.events, found.is_whole) == ([], False)
    assert read_single_events(connection, project_id, PROMPT, last_week(), only=(), order="latest").is_whole
