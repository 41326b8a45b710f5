"""What a project and its prompts used in a range of time, merged from rollups.

Counts, sums, minima and maxima are exact; percentiles are estimated, within 1 %, and brought into [min, max].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from app.core.analytics.percentiles import percentiles_of
from app.core.database import Connection
from app.core.errors import NotFound
from app.core.queries.busiest import select_busiest_prompts, select_busiest_versions, select_has_more_versions
from app.core.queries.names import PromptRow, select_prompt
from app.core.queries.usage import (
    PromptUsageRow,
    UsageRow,
    VersionUsageRow,
    select_has_events,
    select_prompts,
    select_series,
    select_versions,
)
from app.core.rollups.grains import Grain, ceil_to
from app.core.rollups.rollup import WHOLE
from app.core.rollups.time_range import Part, TimeRange, bucket_starts, fewest_parts

MAX_ROWS = 1_000
"""At most so many prompts or versions are listed: those with the most events."""

_K = TypeVar("_K", UUID, str)
_Group = TypeVar("_Group")
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class CostUsage:
    """US dollars. `sum` is exact; it and `mean` are None where nothing was counted."""

    count: int
    sum: Decimal | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class LatencyUsage:
    """Milliseconds. All but `count` are None where nothing was counted, percentiles also for a damaged histogram."""

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
class Listed(Generic[_Item]):
    """Prompts or versions with events in a range, busiest first; `truncated`: there are more than these MAX_ROWS."""

    rows: list[_Item]
    truncated: bool


@dataclass(frozen=True, slots=True)
class UsageReport(Generic[_K]):
    """What was used all in all, over time, and by whom.

    `series` has every bucket of the range, by its beginning; `breakdown` the prompts of a project by their ids, or the
    versions of a prompt by their hashes, those with events only, busiest first; `truncated`, whether there are more.
    """

    totals: Usage
    series: list[tuple[datetime, Usage]]
    breakdown: list[tuple[_K, Usage]]
    truncated: bool


class UsageOverTime(NamedTuple):
    """What was used all in all, and by bucket. The histogram of all latencies is None as in `UsageRow`."""

    totals: Usage
    series: list[tuple[datetime, Usage]]
    latency_histogram: bytes | None


NOTHING = Usage(
    0,
    CostUsage(0, None, None),
    LatencyUsage(0, None, None, None, None, None, None),
    ScoreUsage(0, None, None, None),
)


def project_usage(connection: Connection, project_id: int, time_range: TimeRange, interval: Grain) -> UsageReport[UUID]:
    """What a project used; give it a snapshot, so that totals equal the sums of their parts."""
    counted = counted_range(connection, project_id, time_range)
    totals, series, _ = usage_over_time(connection, project_id, WHOLE, time_range, counted, interval=interval)
    prompts = busiest_prompts(connection, project_id, counted)
    breakdown = merged_by_group({prompt.prompt_id: prompt for prompt in prompts.rows})
    return UsageReport(totals, series, list(breakdown.items()), prompts.truncated)


def prompt_usage(
    connection: Connection, project_id: int, prompt_id: UUID, time_range: TimeRange, interval: Grain
) -> UsageReport[str]:
    """What one prompt used. As `project_usage`, and raises NotFound for a prompt that the project has never used."""
    prompt_key = find_prompt(connection, project_id, prompt_id).prompt_key
    counted = counted_range(connection, project_id, time_range)
    totals, series, _ = usage_over_time(connection, project_id, prompt_key, time_range, counted, interval=interval)
    versions = busiest_versions(connection, project_id, prompt_key, counted)
    breakdown = merged_by_group({version.version_hash: version for version in versions.rows})
    return UsageReport(totals, series, list(breakdown.items()), versions.truncated)


def find_prompt(connection: Connection, project_id: int, prompt_id: UUID) -> PromptRow:
    """Raises NotFound for a prompt that the project has never used."""
    found = select_prompt(connection, project_id, prompt_id)
    if found is None:
        raise NotFound("prompt")
    return found


def usage_over_time(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    time_range: TimeRange,
    counted: TimeRange,
    *,
    interval: Grain,
    only: Sequence[int] | None = None,
) -> UsageOverTime:
    """That of a prompt, or of the whole project where the key is WHOLE, with every bucket of the range.

    With `only`, of these versions of the prompt together. `counted` is the range as `counted_range` gives it.
    """
    parts = fewest_parts(counted, coarsest=interval)
    totals, series = select_series(connection, project_id, prompt_key, parts, interval=interval, only=only)
    used = merged_by_group(series)
    buckets = [(start, used.get(start, NOTHING)) for start in bucket_starts(time_range, interval)]
    return UsageOverTime(merged_usage([totals])[0], buckets, totals.latency_histogram)


def busiest_prompts(
    connection: Connection,
    project_id: int,
    counted: TimeRange,
    *,
    activity_by: Grain | None = None,
    only: Sequence[int] | None = None,
) -> Listed[PromptUsageRow]:
    """The prompts with events: of all, or of `only` these; with `activity_by`, with their events by such buckets."""
    busiest = select_busiest_prompts(connection, project_id, fewest_parts(counted), MAX_ROWS, only)
    parts = fewest_parts(counted, coarsest=activity_by or "day")
    keys = busiest[:MAX_ROWS] or only
    rows = select_prompts(connection, project_id, parts, keys, with_activity=activity_by is not None)
    return Listed(sorted(rows, key=lambda row: (-row.events, row.prompt_id)), len(busiest) > MAX_ROWS)


def busiest_versions(
    connection: Connection, project_id: int, prompt_key: int, counted: TimeRange, *, only: Sequence[int] | None = None
) -> Listed[VersionUsageRow]:
    """The same for the versions of a prompt."""
    parts = fewest_parts(counted)
    keys, truncated = only, False
    if select_has_more_versions(connection, prompt_key, MAX_ROWS):
        busiest = select_busiest_versions(connection, project_id, prompt_key, parts, limit=MAX_ROWS, only=only)
        keys, truncated = busiest[:MAX_ROWS], len(busiest) > MAX_ROWS
    rows = select_versions(connection, project_id, prompt_key, parts, keys)
    return Listed(sorted(rows, key=lambda row: (-row.events, row.version_hash)), truncated)


def merged_usage(rows: Sequence[UsageRow]) -> list[Usage]:
    """The totals of each of these merged rollups."""
    percentiles = iter(percentiles_of([row.latency_histogram for row in rows if row.latency_histogram]))
    return [_usage(row, next(percentiles) if row.latency_histogram else None) for row in rows]


def merged_by_group(rows: Mapping[_Group, UsageRow]) -> dict[_Group, Usage]:
    """The totals of each group, in the same order."""
    return dict(zip(rows, merged_usage(list(rows.values())), strict=True))


def _usage(row: UsageRow, percentiles: list[float] | None) -> Usage:
    return Usage(
        events=row.events,
        cost_usd=CostUsage(
            count=row.cost_count,
            sum=row.cost_sum if row.cost_count else None,
            mean=_mean(row.cost_sum, row.cost_count),
        ),
        latency_ms=_latency_usage(row, percentiles),
        score=ScoreUsage(
            count=row.score_count,
            mean=_mean(row.score_sum, row.score_count),
            min=row.score_min,
            max=row.score_max,
        ),
    )


def _latency_usage(row: UsageRow, percentiles: list[float] | None) -> LatencyUsage:
    if row.latency_min is None or row.latency_max is None:
        return NOTHING.latency_ms
    mean = _mean(row.latency_sum, row.latency_count)
    if percentiles is None:
        return LatencyUsage(row.latency_count, mean, row.latency_min, row.latency_max, None, None, None)
    shortest, longest = float(row.latency_min), float(row.latency_max)
    p50, p95, p99 = (min(max(shortest, estimate), longest) for estimate in percentiles)
    return LatencyUsage(row.latency_count, mean, row.latency_min, row.latency_max, p50, p95, p99)


def _mean(total: Decimal | None, count: int) -> float | None:
    return None if total is None or count == 0 else float(total / count)


def counted_range(connection: Connection, project_id: int, time_range: TimeRange) -> TimeRange:
    """The range up to the end of its last day, where nothing happened in between: it holds the same events.

    So it does for every range up to now, whose last hours and minutes are then read from one row.
    """
    day_end = ceil_to("day", time_range.end)
    if select_has_events(connection, project_id, Part(time_range.resolution, time_range.end, day_end)):
        return time_range
    return replace(time_range, end=day_end)
