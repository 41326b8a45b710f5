"""Ranges of time: what the rollups can answer, and with how few rows."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.rollups.grains import GRAIN_SECONDS, Grain, floor_to
from app.core.rollups.time_range import (
    Part,
    TimeRange,
    answerable_range,
    bucket_starts,
    default_interval,
    fewest_parts,
    has_points_for,
)

NOW = datetime(2026, 3, 10, 12, 34, 56, tzinfo=UTC)
GRAINS: tuple[Grain, ...] = ("minute", "hour", "day")

ranges = st.builds(
    lambda before, length: answerable_range(NOW - before, NOW - before + length, NOW),
    st.timedeltas(timedelta(0), timedelta(days=30)),
    st.timedeltas(timedelta(microseconds=1), timedelta(days=30)),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_it_answers_short_recent_ranges_to_the_minute() -> None:
    found = answerable_range(at("2026-03-09T10:20:30"), at("2026-03-10T10:20:30"), NOW)
    assert found == TimeRange(at("2026-03-09T10:20"), at("2026-03-10T10:21"), "minute")


def test_it_answers_long_ranges_to_the_hour() -> None:
    found = answerable_range(at("2026-03-07T10:20:30"), at("2026-03-10T10:20:30"), NOW)
    assert found == TimeRange(at("2026-03-07T10:00"), at("2026-03-10T11:00"), "hour")


def test_it_answers_old_ranges_to_the_hour_because_minutes_are_not_kept() -> None:
    week_ago = at("2026-03-03T12:35:00")
    assert answerable_range(week_ago, week_ago + timedelta(minutes=1), NOW).resolution == "minute"
    # Rounded down to the minute this begins a few seconds more than 7 days ago.
    older = at("2026-03-03T12:34:57")
    assert answerable_range(older, older + timedelta(minutes=1), NOW) == TimeRange(
        at("2026-03-03T12:00"), at("2026-03-03T13:00"), "hour"
    )


def test_it_does_not_widen_a_range_that_is_round() -> None:
    start, end = at("2026-01-01T00:00"), at("2026-02-01T00:00")
    assert answerable_range(start, end, NOW) == TimeRange(start, end, "hour")


@pytest.mark.parametrize(
    ("length", "interval"),
    [
        (timedelta(minutes=1), "minute"),
        (timedelta(hours=3), "minute"),
        (timedelta(hours=3, minutes=1), "hour"),
        (timedelta(days=3), "hour"),
        (timedelta(days=3, hours=1), "day"),
    ],
)
def test_it_chooses_an_interval_by_the_length(length: timedelta, interval: Grain) -> None:
    end = at("2026-03-10T12:00")
    assert default_interval(answerable_range(end - length, end, NOW)) == interval


def test_it_chooses_hours_where_minutes_are_gone() -> None:
    start = at("2026-01-01T00:00")
    assert default_interval(answerable_range(start, start + timedelta(hours=1), NOW)) == "hour"


def test_it_refuses_more_points_than_a_chart_can_show() -> None:
    end = at("2026-03-10T12:00")
    assert has_points_for(answerable_range(end - timedelta(minutes=1_500), end, NOW), "minute")
    assert not has_points_for(answerable_range(end - timedelta(minutes=1_501), end, NOW), "minute")
    assert has_points_for(answerable_range(end - timedelta(hours=1_500), end, NOW), "hour")
    assert not has_points_for(answerable_range(end - timedelta(hours=1_501), end, NOW), "hour")


def test_it_refuses_minutes_where_they_are_gone() -> None:
    start = at("2026-01-01T00:00")
    assert not has_points_for(answerable_range(start, start + timedelta(hours=1), NOW), "minute")


def test_it_cuts_a_range_into_days_with_finer_edges() -> None:
    found = TimeRange(at("2026-03-07T22:58"), at("2026-03-10T01:02"), "minute")
    assert fewest_parts(found) == [
        Part("minute", at("2026-03-07T22:58"), at("2026-03-07T23:00")),
        Part("hour", at("2026-03-07T23:00"), at("2026-03-08T00:00")),
        Part("day", at("2026-03-08T00:00"), at("2026-03-10T00:00")),
        Part("hour", at("2026-03-10T00:00"), at("2026-03-10T01:00")),
        Part("minute", at("2026-03-10T01:00"), at("2026-03-10T01:02")),
    ]


def test_it_cuts_a_range_within_an_hour_into_minutes_alone() -> None:
    start, end = at("2026-03-10T11:59"), at("2026-03-10T12:01")
    assert fewest_parts(TimeRange(start, end, "minute")) == [Part("minute", start, end)]


@given(ranges, st.sampled_from(GRAINS))
def test_parts_cover_the_range_once_and_on_their_own_boundaries(time_range: TimeRange, coarsest: Grain) -> None:
    parts = fewest_parts(time_range, coarsest)
    assert parts[0].start == time_range.start
    assert parts[-1].end == time_range.end
    assert all(before.end == after.start for before, after in pairwise(parts))
    for part in parts:
        assert part.start < part.end
        assert floor_to(part.grain, part.start) == part.start
        assert floor_to(part.grain, part.end) == part.end
        assert GRAINS.index(part.grain) <= GRAINS.index(coarsest)


@given(ranges)
def test_the_rows_of_a_range_do_not_grow_with_its_length_but_by_days(time_range: TimeRange) -> None:
    rows = sum(
        (part.end - part.start) / timedelta(seconds=GRAIN_SECONDS[part.grain]) for part in fewest_parts(time_range)
    )
    assert rows <= 2 * 59 + 2 * 23 + (time_range.end - time_range.start) / timedelta(days=1)


@given(ranges, st.sampled_from(GRAINS))
def test_buckets_touch_the_range_and_leave_no_gap(time_range: TimeRange, interval: Grain) -> None:
    starts = bucket_starts(time_range, interval)
    step = timedelta(seconds=GRAIN_SECONDS[interval])
    assert starts[0] <= time_range.start < starts[0] + step
    assert starts[-1] < time_range.end <= starts[-1] + step
    assert all(after - before == step for before, after in pairwise(starts))
