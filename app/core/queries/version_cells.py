"""What a comparison reads: the rollups of versions piece by piece of time, as means and sums of squared deviations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection
from app.core.queries.rows import all_rows
from app.core.rollups.grains import Grain


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCell:
    """A minute or an hour of a version, `start_seconds` since the epoch.

    Means are 0 where nothing was counted. `latency_log`: of the natural logarithms of milliseconds. The histogram is
    None for minutes, and where it is damaged.
    """

    version_key: int
    start_seconds: int
    events: int
    cost_count: int
    cost_mean: float
    cost_deviation: float
    latency_count: int
    latency_log_mean: float
    latency_log_deviation: float
    score_count: int
    score_mean: float
    score_deviation: float
    latency_histogram: bytes | None


def select_version_cells(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    version_keys: Sequence[int],
    *,
    grain: Grain,
    start: datetime,
    end: datetime,
) -> list[VersionCell]:
    """In any order. Deviations are worked out exactly where sums are exact: floats would lose those of equal values."""
    sql = """
        SELECT rollup.version_key, extract(epoch FROM rollup.bucket_start)::bigint AS start_seconds, rollup.events,
               rollup.cost_count,
               coalesce(rollup.cost_sum / nullif(rollup.cost_count, 0), 0)::float8 AS cost_mean,
               coalesce(
                   rollup.cost_sum_squares - rollup.cost_sum * rollup.cost_sum / nullif(rollup.cost_count, 0), 0
               )::float8 AS cost_deviation,
               rollup.latency_count,
               coalesce(rollup.latency_log_sum / nullif(rollup.latency_count, 0), 0) AS latency_log_mean,
               coalesce(
                   rollup.latency_log_sum_squares - rollup.latency_log_sum ^ 2 / nullif(rollup.latency_count, 0), 0
               ) AS latency_log_deviation,
               rollup.score_count,
               coalesce(rollup.score_sum / nullif(rollup.score_count, 0), 0)::float8 AS score_mean,
               coalesce(
                   rollup.score_sum_squares - rollup.score_sum * rollup.score_sum / nullif(rollup.score_count, 0), 0
               )::float8 AS score_deviation,
               CASE WHEN %(grain)s <> 'minute' AND mod(octet_length(rollup.latency_histogram), 4) = 0
                    THEN rollup.latency_histogram END AS latency_histogram
        FROM unnest(%(version_keys)s::bigint[]) AS version (key)
        CROSS JOIN LATERAL (
            SELECT version_key, bucket_start, events, cost_count, cost_sum, cost_sum_squares,
                   latency_count, latency_log_sum, latency_log_sum_squares, latency_histogram,
                   score_count, score_sum, score_sum_squares
            FROM rollups
            WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s AND version_key = version.key
              AND grain = %(grain)s AND bucket_start >= %(start)s AND bucket_start < %(end)s
            OFFSET 0
        ) AS rollup
    """
    parameters = {
        "project_id": project_id,
        "prompt_key": prompt_key,
        "version_keys": version_keys,
        "grain": grain,
        "start": start,
        "end": end,
    }
    return all_rows(connection, VersionCell, sql, parameters, binary=True)
