"""What changes are found in: the rollups of prompts, each as means and sums of squared deviations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection
from app.core.queries.doubles import as_double
from app.core.queries.rows import all_rows, one_row
from app.core.queries.sources import BUCKETS_OF_PROMPTS, ROLLUPS_OF_PROMPTS
from app.core.queries.usage import part_columns
from app.core.rollups.time_range import Part

_MEANS = f"""
    {as_double("rollup.cost_sum / nullif(rollup.cost_count, 0)")} AS cost_mean,
    {as_double("rollup.cost_sum_squares - rollup.cost_sum * rollup.cost_sum / nullif(rollup.cost_count, 0)")}
        AS cost_deviation,
    coalesce(rollup.latency_log_sum / nullif(rollup.latency_count, 0), 0) AS latency_mean,
    greatest(rollup.latency_log_sum_squares - rollup.latency_log_sum ^ 2 / nullif(rollup.latency_count, 0), 0)
        AS latency_deviation,
    {as_double("rollup.score_sum / nullif(rollup.score_count, 0)")} AS score_mean,
    {as_double("rollup.score_sum_squares - rollup.score_sum * rollup.score_sum / nullif(rollup.score_count, 0)")}
        AS score_deviation
"""
"""Worked out exactly where sums are exact; what floats make of equal latencies may be below 0, and counts as that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedDays:
    """The days of many prompts, column by column: big-endian numbers of 8 bytes in any, but the same, order.

    Every column is None where there is no row. Histograms stand one behind the other; `histogram_bytes` are their
    lengths, 0 where one is damaged or was not asked for.
    """

    prompt_keys: bytes | None
    start_seconds: bytes | None
    cost_counts: bytes | None
    cost_means: bytes | None
    cost_deviations: bytes | None
    latency_counts: bytes | None
    latency_means: bytes | None
    latency_deviations: bytes | None
    score_counts: bytes | None
    score_means: bytes | None
    score_deviations: bytes | None
    histogram_bytes: bytes | None
    histograms: bytes | None


def select_prompt_days(
    connection: Connection, project_id: int, part: Part, only: Sequence[int] | None, *, histograms: bool
) -> PackedDays:
    """The rollups of a part, of all prompts or of `only` these."""
    # Thousands of rows as thousands of objects would take longer to make than all of the arithmetic behind them.
    sql = f"""
        SELECT string_agg(int8send(day.prompt_key), ''::bytea) AS prompt_keys,
               string_agg(int8send(day.start_seconds), ''::bytea) AS start_seconds,
               string_agg(int8send(day.cost_count), ''::bytea) AS cost_counts,
               string_agg(float8send(day.cost_mean), ''::bytea) AS cost_means,
               string_agg(float8send(day.cost_deviation), ''::bytea) AS cost_deviations,
               string_agg(int8send(day.latency_count), ''::bytea) AS latency_counts,
               string_agg(float8send(day.latency_mean), ''::bytea) AS latency_means,
               string_agg(float8send(day.latency_deviation), ''::bytea) AS latency_deviations,
               string_agg(int8send(day.score_count), ''::bytea) AS score_counts,
               string_agg(float8send(day.score_mean), ''::bytea) AS score_means,
               string_agg(float8send(day.score_deviation), ''::bytea) AS score_deviations,
               string_agg(int8send(octet_length(day.histogram)::bigint), ''::bytea) AS histogram_bytes,
               string_agg(day.histogram, ''::bytea) AS histograms
        FROM (
            SELECT rollup.prompt_key, extract(epoch FROM rollup.bucket_start)::bigint AS start_seconds,
                   rollup.cost_count, rollup.latency_count, rollup.score_count, {_MEANS},
                   CASE WHEN %(histograms)s AND mod(octet_length(rollup.latency_histogram), 4) = 0
                        THEN rollup.latency_histogram ELSE ''::bytea END AS histogram
            FROM {BUCKETS_OF_PROMPTS}
        ) AS day
    """
    parameters = {"project_id": project_id, "only": only, "histograms": histograms, "grain": part.grain}
    parameters |= part_columns([part])
    row = one_row(connection, PackedDays, sql, parameters, binary=True)
    assert row is not None
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptWindow:
    """A prompt in some stretches of time together. The histogram is None where one of those merged is damaged."""

    prompt_key: int
    cost_count: int
    cost_mean: float
    cost_deviation: float
    latency_count: int
    latency_mean: float
    latency_deviation: float
    latency_histogram: bytes | None
    score_count: int
    score_mean: float
    score_deviation: float


