"""With what a range of time is compared: the same hours of the same weekdays.

A Monday is compared with Mondays. A range of up to a week is compared with the same hours of up to four weeks before,
averaged, a longer one with the latest time of its length that lies whole weeks before and does not overlap with it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.rollups.grains import ceil_to, floor_to
from app.core.rollups.time_range import TimeRange

WEEK = timedelta(weeks=1)
MOST_WEEKS = 4
_BY_MINUTE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Past:
    """The same hours in the weeks before.

    `seen`: the part of the range that is over. `windows`: the latest first, `weeks_back` weeks before that, and then
    one week each before the other.
    """

    seen: TimeRange
    weeks_back: int
    windows: list[TimeRange]


def same_hours(time_range: TimeRange, *, now: datetime, first_event: datetime) -> Past | None:
    """None where the range has not begun, or no such time lies after the first event."""
    end = min(time_range.end, ceil_to("minute", now))
    if end <= time_range.start:
        return None
    seen = TimeRange(time_range.start, end, time_range.resolution)
    weeks_back = -(-(end - time_range.start) // WEEK)
    shifts = [weeks_back * WEEK] if weeks_back > 1 else [week * WEEK for week in range(1, MOST_WEEKS + 1)]
    windows = [TimeRange(seen.start - shift, end - shift, "minute") for shift in shifts]
    reached = [window for window in windows if window.start >= first_event]
    return Past(seen, weeks_back, reached) if reached else None


def whole_hours(window: TimeRange) -> TimeRange:
    """All hours that a short window touches, of a longer one those of which it has at least half."""
    if window.end - window.start <= _BY_MINUTE:
        return TimeRange(floor_to("hour", window.start), ceil_to("hour", window.end), "hour")
    half = timedelta(minutes=30)
    return TimeRange(floor_to("hour", window.start + half), floor_to("hour", window.end + half), "hour")
