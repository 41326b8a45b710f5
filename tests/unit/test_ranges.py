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
    assert seconds == {"1h": 5, "24h": 5, "7d": 30, "30d": 30, "90d": 30}


def test_a_short_range_of_long_ago_is_shown_by_the_hour():
    found = read_range(MultiDict({"from": "2026-01-01T00:00", "to": "2026-01-01T02:00"}), NOW)
    assert (found.interval, found.time_range.end - found.time_range.start) == ("hour", timedelta(hours=2))
