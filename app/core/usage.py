"""What a project and its prompts used in a range of time, merged from rollups.

Counts, sums, minima and maxima are exact. A percentile is the value at nearest rank, as PostgreSQL's percentile_disc
finds it: the ⌈p·n⌉-th smallest of n latencies, estimated by the middle of its sketch bucket and brought into
[min, max]; so it is within 1 % (below a femtosecond, where latencies count as zero, within that).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

import numpy as np

from app.core import background
from app.core.database import Connection, ConnectionPool, database_errors
from app.core.errors import NotFound
from app.core.latency_sketch import SMALLEST_MS, ZERO_BUCKET, bucket_of, middle_of
from app.core.queries.usage import (
    UsageRow,
    begin_snapshot,
    select_busiest_prompts,
    select_busiest_versions,
    select_has_events,
    select_prompt_key,
    select_prompts,
    select_series,
    select_totals,
    select_versions,
)
from app.core.rollups import WHOLE
from app.core.time_range import Grain, Part, TimeRange, bucket_starts, ceil_to, fewest_parts

PERCENTILES = (50, 95, 99)
ANSWER_SECONDS = 10.0
MAX_ROWS = 1_000
"""At most so many prompts or versions are listed: those with the most events."""

_T = TypeVar("_T")

_SKETCH_ENTRY = np.dtype([("bucket", "<i2"), ("count", "<u4")])
_BELOW_ALL_BUCKETS = bucket_of(SMALLEST_MS) - 1
_NOTHING = UsageRow(0, 0, None, 0, None, None, None, None, 0, None, None, None)


@dataclass(frozen=True, slots=True)
class CostUsage:
    """US dollars. `sum` is exact; it and `mean` are None where nothing was counted."""

    count: int
    sum: Decimal | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class LatencyUsage:
    """Milliseconds. All but `count` are None where nothing was counted."""

    count: int
    mean: float | None
    min: Decimal | None
    max: Decimal | None
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class ScoreUsage:
    """All but `count` are None where nothing was counted."""

    count: int
    mean: float | None
    min: Decimal | None
    max: Decimal | None


@dataclass(frozen=True, slots=True)
class Usage:
    """The totals of some events. A measure's `count` is the number of events that carried it."""

    events: int
    cost_usd: CostUsage
    latency_ms: LatencyUsage
    score: ScoreUsage


@dataclass(frozen=True, slots=True)
class ProjectUsage:
    """`series` has every bucket of the range, by its beginning; `prompts` those with events, busiest first."""

    totals: Usage
    series: list[tuple[datetime, Usage]]
    prompts: list[tuple[UUID, Usage]]
    truncated: bool


@dataclass(frozen=True, slots=True)
class PromptUsage:
    """`series` has every bucket of the range, by its beginning; `versions` those with events, busiest first."""

    totals: Usage
    series: list[tuple[datetime, Usage]]
    versions: list[tuple[str, Usage]]
    truncated: bool


def read_usage(pool: ConnectionPool, read: Callable[[Connection], _T]) -> _T:
    """What `read` finds in a snapshot of its own. It runs in another thread, which knows nothing of the request.

    Raises what it raises, and DatabaseUnavailable, which is no later than after ANSWER_SECONDS.
    """

    def read_snapshot() -> _T:
        with usage_snapshot(pool) as connection:
            return read(connection)

    return background.database_answer(read_snapshot, deadline_seconds=ANSWER_SECONDS)


@contextmanager
def usage_snapshot(pool: ConnectionPool) -> Iterator[Connection]:
    """A connection whose queries all see the same moment, so that totals equal the sums of their parts.

    Raises DatabaseUnavailable.
    """
    with database_errors(), pool.connection() as connection, connection.transaction():
        begin_snapshot(connection)
        yield connection


def project_usage(connection: Connection, project_id: int, time_range: TimeRange, interval: Grain) -> ProjectUsage:
    """What a project used. `connection` is one of `usage_snapshot`; raises psycopg errors, which that translates."""
    counted = _widened(connection, project_id, time_range)
    parts = fewest_parts(counted)
    totals = merged_usage(select_totals(connection, project_id, WHOLE, parts))
    used = select_series(connection, project_id, WHOLE, fewest_parts(counted, coarsest=interval), interval)
    series = _gapless(time_range, interval, dict(used))
    busiest = select_busiest_prompts(connection, project_id, parts, MAX_ROWS)
    rows = select_prompts(connection, project_id, parts, busiest[:MAX_ROWS] or None)
    prompts = [(prompt_id, merged_usage(row)) for prompt_id, row in rows]
    prompts.sort(key=lambda prompt: (-prompt[1].events, prompt[0]))
    return ProjectUsage(totals, series, prompts, truncated=len(busiest) > MAX_ROWS)


