from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.datastructures import MultiDict

from app.core.rollups.time_range import TimeRange
from app.web.pages.layout.ranges import RANGES, read_range

NOW = datetime(2026, 3, 10, 12, 34, 56, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "time_range", "interval"),
    [
        ("1h", TimeRange(at("2026-03-10T11:34"), at("2026-03-10T12:35"), "minute"), "minute"),
        ("24h", TimeRange(at("2026-03-09T12:34"), at("2026-03-10T12:35"), "minute"), "hour"),
        ("7d", TimeRange(at("2026-03-03T12:00"), at("2026-03-10T13:00"), "hour"), "hour"),
        ("30d", TimeRange(at("2026-02-08T12:00"), at("2026-03-10T13:00"), "hour"), "day"),
        ("90d", TimeRange(at("2025-12-10T12:00"), at("2026-03-10T13:00"), "hour"), "day"),
    ],
)
def test_a_range_ends_now(key: str, time_range: TimeRange, interval: str):
    found = read_range(MultiDict({"range": key}), NOW)
    assert (found.key, found.time_range, found.interval, found.problem) == (key, time_range, interval, None)
    assert found.arguments == {"range": key}


def test_without_a_range_it_is_a_day():
    assert read_range(MultiDict(), NOW) == read_range(MultiDict({"range": "24h"}), NOW)


@pytest.mark.parametrize(
    "form", ["2026-03-01T10:00", "2026-03-01T10:00:00", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00+01:00"]
)
def test_a_range_of_ones_own_is_in_utc_unless_it_says_otherwise(form: str):
    arguments = MultiDict({"from": form, "to": "2026-03-02"})
    found = read_range(arguments, NOW)
    assert (found.time_range.start, found.time_range.end) == (at("2026-03-01T10:00"), at("2026-03-02T00:00"))
    assert found.arguments == arguments.to_dict()
    assert found.key == "custom"
    assert found.moving is None


@pytest.mark.parametrize(
    ("key", "start", "end", "interval"),
    [
        ("today", "2026-03-10T00:00", "2026-03-10T12:35", "hour"),
        ("yesterday", "2026-03-09T00:00", "2026-03-10T00:00", "hour"),
        ("week", "2026-03-09T00:00", "2026-03-10T12:35", "hour"),
        ("month", "2026-03-01T00:00", "2026-03-10T13:00", "day"),
    ],
)
def test_a_day_a_week_or_a_month_of_the_calendar_begins_at_midnight_in_utc(
    key: str, start: str, end: str, interval: str
):
    found = read_range(MultiDict({"range": key}), NOW)
    assert (found.time_range.start, found.time_range.end, found.interval) == (at(start), at(end), interval)
    assert found.words == RANGES[key].words


@pytest.mark.parametrize("key", ["today", "week", "month"])
def test_a_day_that_has_just_begun_is_a_range_too(key: str):
    monday = at("2026-06-01T00:00")
    found = read_range(MultiDict({"range": key}), monday).time_range
    assert found.start == monday < found.end


def test_what_was_fixed_says_that_it_grew_to_full_hours_once_minutes_are_gone():
    half_past = at("2026-03-10T00:30")
    fixed = read_range(MultiDict({"range": "24h"}), half_past).fixed
    for later in (timedelta(0), timedelta(days=5)):
        found = read_range(MultiDict(fixed), half_past + later)
        assert (found.times, found.grown_from) == ("2026-03-09 00:30 to 2026-03-10 00:30 UTC", None)
    found = read_range(MultiDict(fixed), half_past + timedelta(days=8))
    assert found.times == "2026-03-09 00:00 to 2026-03-10 01:00 UTC"
    assert found.grown_from == "2026-03-09 00:30 to 2026-03-10 00:30 UTC"
    assert read_range(MultiDict({"range": "7d"}), half_past).grown_from is None


def test_a_range_that_moves_says_so_and_can_be_fixed():
    found = read_range(MultiDict({"range": "7d"}), NOW)
    assert (found.moving, found.back) == ("the last 7 days", None)
    fixed = read_range(MultiDict(found.fixed), NOW + timedelta(days=3))
    assert (fixed.time_range, fixed.moving) == (found.time_range, None)
    assert fixed.back == ("the last 7 days", {"range": "7d"})
    assert fixed.arguments == found.fixed
    since = read_range(MultiDict({"from": "2026-03-01T00:00"}), NOW)
    assert since.moving == "from 2026-03-01 00:00 UTC until now"


@pytest.mark.parametrize(
    ("back", "words", "arguments"),
    [
        ("month", "this month", {"range": "month"}),
        (
            "2026-03-01T00:00/2026-03-02T00:00",
            "2026-03-01 00:00 to 2026-03-02 00:00 UTC",
            {"from": "2026-03-01T00:00", "to": "2026-03-02T00:00"},
        ),
        ("2026-03-10T12:00/", "2026-03-10 12:00 to 2026-03-10 12:35 UTC", {"from": "2026-03-10T12:00"}),
        ("nonsense", "the last 24 hours", {"range": "24h"}),
        ("2026-03-02T00:00/2026-03-01T00:00", "the last 24 hours", {"range": "24h"}),
        ("", "the last 24 hours", {"range": "24h"}),
    ],
)
def test_a_part_of_a_range_has_a_way_back(back: str, words: str, arguments: dict[str, str]):
    found = read_range(MultiDict({"from": "2026-03-01T10:00", "to": "2026-03-01T12:00", "back": back}), NOW)
    assert found.back == (words, arguments)


def test_whoever_goes_further_in_still_comes_back_to_where_they_began():
    part = {"from": "2026-03-01T10:00", "to": "2026-03-01T12:00"}
    assert read_range(MultiDict({"range": "30d"}), NOW).as_way_back == "30d"
    assert read_range(MultiDict(part | {"back": "30d"}), NOW).as_way_back == "30d"
    assert read_range(MultiDict(part), NOW).as_way_back == "2026-03-01T10:00/2026-03-01T12:00"


def test_a_range_without_an_end_ends_now():
    assert read_range(MultiDict({"from": "2026-03-10T12:00"}), NOW).time_range.end == at("2026-03-10T12:35")


@pytest.mark.parametrize(
    "arguments",
    [
        {"range": "2h"},
        {"from": "yesterday"},
        {"from": "2026-03-02T00:00", "to": "2026-03-01T00:00"},
        {"from": "2024-01-01T00:00", "to": "2026-03-01T00:00"},
        {"from": "1970-01-01T00:00", "to": "1970-01-02T00:00"},
        {"to": "2026-03-01T00:00"},
        {"from": "0001-01-01T00:00:00+14:00", "to": "2026-03-01T00:00"},
    ],
)
def test_what_makes_no_sense_is_told_beside_the_usual_range(arguments: dict[str, str]):
    found = read_range(MultiDict(arguments), NOW)
    assert found.key == "24h"
    assert found.problem


def test_a_page_asks_often_only_where_much_can_change():
    seconds = {key: read_range(MultiDict({"range": key}), NOW).refresh_seconds for key in RANGES}
    assert {key for key, each in seconds.items() if each == 5} == {"1h", "24h", "today"}
    assert set(seconds.values()) == {5, 30}


def test_a_short_range_of_long_ago_is_shown_by_the_hour():
    found = read_range(MultiDict({"from": "2026-01-01T00:00", "to": "2026-01-01T02:00"}), NOW)
    assert (found.interval, found.time_range.end - found.time_range.start) == ("hour", timedelta(hours=2))
