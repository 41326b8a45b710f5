"""With what a range is compared, and how that is called."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.analytics.past import same_hours, whole_hours
from app.core.rollups.time_range import TimeRange
from app.web.pages.charts.changes import compared_with

NOW = datetime(2026, 3, 9, 20, 31, 20, tzinfo=UTC)
END = datetime(2026, 3, 9, 20, 32, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


def last(length: timedelta) -> TimeRange:
    return TimeRange(END - length, END, "minute")


@pytest.mark.parametrize(
    ("length", "weeks", "words"),
    [
        (timedelta(hours=1), [1, 2, 3, 4], "the same hours of the 4 weeks before, on average"),
        (timedelta(hours=24), [1, 2, 3, 4], "the same hours of the 4 weeks before, on average"),
        (timedelta(days=7), [1, 2, 3, 4], "the 4 weeks before, on average"),
        (timedelta(days=30), [5], "the same weekdays 5 weeks before"),
        (timedelta(days=90), [13], "the same weekdays 13 weeks before"),
    ],
)
def test_a_range_is_compared_with_the_same_hours_of_the_same_weekdays(length: timedelta, weeks: list[int], words: str):
    past = same_hours(last(length), now=NOW, first_event=LONG_AGO)
    assert past is not None
    assert [END - window.end for window in past.windows] == [timedelta(weeks=week) for week in weeks]
    assert {window.end - window.start for window in past.windows} == {length}
    assert compared_with(past) == words


def test_only_weeks_since_the_first_event_count():
    past = same_hours(last(timedelta(days=1)), now=NOW, first_event=END - timedelta(days=9))
    assert past is not None
    assert compared_with(past) == "the same hours of the week before"
    assert same_hours(last(timedelta(days=1)), now=NOW, first_event=END - timedelta(days=7, hours=23)) is None


def test_of_a_range_that_is_not_over_only_what_is_over_is_compared():
    today = TimeRange(END.replace(hour=0, minute=0), END.replace(hour=0, minute=0) + timedelta(days=1), "minute")
    past = same_hours(today, now=NOW, first_event=LONG_AGO)
    assert past is not None
    assert (past.seen.end, past.windows[0].end) == (END, END - timedelta(weeks=1))
    tomorrow = TimeRange(today.end, today.end + timedelta(days=1), "minute")
    assert same_hours(tomorrow, now=NOW, first_event=LONG_AGO) is None


def test_short_windows_take_all_their_hours_and_long_ones_the_nearest():
    short, long = whole_hours(last(timedelta(hours=1))), whole_hours(last(timedelta(hours=24)))
    assert (short.start.hour, short.end.hour, long.start.hour, long.end.hour) == (19, 21, 21, 21)
    assert long.end - long.start == timedelta(hours=24)
