"""What a comparison reads: the rollups of versions piece by piece of time, as means and sums of squared deviations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from app.core.database import Connection
from app.core.queries.doubles import as_double
from app.core.queries.rows import all_rows
from app.core.queries.sources import BUCKETS_OF_VERSIONS
from app.core.queries.usage import part_columns
from app.core.rollups.grains import Grain
from app.core.rollups.time_range import Part

CELL_NUMBERS = (
    *("start_seconds", "events"),
    *("cost_count", "cost_mean", "cost_deviation"),
    *("latency_count", "latency_log_mean", "latency_log_deviation"),
    *("score_count", "score_mean", "score_deviation"),
)
"""What `VersionCells.numbers` has of each piece of time, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCells:
    """A version by minutes or hours, in any order.

    `numbers`: CELL_NUMBERS of each as big-endian doubles, since rows by the thousand take Python ten times as long. The
    start is in seconds since the epoch; means are 0 where nothing was counted; `latency_log`: of the natural logarithms
    of milliseconds. `histograms` are in the same order, None where they are damaged; minutes have none.
    """

    version_key: int
    numbers: bytes
    histograms: list[bytes | None] | None


def select_version_cells(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    version_keys: Sequence[int],
    *,
    grain: Grain,
    start: datetime,
    end: datetime,
) -> list[VersionCells]:
    """Those with events, in any order.

    Deviations are worked out exactly where sums are exact: floats would lose those of equal values. None is below 0,
    whatever rounding lost.
    """
    sql = f"""
        SELECT rollup.version_key,
               string_agg(
                   float8send(extract(epoch FROM rollup.bucket_start)::float8) || float8send(rollup.events::float8)
                   || {_exact_measure("cost")}
                   || float8send(rollup.latency_count::float8)
                   || float8send(coalesce(rollup.latency_log_sum / nullif(rollup.latency_count, 0), 0))
                   || float8send(greatest(
                       rollup.latency_log_sum_squares - rollup.latency_log_sum ^ 2 / nullif(rollup.latency_count, 0), 0
                   ))
                   || {_exact_measure("score")},
                   ''::bytea
               ) AS numbers,
               array_agg(
                   CASE WHEN mod(octet_length(rollup.latency_histogram), 4) = 0 THEN rollup.latency_histogram END
               ) FILTER (WHERE %(grain)s <> 'minute') AS histograms
        FROM (
            SELECT version_key, bucket_start, events,
                   cost_count, cost_sum, {_counted_deviation("cost")},
                   latency_count, latency_log_sum, latency_log_sum_squares, latency_histogram,
                   score_count, score_sum, {_counted_deviation("score")}
            FROM {BUCKETS_OF_VERSIONS}
        ) AS rollup
        GROUP BY rollup.version_key
    """
    parameters = {
        "project_id": project_id,
        "prompt_key": prompt_key,
        "only": version_keys,
        "grain": grain,
        **part_columns([Part(grain, start, end)]),
    }
    return all_rows(connection, VersionCells, sql, parameters, binary=True)


def _exact_measure(name: LiteralString) -> LiteralString:
    return f"""float8send(rollup.{name}_count::float8)
                   || float8send(coalesce({as_double(f"rollup.{name}_sum")} / nullif(rollup.{name}_count, 0), 0))
                   || float8send(greatest(
                       {as_double(f"rollup.{name}_counted_deviation")} / nullif(rollup.{name}_count, 0), 0
                   ))"""


def _counted_deviation(name: LiteralString) -> LiteralString:
    """The sum of squared deviations times the count: without a division it is exact."""
    return f"{name}_count * {name}_sum_squares - {name}_sum * {name}_sum AS {name}_counted_deviation"
