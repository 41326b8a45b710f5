"""Ranges of time that rollups can answer, cut into the fewest rollup rows that cover them. All times are UTC."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from app.core.rollups.grains import FROM_COARSE_TO_FINE, GRAIN_SECONDS, Grain, ceil_to, floor_to

MINUTES_KEPT = timedelta(days=7)
LONGEST_BY_MINUTE = timedelta(hours=48)
LONGEST_RANGE = timedelta(days=400)
MAX_POINTS = 1_500


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` up to, and without, `end`. Both begin a `resolution` ("minute" or "hour")."""

    start: datetime
    end: datetime
    resolution: Grain


class Part(NamedTuple):
    """A stretch of a range that the rollups of one grain cover exactly."""

    grain: Grain
    start: datetime
    end: datetime


def answerable_range(start: datetime, end: datetime, now: datetime) -> TimeRange:
    """The smallest range around [start, end) that the rollups can answer.

    To the minute where minute rollups still exist and the range is short, else to the hour.
    """
    recent = floor_to("minute", start) >= now - MINUTES_KEPT
    resolution: Grain = "minute" if recent and end - start <= LONGEST_BY_MINUTE else "hour"
    return TimeRange(floor_to(resolution, start), ceil_to(resolution, end), resolution)


def default_interval(time_range: TimeRange) -> Grain:
    """The interval that gives a readable chart: at most some 180 points where the resolution allows it."""
    length = time_range.end - time_range.start
    if length <= timedelta(hours=3) and time_range.resolution == "minute":
        return "minute"
    return "hour" if length <= timedelta(days=3) else "day"


def has_points_for(time_range: TimeRange, interval: Grain) -> bool:
    """Whether the rollups can give the range at this interval, in at most MAX_POINTS points."""
    if interval == "minute" and time_range.resolution != "minute":
        return False
    return (time_range.end - time_range.start) / timedelta(seconds=GRAIN_SECONDS[interval]) <= MAX_POINTS


def bucket_starts(time_range: TimeRange, interval: Grain) -> list[datetime]:
    """The beginnings of all buckets that the range touches; the first may lie before the range."""
    step = timedelta(seconds=GRAIN_SECONDS[interval])
    start = floor_to(interval, time_range.start)
    return [start + step * number for number in range(-((start - time_range.end) // step))]


def fewest_parts(time_range: TimeRange, coarsest: Grain = "day") -> list[Part]:
    """The range as the fewest rollup rows of at most the coarsest grain: finer ones at its edges only."""
    grains = FROM_COARSE_TO_FINE[FROM_COARSE_TO_FINE.index(coarsest) :]
    return _cut(time_range.start, time_range.end, grains)


def _cut(start: datetime, end: datetime, grains: tuple[Grain, ...]) -> list[Part]:
    if start >= end:
        return []
    grain, *finer = grains
    first, last = ceil_to(grain, start), floor_to(grain, end)
    if first >= last:
        return _cut(start, end, tuple(finer))
    return [*_cut(start, first, tuple(finer)), Part(grain, first, last), *_cut(last, end, tuple(finer))]