def select_prompt_windows(
    connection: Connection, project_id: int, parts: Sequence[Part], only: Sequence[int] | None
) -> list[PromptWindow]:
    """Of all prompts or of `only` these, in any order."""
    sql = f"""
        SELECT rollup.prompt_key, rollup.cost_count, rollup.latency_count, rollup.latency_histogram,
               rollup.score_count, {_MEANS}
        FROM (
            SELECT rollup.prompt_key, sum(rollup.cost_count)::bigint AS cost_count, sum(rollup.cost_sum) AS cost_sum,
                   sum(rollup.cost_sum_squares) AS cost_sum_squares,
                   sum(rollup.latency_count)::bigint AS latency_count, sum(rollup.latency_log_sum) AS latency_log_sum,
                   sum(rollup.latency_log_sum_squares) AS latency_log_sum_squares,
                   CASE WHEN bool_and(mod(octet_length(rollup.latency_histogram), 4) = 0)
                        THEN string_agg(rollup.latency_histogram, ''::bytea) END AS latency_histogram,
                   sum(rollup.score_count)::bigint AS score_count, sum(rollup.score_sum) AS score_sum,
                   sum(rollup.score_sum_squares) AS score_sum_squares
            FROM {ROLLUPS_OF_PROMPTS}
            GROUP BY rollup.prompt_key
        ) AS rollup
    """
    parameters = {"project_id": project_id, "only": only, **part_columns(parts)}
    return all_rows(connection, PromptWindow, sql, parameters, binary=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """When a project was made, which no two of its kind share, and the hour of the first event."""

    made_at: datetime
    first_hour: datetime


def select_beginning(connection: Connection, project_id: int, prompt_key: int) -> Beginning | None:
    """Of a prompt, or, where the key is 0, of a project; None where there was no event."""
    sql = """
        SELECT projects.created_at AS made_at, first.hour AS first_hour
        FROM projects
        CROSS JOIN (
            SELECT least(
                (
                    SELECT bucket_start
                    FROM rollups
                    WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s AND version_key = 0
                      AND grain = 'hour'
                    ORDER BY bucket_start
                    LIMIT 1
                ),
                (
                    SELECT date_trunc('hour', min(bucket_start), 'UTC')
                    FROM rollup_additions
                    WHERE project_id = %(project_id)s AND (%(prompt_key)s = 0 OR prompt_key = %(prompt_key)s)
                )
            ) AS hour
            OFFSET 0
        ) AS first
        WHERE projects.id = %(project_id)s AND first.hour IS NOT NULL
    """
    return one_row(connection, Beginning, sql, {"project_id": project_id, "prompt_key": prompt_key})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTotals:
    """Events and US dollars."""

    events: float
    cost_usd: float


_SPANS = """(
                    SELECT unnest(%(starts)s::timestamptz[]) AS start_at, unnest(%(ends)s::timestamptz[]) AS end_at
                ) AS span"""
_IN_SPAN = "bucket_start > span.start_at - interval '1 hour' AND bucket_start < span.end_at"


def select_expected_totals(
    connection: Connection, project_id: int, prompt_key: int, windows: Sequence[tuple[datetime, datetime]]
) -> ExpectedTotals:
    """Of all windows together; of an hour that a window has a part of, as much as that part."""
    sql = f"""
        SELECT coalesce(sum(hour.events * hour.part), 0)::float8 AS events,
               {as_double("sum(hour.cost_sum * hour.part::numeric)")} AS cost_usd
        FROM (
            SELECT events, cost_sum,
                   extract(epoch FROM least(bucket_start + interval '1 hour', end_at)
                                      - greatest(bucket_start, start_at)) / 3600.0 AS part
            FROM (
                SELECT stored.*, span.start_at, span.end_at
                FROM {_SPANS}
                CROSS JOIN LATERAL (
                    SELECT bucket_start, events, cost_sum
                    FROM rollups
                    WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s AND version_key = 0
                      AND grain = 'hour' AND {_IN_SPAN}
                    OFFSET 0
                ) AS stored
                UNION ALL
                SELECT unfolded.*, span.start_at, span.end_at
                FROM (
                    SELECT date_trunc('hour', bucket_start, 'UTC') AS bucket_start, sum(events)::bigint AS events,
                           sum(cost_sum) AS cost_sum
                    FROM rollup_additions
                    WHERE project_id = %(project_id)s AND (%(prompt_key)s = 0 OR prompt_key = %(prompt_key)s)
                      AND bucket_start > (SELECT min(start_at) - interval '1 hour' FROM {_SPANS})
                      AND bucket_start < (SELECT max(end_at) + interval '1 hour' FROM {_SPANS})
                    GROUP BY 1
                ) AS unfolded
                JOIN {_SPANS} ON {_IN_SPAN}
            ) AS counted
        ) AS hour
    """
    parameters = {"project_id": project_id, "prompt_key": prompt_key}
    bounds = {"starts": [start for start, _ in windows], "ends": [end for _, end in windows]}
    row = one_row(connection, ExpectedTotals, sql, {**parameters, **bounds}, binary=True)
    assert row is not None
    return row
