"""A project or a prompt in a range of time, beside the same hours before it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from app.core.analytics.range_changes import RangeChanges, read_range_changes
from app.core.analytics.usage import Usage, usage_over_time
from app.core.database import Connection
from app.core.rollups.grains import GRAIN_SECONDS, Grain
from app.core.rollups.time_range import TimeRange


class Point(NamedTuple):
    """A bucket of a series. `whole`: all of it lies in the range, and it is over."""

    start: datetime
    whole: bool
    usage: Usage


@dataclass(frozen=True, slots=True)
class Period:
    """What was used in a range, all in all and bucket by bucket. `changes` are None where there is no past."""

    time_range: TimeRange
    interval: Grain
    totals: Usage
    changes: RangeChanges | None
    series: list[Point]


def read_period(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    time_range: TimeRange,
    counted: TimeRange,
    *,
    interval: Grain,
    now: datetime,
) -> Period:
    """The period of what `usage_over_time` takes; `connection` is one of a snapshot."""
    totals, buckets = usage_over_time(connection, project_id, prompt_key, time_range, counted, interval=interval)
    changes = read_range_changes(connection, project_id, prompt_key, time_range, counted, now=now)
    step = timedelta(seconds=GRAIN_SECONDS[interval])
    over_at = min(time_range.end, now)
    points = [Point(start, time_range.start <= start <= over_at - step, usage) for start, usage in buckets]
    return Period(time_range, interval, totals, changes, points)
