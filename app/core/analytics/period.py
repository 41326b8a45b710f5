"""A project or a prompt in a range of time, beside the same hours before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from app.core.analytics.comparison import ProjectMargins
from app.core.analytics.latency_shares import Distribution, distribution
from app.core.analytics.range_changes import RangeChanges, read_range_changes
from app.core.analytics.usage import Usage, counted_range, usage_over_time
from app.core.database import Connection
from app.core.queries.usage import select_series
from app.core.rollups.grains import GRAIN_SECONDS, Grain
from app.core.rollups.time_range import TimeRange, fewest_parts


class Point(NamedTuple):
    """A bucket of a series. `whole`: all of it lies in the range, and it is over."""

    start: datetime
    whole: bool
    usage: Usage


@dataclass(frozen=True, slots=True)
class Period:
    """What was used in a range, all in all and bucket by bucket.

    `changes` are None where there is no past, `latencies` where there is nothing to draw.
    """

    time_range: TimeRange
    interval: Grain
    totals: Usage
    changes: RangeChanges | None
    series: list[Point]
    latencies: Distribution | None


def read_period(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    time_range: TimeRange,
    counted: TimeRange,
    *,
    interval: Grain,
    margins: ProjectMargins,
    now: datetime,
    only: Sequence[int] | None = None,
) -> Period:
    """The period of what `usage_over_time` takes; `connection` is one of a snapshot.

    Of single versions no past is read: they come and go, and two of them are compared elsewhere.
    """
    used = usage_over_time(connection, project_id, prompt_key, time_range, counted, interval=interval, only=only)
    changes = None
    if only is None:
        changes = read_range_changes(connection, project_id, prompt_key, time_range, counted, margins=margins, now=now)
    points = points_of(used.series, time_range, interval, now)
    latencies = distribution(used.latency_histogram) if used.latency_histogram else None
    return Period(time_range, interval, used.totals, changes, points, latencies)


def read_points(
    connection: Connection, project_id: int, prompt_key: int, time_range: TimeRange, *, interval: Grain, now: datetime
) -> list[Point]:
    """The series of a period alone."""
    counted = counted_range(connection, project_id, time_range)
    used = usage_over_time(connection, project_id, prompt_key, time_range, counted, interval=interval)
    return points_of(used.series, time_range, interval, now)


def read_latencies(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    time_range: TimeRange,
    *,
    only: Sequence[int] | None = None,
) -> Distribution | None:
    """Those of a period alone."""
    parts = fewest_parts(counted_range(connection, project_id, time_range))
    histogram = select_series(connection, project_id, prompt_key, parts, interval="day", only=only)[0].latency_histogram
    return distribution(histogram) if histogram else None


def points_of(
    series: Sequence[tuple[datetime, Usage]], time_range: TimeRange, interval: Grain, now: datetime
) -> list[Point]:
    starts = [start for start, _ in series]
    whole = whole_buckets(starts, time_range, interval, now)
    return [Point(start, is_whole, usage) for (start, usage), is_whole in zip(series, whole, strict=True)]


def whole_buckets(starts: Sequence[datetime], time_range: TimeRange, interval: Grain, now: datetime) -> list[bool]:
    """Whether all of each bucket lies in the range, and is over."""
    last = min(time_range.end, now) - timedelta(seconds=GRAIN_SECONDS[interval])
    return [time_range.start <= start <= last for start in starts]
