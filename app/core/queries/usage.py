"""Reading rollups. The histograms of one group come concatenated, which is how histograms are merged.

The statements are composed of what is summed, below, and where from: `app.core.queries.sources`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

from app.core.database import Connection
from app.core.queries.rows import all_rows, one_row, one_value
from app.core.queries.sources import MOST_PARTS, ROLLUPS_OF_ONE, ROLLUPS_OF_PROMPTS, ROLLUPS_OF_VERSIONS
from app.core.rollups.grains import Grain
from app.core.rollups.time_range import Part

# A histogram that is not whole entries would shift all that is put behind it: better none than a wrong one.
SUMS = """
    coalesce(sum(rollup.events), 0)::bigint AS events,
    coalesce(sum(rollup.cost_count), 0)::bigint AS cost_count,
    sum(rollup.cost_sum) AS cost_sum,
    coalesce(sum(rollup.latency_count), 0)::bigint AS latency_count,
    sum(rollup.latency_sum) AS latency_sum,
    min(rollup.latency_min) AS latency_min,
    max(rollup.latency_max) AS latency_max,
    CASE WHEN bool_and(mod(octet_length(rollup.latency_histogram), 4) = 0)
         THEN string_agg(rollup.latency_histogram, ''::bytea) END AS latency_histogram,
    coalesce(sum(rollup.score_count), 0)::bigint AS score_count,
    sum(rollup.score_sum) AS score_sum,
    min(rollup.score_min) AS score_min,
    max(rollup.score_max) AS score_max
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Merged rollups: SUMS. Extremes are None where their count is 0; sums and histogram too where there is no row.

    The histogram is also None where one of those merged is damaged (`ledger` names it, `recount` makes it anew).
    """

    events: int
    cost_count: int
    cost_sum: Decimal | None
    latency_count: int
    latency_sum: Decimal | None
    latency_min: Decimal | None
    latency_max: Decimal | None
    latency_histogram: bytes | None
    score_count: int
    score_sum: Decimal | None
    score_min: Decimal | None
    score_max: Decimal | None


Parameters = dict[str, Any]


def part_columns(parts: Sequence[Part]) -> Parameters:
    """The parameters that ROLLUPS_OF_… take for the parts. Raises ValueError for more than they take."""
    if len(parts) > MOST_PARTS:
        raise ValueError(f"{len(parts)} parts are more than {MOST_PARTS}")
    return {
        "grains": [part.grain for part in parts],
        "starts": [part.start for part in parts],
        "ends": [part.end for part in parts],
    }


def select_has_events(connection: Connection, project_id: int, part: Part) -> bool:
    """Whether the project has any event in a stretch of time."""
    sql = """
        SELECT EXISTS (
            SELECT 1 FROM rollups
            WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0 AND grain = %(grain)s
              AND bucket_start >= %(start)s AND bucket_start < %(end)s
        ) OR EXISTS (
            SELECT 1 FROM rollup_additions
            WHERE project_id = %(project_id)s AND bucket_start >= %(start)s AND bucket_start < %(end)s
        )
    """
    return bool(one_value(connection, sql, {"project_id": project_id, **part._asdict()}))


def select_totals(connection: Connection, project_id: int, prompt_key: int, parts: Sequence[Part]) -> UsageRow:
    """Usage of a whole prompt, or of the whole project where `prompt_key` is 0."""
    sql = f"SELECT {SUMS} FROM {ROLLUPS_OF_ONE}"
    parameters = {"project_id": project_id, "prompt_key": prompt_key, **part_columns(parts)}
    row = one_row(connection, UsageRow, sql, parameters)
    assert row is not None
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRow(UsageRow):
    """A bucket of a series, by its beginning; None for the totals of all."""

    point_start: datetime | None


def select_series(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    parts: Sequence[Part],
    *,
    interval: Grain,
    only: Sequence[int] | None,
) -> tuple[UsageRow, dict[datetime, UsageRow]]:
    """As `select_totals`, and by beginning of bucket, in any order; buckets without events are left out.

    With `only`, of these versions together.
    """
    # Without a point: the totals of all of them.
    sql = f"""
        SELECT date_trunc(%(interval)s, rollup.bucket_start, 'UTC') AS point_start, {SUMS}
        FROM {ROLLUPS_OF_ONE if only is None else ROLLUPS_OF_VERSIONS}
        GROUP BY GROUPING SETS ((), (point_start))
    """
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "interval": interval, "only": only}
    rows = all_rows(connection, PointRow, sql, parameters | part_columns(parts), binary=True)
    (totals,) = [row for row in rows if row.point_start is None]
    return totals, {row.point_start: row for row in rows if row.point_start is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptUsageRow(UsageRow):
    """A prompt in a range. `bucket_events`: events by rollup, which begin at `bucket_starts` (s since the epoch)."""

    prompt_key: int
    prompt_id: UUID
    name: str | None
    bucket_starts: list[int] | None
    bucket_events: list[int] | None


def select_prompts(
    connection: Connection,
    project_id: int,
    parts: Sequence[Part],
    only: Sequence[int] | None,
    *,
    with_activity: bool,
) -> list[PromptUsageRow]:
    """The prompts with events, in any order; all of them, or only those with certain keys."""
    # The times of a prompt's rows and the events in them come along: so its activity costs no query of its own, but
    # half as much again as without. No ORDER BY here and below: it would sort the histograms, too.
    activity: LiteralString = """
               array_agg(extract(epoch FROM rollup.bucket_start)::bigint) AS bucket_starts,
               array_agg(rollup.events) AS bucket_events"""
    sql = f"""
        SELECT prompts.id AS prompt_key, prompts.prompt_id, prompts.name,
               {activity if with_activity else "NULL AS bucket_starts, NULL AS bucket_events"}, {SUMS}
        FROM {ROLLUPS_OF_PROMPTS}
        JOIN prompts ON prompts.id = rollup.prompt_key
        GROUP BY prompts.id
    """
    parameters = {"project_id": project_id, "only": only, **part_columns(parts)}
    return all_rows(connection, PromptUsageRow, sql, parameters, binary=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionUsageRow(UsageRow):
    """A version in a range, with what a comparison needs: sums of squares, and of the logarithms of latencies in ms."""

    version_key: int
    version_hash: str
    name: str | None
    cost_sum_squares: Decimal
    latency_log_sum: float
    latency_log_sum_squares: float
    score_sum_squares: Decimal


def select_versions(
    connection: Connection, project_id: int, prompt_key: int, parts: Sequence[Part], only: Sequence[int] | None
) -> list[VersionUsageRow]:
    """The versions with events, in any order; all of them, or only those with certain keys."""
    sql = f"""
        SELECT summed.*, version.version_hash, version.name
        FROM (
            SELECT rollup.version_key,
                   coalesce(sum(rollup.cost_sum_squares), 0) AS cost_sum_squares,
                   coalesce(sum(rollup.latency_log_sum), 0) AS latency_log_sum,
                   coalesce(sum(rollup.latency_log_sum_squares), 0) AS latency_log_sum_squares,
                   coalesce(sum(rollup.score_sum_squares), 0) AS score_sum_squares, {SUMS}
            FROM {ROLLUPS_OF_VERSIONS}
            GROUP BY rollup.version_key
        ) AS summed
        JOIN prompt_versions AS version ON version.id = summed.version_key
    """
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "only": only, **part_columns(parts)}
    return all_rows(connection, VersionUsageRow, sql, parameters, binary=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPointRow(UsageRow):
    """A bucket of a version's series."""

    version_key: int
    point_start: datetime


def select_version_series(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    parts: Sequence[Part],
    *,
    interval: Grain,
    only: Sequence[int],
) -> dict[tuple[int, datetime], UsageRow]:
    """By key of a version and beginning of a bucket, in any order; buckets without events are left out."""
    sql = f"""
        SELECT rollup.version_key, date_trunc(%(interval)s, rollup.bucket_start, 'UTC') AS point_start, {SUMS}
        FROM {ROLLUPS_OF_VERSIONS}
        GROUP BY rollup.version_key, point_start
    """
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "interval": interval, "only": only}
    rows = all_rows(connection, VersionPointRow, sql, parameters | part_columns(parts), binary=True)
    return {(row.version_key, row.point_start): row for row in rows}
