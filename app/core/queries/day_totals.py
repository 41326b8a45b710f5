"""What a project's raw events of a UTC day add up to, and what its rollups say of the same day."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.core.database import Connection
from app.core.queries.rows import all_rows, one_row


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTotals:
    """How many events, and exact sums."""

    events: int
    latency_sum: Decimal
    cost_sum: Decimal
    score_sum: Decimal


def select_event_totals(connection: Connection, project_id: int, day: date) -> DayTotals:
    """Counted: reads all events of the day."""
    sql = """
        SELECT count(*) AS events, coalesce(sum(latency_ms), 0) AS latency_sum, coalesce(sum(cost_usd), 0) AS cost_sum,
               coalesce(sum(score), 0) AS score_sum
        FROM events
        WHERE project_id = %(project_id)s AND day = %(day)s
    """
    totals = one_row(connection, DayTotals, sql, {"project_id": project_id, "day": day})
    assert totals is not None
    return totals


_ON_DAY = """bucket_start >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
              AND bucket_start < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'"""


def select_rolled_up_totals(connection: Connection, project_id: int, day: date) -> DayTotals:
    """By the rollups of the day's hours and what is not folded into them yet, as `ledger` compares them with events."""
    sql = f"""
        SELECT coalesce(sum(events), 0)::bigint AS events, coalesce(sum(latency_sum), 0) AS latency_sum,
               coalesce(sum(cost_sum), 0) AS cost_sum, coalesce(sum(score_sum), 0) AS score_sum
        FROM (
            SELECT events, latency_sum, cost_sum, score_sum
            FROM rollups
            WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0 AND grain = 'hour'
              AND {_ON_DAY}
            UNION ALL
            SELECT events, latency_sum, cost_sum, score_sum
            FROM rollup_additions
            WHERE project_id = %(project_id)s
              AND {_ON_DAY}
        ) AS parts
    """
    totals = one_row(connection, DayTotals, sql, {"project_id": project_id, "day": day})
    assert totals is not None
    return totals


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledUpDay:
    """How many events of a UTC day are in the rollups."""

    day: date
    events: int


def select_rolled_up_days(connection: Connection, project_id: int, *, before: date) -> list[RolledUpDay]:
    """The days before `before` that are in the rollups, the oldest first."""
    sql = """
        SELECT (bucket_start AT TIME ZONE 'UTC')::date AS day, events
        FROM rollups
        WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0 AND grain = 'day'
          AND bucket_start < %(before)s::date::timestamp AT TIME ZONE 'UTC'
        ORDER BY bucket_start
    """
    return all_rows(connection, RolledUpDay, sql, {"project_id": project_id, "before": before})
