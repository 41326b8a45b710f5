"""Rollups made anew from raw events, while workers go on adding to them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from app.core.database import Connection
from app.core.queries.rollups import compact_bucket, create_incoming_rollups, merge_rollups
from app.core.queries.rows import all_values, one_row, one_value
from app.core.rollups.event_row import EventRow
from app.core.rollups.latency_histogram import ENTRY_BYTES
from app.core.rollups.rollup import roll_up

ROWS_AT_ONCE = 20_000
"""So many events are held in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HourTotals:
    """What a project's rollup of an hour says; the recount is compared with it."""

    events: int
    latency_sum: Decimal
    cost_sum: Decimal
    score_sum: Decimal


def select_days_with_events(connection: Connection, project_id: int) -> list[date]:
    """The days of which the project has raw events, the oldest first."""
    sql = "SELECT DISTINCT day FROM events WHERE project_id = %(project_id)s ORDER BY day"
    return all_values(connection, sql, {"project_id": project_id})


def recount_hour(connection: Connection, project_id: int, hour: datetime, *, minutes: bool) -> bool:
    """Make the rollups of an hour anew, those of its minutes too where `minutes` says so; whether they were wrong.

    That is: the project's totals were, or a histogram was damaged.

    What workers have added and not committed is counted by them afterwards: they wait for the lock with their rollups,
    so that their events are in none of the two sums or in both. The connection is one in autocommit mode.
    """
    grains = ["minute", "hour"] if minutes else ["hour"]
    with connection.transaction():
        connection.execute("LOCK TABLE rollups IN SHARE ROW EXCLUSIVE MODE")
        if not _has_events(connection, project_id, hour.date()):
            return False
        before = _hour_totals(connection, project_id, hour)
        was_damaged = _delete(connection, project_id, grains, hour, hour + timedelta(hours=1))
        create_incoming_rollups(connection)
        for rows in _events(connection, project_id, hour):
            merge_rollups(connection, [(key, rollup) for key, rollup in roll_up(rows) if key.grain in grains])
            connection.execute("TRUNCATE incoming_rollup_keys, incoming_rollup_values")
        return was_damaged or _hour_totals(connection, project_id, hour) != before


SUM_UP_HOURS = """
INSERT INTO rollups (
    project_id, prompt_key, version_key, grain, bucket_start, events,
    latency_count, latency_sum, latency_sum_squares, latency_min, latency_max,
    latency_log_sum, latency_log_sum_squares, latency_histogram,
    cost_count, cost_sum, cost_sum_squares, cost_min, cost_max,
    score_count, score_sum, score_sum_squares, score_min, score_max
)
SELECT project_id, prompt_key, version_key, 'day', %(day)s, sum(events),
       sum(latency_count), sum(latency_sum), sum(latency_sum_squares), min(latency_min), max(latency_max),
       sum(latency_log_sum), sum(latency_log_sum_squares), string_agg(latency_histogram, ''),
       sum(cost_count), sum(cost_sum), sum(cost_sum_squares), min(cost_min), max(cost_max),
       sum(score_count), sum(score_sum), sum(score_sum_squares), min(score_min), max(score_max)
FROM rollups
WHERE project_id = %(project_id)s AND grain = 'hour'
  AND bucket_start >= %(day)s AND bucket_start < %(day)s + interval '1 day'
GROUP BY project_id, prompt_key, version_key
"""


def recount_day(connection: Connection, project_id: int, day: datetime) -> bool:
    """Make the rollups of a UTC day anew from those of its hours; as `recount_hour`.

    Whether a histogram was damaged: totals that were wrong were so in an hour, too.
    """
    with connection.transaction():
        connection.execute("LOCK TABLE rollups IN SHARE ROW EXCLUSIVE MODE")
        if not _has_events(connection, project_id, day.date()):
            return False
        was_damaged = _delete(connection, project_id, ["day"], day, day + timedelta(days=1))
        connection.execute(SUM_UP_HOURS, {"project_id": project_id, "day": day})
        compact_bucket(connection, project_id, "day", day, longer_than_bytes=0)
    return was_damaged


def _has_events(connection: Connection, project_id: int, day: date) -> bool:
    """Whether the project still has raw events of the day; then they stay until the end of the transaction."""
    sql = "SELECT EXISTS (SELECT FROM events WHERE project_id = %(project_id)s AND day = %(day)s)"
    return bool(one_value(connection, sql, {"project_id": project_id, "day": day}))


def _hour_totals(connection: Connection, project_id: int, hour: datetime) -> HourTotals | None:
    sql = """
        SELECT events, latency_sum, cost_sum, score_sum
        FROM rollups
        WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0
          AND grain = 'hour' AND bucket_start = %(hour)s
    """
    return one_row(connection, HourTotals, sql, {"project_id": project_id, "hour": hour})


def _delete(connection: Connection, project_id: int, grains: list[str], start: datetime, end: datetime) -> bool:
    """Whether one of the histograms was damaged."""
    sql = """
        WITH deleted AS (
            DELETE FROM rollups
            WHERE project_id = %(project_id)s AND grain = ANY (%(grains)s)
              AND bucket_start >= %(start)s AND bucket_start < %(end)s
            RETURNING octet_length(latency_histogram) AS length
        )
        SELECT coalesce(bool_or(length %% %(entry_bytes)s <> 0), false) FROM deleted
    """
    parameters = {
        "project_id": project_id,
        "grains": grains,
        "start": start,
        "end": end,
        "entry_bytes": ENTRY_BYTES,
    }
    return bool(one_value(connection, sql, parameters))


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredEvent:
    prompt_key: int
    version_key: int
    day: date
    event_id: UUID
    occurred_at_ms: int
    latency_ms: Decimal | None
    cost_usd: Decimal | None
    score: Decimal | None


def _events(connection: Connection, project_id: int, hour: datetime) -> Iterator[list[EventRow]]:
    sql = """
        SELECT prompt_versions.prompt_key, events.version_key, events.day, events.event_id,
               (extract(epoch FROM events.occurred_at) * 1000)::bigint AS occurred_at_ms,
               events.latency_ms, events.cost_usd, events.score
        FROM events
        JOIN prompt_versions ON prompt_versions.id = events.version_key
        WHERE events.project_id = %(project_id)s AND events.day = %(day)s
          AND events.occurred_at >= %(hour)s AND events.occurred_at < %(hour)s + interval '1 hour'
    """
    parameters = {"project_id": project_id, "day": hour.date(), "hour": hour}
    with connection.cursor("recount", row_factory=class_row(_StoredEvent)) as cursor:
        cursor.execute(sql, parameters)
        while found := cursor.fetchmany(ROWS_AT_ONCE):
            yield [
                EventRow(
                    *(project_id, each.prompt_key, each.version_key, each.day, each.event_id.bytes),
                    *(each.occurred_at_ms, each.occurred_at_ms),
                    *(each.latency_ms, each.cost_usd, each.score),
                )
                for each in found
            ]