def prompt_usage(
    connection: Connection, project_id: int, prompt_id: UUID, time_range: TimeRange, interval: Grain
) -> PromptUsage:
    """What one prompt used. As `project_usage`, and raises NotFound for a prompt that the project has never used."""
    prompt_key = select_prompt_key(connection, project_id, prompt_id)
    if prompt_key is None:
        raise NotFound("prompt")
    counted = _widened(connection, project_id, time_range)
    parts = fewest_parts(counted)
    totals = merged_usage(select_totals(connection, project_id, prompt_key, parts))
    used = select_series(connection, project_id, prompt_key, fewest_parts(counted, coarsest=interval), interval)
    series = _gapless(time_range, interval, dict(used))
    busiest = select_busiest_versions(connection, project_id, prompt_key, parts, MAX_ROWS)
    rows = select_versions(connection, project_id, prompt_key, parts, busiest[:MAX_ROWS] or None)
    versions = [(version_hash, merged_usage(row)) for version_hash, row in rows]
    versions.sort(key=lambda version: (-version[1].events, version[0]))
    return PromptUsage(totals, series, versions, truncated=len(busiest) > MAX_ROWS)


def merged_usage(row: UsageRow) -> Usage:
    """The totals of merged rollups."""
    return Usage(
        events=row.events,
        cost_usd=CostUsage(
            count=row.cost_count,
            sum=row.cost_sum if row.cost_count else None,
            mean=_mean(row.cost_sum, row.cost_count),
        ),
        latency_ms=_latency_usage(row),
        score=ScoreUsage(
            count=row.score_count,
            mean=_mean(row.score_sum, row.score_count),
            min=row.score_min,
            max=row.score_max,
        ),
    )


def _latency_usage(row: UsageRow) -> LatencyUsage:
    if not row.latency_sketch or row.latency_min is None or row.latency_max is None:
        return LatencyUsage(0, None, None, None, None, None, None)
    shortest, longest = float(row.latency_min), float(row.latency_max)
    p50, p95, p99 = (min(max(shortest, middle), longest) for middle in _middles_at_ranks(row.latency_sketch))
    mean = _mean(row.latency_sum, row.latency_count)
    return LatencyUsage(row.latency_count, mean, row.latency_min, row.latency_max, p50, p95, p99)


def _middles_at_ranks(sketch: bytes) -> list[float]:
    """The middles of the buckets in which the percentiles lie, of a sketch that is not empty."""
    entries = np.frombuffer(sketch, _SKETCH_ENTRY)
    # The zero bucket's number lies far below all others; the one next to the smallest stands in for it.
    buckets = np.maximum(entries["bucket"].astype(np.intp), _BELOW_ALL_BUCKETS)
    lowest = int(buckets.min())
    running = np.bincount(buckets - lowest, weights=entries["count"]).cumsum()
    total = int(running[-1])
    ranks = [-(-total * percentile // 100) for percentile in PERCENTILES]
    found = [lowest + int(position) for position in np.searchsorted(running, ranks)]
    return [middle_of(ZERO_BUCKET if bucket == _BELOW_ALL_BUCKETS else bucket) for bucket in found]


def _mean(total: Decimal | None, count: int) -> float | None:
    return None if total is None or count == 0 else float(total / count)


def _widened(connection: Connection, project_id: int, time_range: TimeRange) -> TimeRange:
    """The range up to the end of its last day, where nothing happened in between: it holds the same events.

    So it does for every range up to now, whose last hours and minutes are then read from one row.
    """
    day_end = ceil_to("day", time_range.end)
    if select_has_events(connection, project_id, Part(time_range.resolution, time_range.end, day_end)):
        return time_range
    return replace(time_range, end=day_end)


def _gapless(time_range: TimeRange, interval: Grain, used: dict[datetime, UsageRow]) -> list[tuple[datetime, Usage]]:
    return [(start, merged_usage(used.get(start, _NOTHING))) for start in bucket_starts(time_range, interval)]
