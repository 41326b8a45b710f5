"""When an event occurred: the optional timestamp, by both endpoints."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from app.core.stream.events import Event
from app.web.api.times import RecentTime

PATH = "/api/v1/prompts/analytics"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}
NOW = datetime(2026, 3, 8, 12, 30, 0, 500_000, tzinfo=UTC)
FIELD = RecentTime(clock=NOW.timestamp)

Buffered = Callable[[], list[Event]]


def milliseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def is_taken(value: Any) -> bool:
    try:
        FIELD.deserialize(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-08T10:11:12Z", datetime(2026, 3, 8, 10, 11, 12, tzinfo=UTC)),
        ("2026-03-08t10:11:12z", datetime(2026, 3, 8, 10, 11, 12, tzinfo=UTC)),
        ("2026-03-08T10:11:12+00:00", datetime(2026, 3, 8, 10, 11, 12, tzinfo=UTC)),
        ("2026-03-08T10:11:12-00:00", datetime(2026, 3, 8, 10, 11, 12, tzinfo=UTC)),
        ("2026-03-08T10:11:12.1Z", datetime(2026, 3, 8, 10, 11, 12, 100_000, tzinfo=UTC)),
        ("2026-03-08T10:11:12.123999999Z", datetime(2026, 3, 8, 10, 11, 12, 123_000, tzinfo=UTC)),
        ("2026-03-08T23:59:59.999+14:00", datetime(2026, 3, 8, 9, 59, 59, 999_000, tzinfo=UTC)),
        ("2026-03-07T22:11:12-13:59", datetime(2026, 3, 8, 12, 10, 12, tzinfo=UTC)),
        ("2026-03-01T00:00:00+05:45", datetime(2026, 2, 28, 18, 15, tzinfo=UTC)),
    ],
)
def test_it_reads_a_time_to_the_millisecond(text: str, time: datetime) -> None:
    assert FIELD.deserialize(text) == milliseconds(time)


@pytest.mark.parametrize(
    "value",
    [
        *(None, 1, 1_772_965_800, 1.5, True, [], {}, "", "now", "1772965801"),
        "2026-03-08",
        "2026-03-08T10:11:12",
        "2026-03-08 10:11:12Z",
        "2026-03-08T10:11Z",
        "2026-03-08T10Z",
        "20260308T101112Z",
        "2026-W10-7T10:11:12Z",
        "2026-067T10:11:12Z",
        "2026-03-08T10:11:12+0200",
        "2026-03-08T10:11:12+02",
        "2026-03-08T10:11:12+02:60",
        "2026-03-08T10:11:12+24:00",
        "2026-03-08T10:11:12+02:00:00",
        "2026-03-08T10:11:12.Z",
        "2026-03-08T10:11:12,5Z",
        "2026-03-08T10:11:12.1234567890Z",
        "2026-03-08T10:11:60Z",
        "2026-03-08T23:59:60Z",
        "2026-03-08T24:00:00Z",
        "2026-03-08T10:60:00Z",
        "2026-02-29T10:11:12Z",
        "2026-02-30T10:11:12Z",
        "2026-13-01T10:11:12Z",
        "2026-00-01T10:11:12Z",
        "0000-03-08T10:11:12Z",
        "+2026-03-08T10:11:12Z",
        "2026-03-08T10:11:12Z ",
        " 2026-03-08T10:11:12Z",
        "2026-03-08T10:11:12Z\n",
        "2026-03-08T10:11:12Z\x00",
        "2026-03-08T10:11:12Z[UTC]",
        "２０２６-03-08T10:11:12Z",  # noqa: RUF001 - full-width digits
    ],
)
def test_it_refuses_what_is_no_time_with_an_offset(value: Any) -> None:
    with pytest.raises(ValidationError, match="Must be an ISO 8601 time with an offset"):
        FIELD.deserialize(value)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1970-01-01T00:00:00Z"])
def test_it_refuses_times_far_away(text: str) -> None:
    with pytest.raises(ValidationError, match="Must be from 30 days ago to 5 minutes ahead"):
        FIELD.deserialize(text)


def test_it_takes_times_from_30_days_ago_to_5_minutes_ahead_and_none_beyond() -> None:
    millisecond = timedelta(milliseconds=1)
    earliest, latest = NOW - timedelta(days=30), NOW + timedelta(minutes=5)
    assert [is_taken(time.isoformat()) for time in (earliest, latest)] == [True, True]
    assert [is_taken(time.isoformat()) for time in (earliest - millisecond, latest + millisecond)] == [False, False]


@given(
    ago=st.timedeltas(timedelta(minutes=-5), timedelta(days=30)),
    offset=st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_any_time_in_any_offset_is_the_same_moment(ago: timedelta, offset: int) -> None:
    time = NOW - ago
    text = time.astimezone(timezone(timedelta(minutes=offset))).isoformat()
    assert FIELD.deserialize(text) == milliseconds(time)


@given(st.text() | st.datetimes().map(lambda time: time.isoformat(sep=" ")) | st.datetimes().map(str))
def test_no_other_text_is_taken(text: str) -> None:
    assert not is_taken(text)


@pytest.mark.usefixtures("clean_redis")
def test_both_endpoints_keep_the_time_that_an_event_says(client: httpx.Client, buffered: Buffered) -> None:
    time = datetime.now(UTC) - timedelta(days=3)
    timed = {**EVENT, "timestamp": time.isoformat()}
    assert client.post(PATH, json=timed).status_code == 204
    assert client.post(f"{PATH}/batch", json={"events": [timed, EVENT]}).status_code == 204
    assert [event.occurred_at_ms for event in buffered()] == [milliseconds(time), milliseconds(time), None]


@pytest.mark.usefixtures("clean_redis")
@pytest.mark.parametrize("value", [None, "yesterday", "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", 1_772_965_800])
def test_both_endpoints_refuse_a_bad_time_and_name_it(client: httpx.Client, buffered: Buffered, value: Any) -> None:
    bad = {**EVENT, "timestamp": value}
    answers = client.post(PATH, json=bad), client.post(f"{PATH}/batch", json={"events": [EVENT, bad]})
    assert [answer.status_code for answer in answers] == [400, 400]
    fields = [detail["field"] for answer in answers for detail in answer.json()["error"]["details"]]
    assert fields == ["timestamp", "events[1].timestamp"]
    assert buffered() == []


@pytest.mark.usefixtures("clean_redis")
def test_another_time_is_another_body(client: httpx.Client, buffered: Buffered) -> None:
    time = datetime.now(UTC)
    statuses = [
        client.post(PATH, json={**EVENT, **timestamp}, headers={"Idempotency-Key": "a"}).status_code
        for timestamp in (
            {"timestamp": time.isoformat()},
            {"timestamp": time.astimezone(timezone(timedelta(hours=2))).isoformat()},
            {"timestamp": (time + timedelta(seconds=1)).isoformat()},
            {},
        )
    ]
    assert statuses == [204, 204, 400, 400]
    assert len(buffered()) == 1
