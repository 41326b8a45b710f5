"""Rollups made anew from raw events, while workers go on adding to them.

A recount sees one moment: of what a worker commits later it counts neither events nor additions, and whatever it counts
anew it takes out of the additions. So no drain waits for it, but where the tables are spread over nodes; folds do, and
workers of the releases that wrote rollups with their events.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from app.core.database import Connection
from app.core.queries.additions import fold_locked, take_additions
from app.core.queries.distribution import end_what_was_prepared, is_distributed
from app.core.queries.rollups import compact_bucket, create_incoming_rollups, merge_rollups
from app.core.queries.rows import all_values, one_row, one_value
from app.core.rollups.event_row import EventRow
from app.core.rollups.latency_histogram import ENTRY_BYTES
from app.core.rollups.rollup import ByMinute, at_every_level, count_by_minute

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


@contextmanager
def _snapshot(connection: Connection, project_id: int) -> Iterator[None]:
    """A transaction that sees one moment, in which nobody else is about to change rollups.

    Where they are spread over nodes each of these has a moment of its own: there drains wait, too.
    """
    is_spread = is_distributed(connection)
    if is_spread:
        end_what_was_prepared(connection)
    with fold_locked(connection, project_id), connection.transaction():
        if is_spread:
            # on the nodes a snapshot would be older than these locks; while they are held nothing is stored anywhere
            connection.execute("LOCK TABLE rollups IN SHARE ROW EXCLUSIVE MODE")
            connection.execute("LOCK TABLE rollup_additions IN EXCLUSIVE MODE")
        else:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            # LOCK comes before the snapshot, which is that of the first query
            connection.execute("LOCK TABLE rollups IN SHARE ROW EXCLUSIVE MODE")
        yield


def recount_hour(connection: Connection, project_id: int, hour: datetime, *, minutes: bool) -> bool:
    """Make the rollups of an hour anew, those of its minutes too where `minutes` says so; whether they were wrong.

    That is: the project's totals were, or a histogram was damaged. The additions of the hour are in what is counted
    anew, and folded into the rollups of its day. The connection is one in autocommit mode.
    """
    grains = ["minute", "hour"] if minutes else ["hour"]
    end = hour + timedelta(hours=1)
    with _snapshot(connection, project_id):
        if not _has_events(connection, project_id, hour.date()):
            return False
        before = _hour_totals(connection, project_id, hour)
        taken = take_additions(connection, project_id, start=hour, end=end).by_minute
        was_damaged = _delete(connection, project_id, grains, hour, end) | any(
            rollup.is_damaged for rollup in taken.values()
        )
        create_incoming_rollups(connection)
        _merge(connection, taken, ["day"])
        for rows in _events(connection, project_id, hour):
            _merge(connection, count_by_minute(rows), grains)
        return was_damaged or _hour_totals(connection, project_id, hour) != before


def _merge(connection: Connection, by_minute: ByMinute, grains: list[str]) -> None:
    merge_rollups(connection, [(key, rollup) for key, rollup in at_every_level(by_minute) if key.grain in grains])
    connection.execute("TRUNCATE incoming_rollup_keys, incoming_rollup_values")


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

    Whether a histogram was damaged: totals that were wrong were so in an hour, too. What is not folded yet is
    missing in both.
    """
    with _snapshot(connection, project_id):
        if not _has_events(connection, project_id, day.date()):
            return False
        was_damaged = _delete(connection, project_id, ["day"], day, day + timedelta(days=1))
        connection.execute(SUM_UP_HOURS, {"project_id": project_id, "day": day})
        compact_bucket(connection, project_id, "day", day, longer_than_bytes=0)
    return was_damaged


def _has_events(connection: Connection, project_id: int, day: date) -> bool:
    """Whether the project still has raw events of the day; then they stay until the end of the transaction."""
    sql = "SELECT EXISTS (SELECT 1 FROM events WHERE project_id = %(project_id)s AND day = %(day)s)"
    return bool(one_value(connection, sql, {"project_id": project_id, "day": day}))


def _hour_totals(connection: Connection, project_id: int, hour: datetime) -> HourTotals | None:
    """Of rollups and additions; None where both are empty."""
    sql = """
        SELECT sum(events)::bigint AS events, sum(latency_sum) AS latency_sum, sum(cost_sum) AS cost_sum,
               sum(score_sum) AS score_sum
        FROM (
            SELECT events, latency_sum, cost_sum, score_sum
            FROM rollups
            WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0
              AND grain = 'hour' AND bucket_start = %(hour)s
            UNION ALL
            SELECT events, latency_sum, cost_sum, score_sum
            FROM rollup_additions
            WHERE project_id = %(project_id)s
              AND bucket_start >= %(hour)s AND bucket_start < %(hour)s + interval '1 hour'
        ) AS parts
        HAVING count(*) > 0
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
