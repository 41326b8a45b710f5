"""Usage from real rollups: consistency and limits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from app.core.analytics.usage import MAX_ROWS, project_usage, prompt_usage
from app.core.database import Connection, ConnectionPool, connection_from
from app.core.errors import DatabaseUnavailable
from app.core.rollups.time_range import TimeRange
from app.core.stream.events import Event, new_event_id
from tests.folds import fold_all
from tests.usage_recount import new_project, store_in_batches
from worker.store import ReceivedEvent

DAY = datetime(2026, 3, 7, tzinfo=UTC)
NOON_MS = int(DAY.timestamp() + 43_200) * 1_000
WHOLE_DAY = TimeRange(DAY, DAY + timedelta(days=1), "hour")


def an_event(project_id: int, prompt: int = 0, version_hash: str = "v1") -> ReceivedEvent:
    return ReceivedEvent(
        Event(new_event_id(), project_id, UUID(int=prompt), version_hash, cost_usd=Decimal("0.25")), NOON_MS
    )


def test_one_snapshot_does_not_see_what_is_stored_meanwhile(pool: ConnectionPool, database: Connection) -> None:
    project_id = new_project(database)
    store_in_batches(database, [an_event(project_id)], batch_size=1)
    with connection_from(pool, snapshot=True) as connection:
        before = project_usage(connection, project_id, WHOLE_DAY, "hour")
        store_in_batches(database, [an_event(project_id)], batch_size=1)
        assert project_usage(connection, project_id, WHOLE_DAY, "hour") == before
    with connection_from(pool, snapshot=True) as connection:
        assert project_usage(connection, project_id, WHOLE_DAY, "hour").totals.events == 2


def test_a_snapshot_cannot_write(pool: ConnectionPool) -> None:
    with (
        pytest.raises(DatabaseUnavailable, match="ReadOnlySqlTransaction"),
        connection_from(pool, snapshot=True) as connection,
    ):
        connection.execute("INSERT INTO projects (name) VALUES ('never')")


def test_it_lists_the_busiest_prompts_and_says_that_there_are_more(pool: ConnectionPool, database: Connection) -> None:
    project_id = new_project(database)
    busy = range(MAX_ROWS, MAX_ROWS + 3)
    events = [an_event(project_id, prompt) for prompt in range(MAX_ROWS + 3)]
    store_in_batches(database, [*events, *(an_event(project_id, prompt) for prompt in busy)], batch_size=5_000)
    with connection_from(pool, snapshot=True) as connection:
        found = project_usage(connection, project_id, WHOLE_DAY, "day")
    assert (found.truncated, len(found.breakdown)) == (True, MAX_ROWS)
    assert [(prompt.int, usage.events) for prompt, usage in found.breakdown[:4]] == [*((n, 2) for n in busy), (0, 1)]
    assert found.totals.events == MAX_ROWS + 6


def test_it_lists_the_busiest_versions_and_says_that_there_are_more(pool: ConnectionPool, database: Connection) -> None:
    project_id = new_project(database)
    busy = range(MAX_ROWS, MAX_ROWS + 3)
    events = [an_event(project_id, 0, f"{number:04}") for number in range(MAX_ROWS + 3)]
    store_in_batches(database, [*events, *(an_event(project_id, 0, f"{n:04}") for n in busy)], batch_size=5_000)
    with connection_from(pool, snapshot=True) as connection:
        found = prompt_usage(connection, project_id, UUID(int=0), WHOLE_DAY, "day")
    assert (found.truncated, len(found.breakdown)) == (True, MAX_ROWS)
    assert [(name, usage.events) for name, usage in found.breakdown[:4]] == [
        *((f"{n:04}", 2) for n in busy),
        ("0000", 1),
    ]


def test_a_project_with_many_prompts_lists_all_of_those_in_the_range(
    pool: ConnectionPool, database: Connection
) -> None:
    project_id = new_project(database)
    store_in_batches(database, [an_event(project_id, prompt) for prompt in range(MAX_ROWS + 1)], batch_size=5_000)
    the_day_before = ReceivedEvent(an_event(project_id, 7).event, NOON_MS - 86_400_000)
    store_in_batches(database, [the_day_before], batch_size=1)
    with connection_from(pool, snapshot=True) as connection:
        found = project_usage(connection, project_id, TimeRange(DAY - timedelta(days=1), DAY, "hour"), "day")
        nothing = project_usage(
            connection, project_id, TimeRange(DAY - timedelta(days=3), DAY - timedelta(days=1), "hour"), "day"
        )
    assert (found.truncated, [prompt.int for prompt, _ in found.breakdown]) == (False, [7])
    assert (nothing.truncated, nothing.breakdown) == (False, [])


def test_a_project_without_events_has_nulls_in_every_bucket(pool: ConnectionPool, database: Connection) -> None:
    project_id = new_project(database)
    with connection_from(pool, snapshot=True) as connection:
        found = project_usage(connection, project_id, WHOLE_DAY, "hour")
    assert (len(found.series), found.breakdown, found.truncated) == (24, [], False)
    assert {usage.events for _, usage in found.series} == {0}
    assert found.totals == found.series[0][1]


def test_a_damaged_histogram_leaves_percentiles_unknown_and_all_else_as_it_was(
    pool: ConnectionPool, database: Connection
) -> None:
    project_id = new_project(database)
    events = [
        ReceivedEvent(Event(new_event_id(), project_id, UUID(int=number), "v", Decimal(number + 1)), NOON_MS)
        for number in range(2)
    ]
    store_in_batches(database, events, batch_size=2)
    with connection_from(pool, snapshot=True) as connection:
        before = project_usage(connection, project_id, WHOLE_DAY, "hour")
    fold_all(database)
    database.execute(
        "UPDATE rollups SET latency_histogram = latency_histogram || 'x' WHERE project_id = %s AND prompt_key = "
        "(SELECT id FROM prompts WHERE project_id = %s AND prompt_id = %s)",
        [project_id, project_id, UUID(int=0)],
    )
    with connection_from(pool, snapshot=True) as connection:
        found = project_usage(connection, project_id, WHOLE_DAY, "hour")
    assert found.totals == before.totals
    damaged, whole = sorted(found.breakdown, key=lambda each: each[0])
    unknown = replace(dict(before.breakdown)[damaged[0]].latency_ms, p50=None, p95=None, p99=None)
    assert damaged[1].latency_ms == unknown
    assert whole == sorted(before.breakdown, key=lambda each: each[0])[1]


def test_a_damaged_histogram_that_is_not_folded_yet_leaves_percentiles_unknown_too(
    pool: ConnectionPool, database: Connection
) -> None:
    project_id = new_project(database)
    events = [
        ReceivedEvent(Event(new_event_id(), project_id, UUID(int=number // 3), "v", Decimal(number + 1)), NOON_MS)
        for number in range(6)
    ]
    store_in_batches(database, events, batch_size=3)
    database.execute(
        "UPDATE rollup_additions SET latency_histogram = latency_histogram || 'x' WHERE project_id = %s AND prompt_key "
        "= (SELECT id FROM prompts WHERE project_id = %s AND prompt_id = %s)",
        [project_id, project_id, UUID(int=0)],
    )
    with connection_from(pool, snapshot=True) as connection:
        found = project_usage(connection, project_id, WHOLE_DAY, "hour")
    damaged, whole = sorted(found.breakdown, key=lambda each: each[0])
    assert (damaged[1].latency_ms.count, damaged[1].latency_ms.max, damaged[1].latency_ms.p50) == (3, Decimal(3), None)
    assert whole[1].latency_ms.p50 == pytest.approx(5, rel=0.01)
    assert (found.totals.latency_ms.count, found.totals.latency_ms.p50) == (6, None)


def test_what_is_not_folded_is_read_once_by_each_statement_whatever_the_number_of_parts(
    pool: ConnectionPool, database: Connection
) -> None:
    project_id = new_project(database)
    event = Event(new_event_id(), project_id, UUID(int=1), "v")
    store_in_batches(database, [ReceivedEvent(event, NOON_MS)], batch_size=1)
    read = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'rollup_additions'"
    edges = TimeRange(DAY + timedelta(hours=11, minutes=1), DAY + timedelta(hours=25, minutes=1), "minute")
    with connection_from(pool, snapshot=True) as connection:
        found = project_usage(connection, project_id, edges, "hour")
        scans = connection.execute(read).fetchone()
    assert found.totals.events == 1
    assert scans == (3,)  # is the range's day over, the series, the prompts
