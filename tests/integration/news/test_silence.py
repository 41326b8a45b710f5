"""Silence: told once, and only of a project that always has events."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.database import Connection
from app.core.news.limits import set_silence
from app.core.queries.audit_log import COMMAND_LINE
from app.core.rollups.grains import floor_to
from tests.news import written
from tests.stored_events import an_event, store_events
from worker.news.looks import look_at_silence

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOW = floor_to("minute", datetime.now(UTC)) + timedelta(seconds=30)
WEEK_AND_MORE = 8 * 24
INSERT_SERIES = "INSERT INTO series (series, project_id, hour, changed_at) VALUES ('s', 1, now(), %s)"


def nothing_waits() -> timedelta:
    return timedelta(0)


def history(database_url: str, *, until: timedelta, hours: int = WEEK_AND_MORE, without: tuple[int, ...] = ()) -> None:
    """An event every half hour, but in the hours `without`, counted back from `until` ago, when the last one was."""
    ages = [until + HOUR * hour + part * HOUR / 2 for hour in range(hours) if hour not in without for part in (0, 1)]
    store_events(database_url, [an_event(1, age + (datetime.now(UTC) - NOW)) for age in ages])


def look(database: Connection, after: timedelta = timedelta(0)) -> int:
    look_at_silence(database, nothing_waits, NOW + after)
    return len(written(database))


def test_silence_is_told_when_it_is_long_enough_and_once(database: Connection, database_url: str):
    history(database_url, until=30 * MINUTE)
    assert look(database, 29 * MINUTE) == 0
    assert look(database, 32 * MINUTE) == 1
    assert look(database, 40 * MINUTE) == 1
    ((_, kind, period),) = written(database)
    assert (kind, period) == ("silence", f"{NOW - 30 * MINUTE:%Y-%m-%dT%H:%MZ}")


def test_the_next_silence_is_told_too(database: Connection, database_url: str):
    history(database_url, until=70 * MINUTE)
    assert look(database) == 1
    store_events(database_url, [an_event(1, datetime.now(UTC) - NOW)])
    assert look(database, 2 * MINUTE) == 1
    assert look(database, 70 * MINUTE) == 2


@pytest.mark.parametrize(
    ("hours", "without"),
    [
        (7 * 24 - 6, ()),  # it is younger than a week, if only by hours
        (
            WEEK_AND_MORE,
            tuple(hour for day in range(8) for hour in range(24 * day + 10, 24 * day + 14)),
        ),  # it has nights
        (WEEK_AND_MORE, tuple(range(80, 130))),  # it had a weekend
        (WEEK_AND_MORE, (10, 11, 50, 51)),  # it was silent twice
    ],
    ids=["young", "nights", "weekend", "twice"],
)
def test_a_project_that_does_not_always_have_events_is_left_alone(
    database: Connection, database_url: str, hours: int, without: tuple[int, ...]
):
    history(database_url, until=2 * HOUR, hours=hours, without=without)
    assert look(database) == 0


def test_after_one_gap_silence_is_still_told(database: Connection, database_url: str):
    history(database_url, until=2 * HOUR, without=(30, 31, 32))
    assert look(database) == 1


def test_a_gap_that_is_shorter_than_what_is_news_does_not_count(database: Connection, database_url: str):
    set_silence(database, 1, 300, by=COMMAND_LINE)
    history(database_url, until=6 * HOUR, without=(10, 11, 30, 31, 50, 51))
    assert look(database) == 1


def test_a_project_that_wants_no_such_news_gets_none(database: Connection, database_url: str):
    set_silence(database, 1, None, by=COMMAND_LINE)
    history(database_url, until=2 * HOUR)
    assert look(database) == 0


def test_silence_of_long_ago_is_no_news(database: Connection, database_url: str):
    history(database_url, until=27 * HOUR)
    assert look(database) == 0


def test_a_buffer_that_other_projects_fill_hides_no_silence(database: Connection, database_url: str):
    history(database_url, until=2 * HOUR)
    look_at_silence(database, lambda: timedelta(seconds=1), NOW)
    assert len(written(database)) == 1


def test_no_silence_is_told_of_a_time_whose_events_may_still_wait(database: Connection, database_url: str):
    history(database_url, until=2 * HOUR)
    look_at_silence(database, lambda: 61 * MINUTE, NOW)
    assert written(database) == []


def test_who_sends_what_happened_earlier_is_not_silent(database: Connection, database_url: str):
    history(database_url, until=2 * HOUR)
    database.execute(INSERT_SERIES, [NOW - 10 * MINUTE])
    assert look(database) == 0
    assert look(database, 51 * MINUTE) == 1
