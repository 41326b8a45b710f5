"""What is counted beside the events, on a real Redis: uses of keys, refusals, drained events."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from app.core import redis_client
from app.core.database import open_pool
from app.core.errors import InvalidApiKey
from app.core.keys.directory import KeyDirectory
from app.core.keys.uses import LAST_USED, KeyUses, last_used
from app.core.operations.refusals import RefusalCount, Refusals, count_refusals
from app.core.operations.tallies import (
    BUCKET_SECONDS,
    DRAINED,
    EVENTS_BY_KEY,
    KEPT_SECONDS,
    REFUSALS,
    Tally,
    add_counts,
    count_events_by_key,
    five_minutes_of,
    read_counts,
)
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.frozen import frozen
from tests.waiting import wait_until

NOW = datetime(2026, 11, 22, 10, 2, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis_client.connect(redis_url) as client:
        yield client


def test_counts_add_up_by_bucket_and_name(client):
    bucket = five_minutes_of(NOW.timestamp())
    add_counts(client, DRAINED, {(bucket, "stored"): 5, (bucket - BUCKET_SECONDS, "stored"): 1})
    add_counts(client, DRAINED, {(bucket, "stored"): 2})
    add_counts(client, REFUSALS, {(bucket, "stored"): 9})
    assert read_counts(client, DRAINED, NOW) == {(bucket, "stored"): 7, (bucket - BUCKET_SECONDS, "stored"): 1}


def test_counts_older_than_a_day_are_left_out_and_go_by_themselves(client):
    now = datetime.now(UTC)
    for hours in (0, 23, 26):
        add_counts(client, DRAINED, {(five_minutes_of((now - timedelta(hours=hours)).timestamp()), "stored"): 1})
    assert sum(read_counts(client, DRAINED, now).values()) == 2
    assert all(0 < client.ttl(key) <= KEPT_SECONDS for key in client.scan_iter(f"{DRAINED}:*"))


def test_the_use_of_a_key_is_noted_about_a_minute_apart(client):
    uses = KeyUses(client, delay_seconds=0)
    assert last_used(client, [1, 2]) == {}
    uses.note(1, 1_000.9)
    wait_until(lambda: last_used(client, [1, 2]) == {1: datetime.fromtimestamp(1_000, UTC)})
    client.delete(LAST_USED)
    uses.note(1, 1_059.0)
    uses.note(2, 1_059.0)
    wait_until(lambda: 2 in last_used(client, [2]))
    assert last_used(client, [1]) == {}
    uses.note(1, 1_060.5)
    wait_until(lambda: last_used(client, [1]) == {1: datetime.fromtimestamp(1_060, UTC)})


def test_no_keys_have_no_last_use(client):
    assert last_used(client, []) == {}


def test_noting_a_use_never_waits_for_a_redis_that_hangs(client, redis_server: RunningRedis):
    uses = KeyUses(client, delay_seconds=0)
    with frozen(redis_server.pid):
        began_at = time.monotonic()
        uses.note(1, 1_000)
        assert time.monotonic() - began_at < redis_client.REQUEST_TIMEOUT_SECONDS
        wait_until(lambda: not uses._noted)
    uses.note(1, 1_001)
    wait_until(lambda: 1 in last_used(client, [1]))


def test_only_the_use_of_a_valid_key_is_noted(client, database_url, clean_database):
    uses = KeyUses(client, delay_seconds=0)
    with open_pool(database_url, application_name="tests", size=1) as pool:
        directory = KeyDirectory(client, pool, uses=uses)
        expired = create_key(database_url, expires_at=datetime.now(UTC) - timedelta(days=1))
        good = create_key(database_url)
        with pytest.raises(InvalidApiKey):
            directory.find(expired)
        used = directory.find(good).key_id
        wait_until(lambda: last_used(client, [used]))
    assert client.hlen(LAST_USED) == 1


def test_refusals_are_told_by_project_and_code_for_the_hour_and_the_day(client):
    clock = [(NOW - timedelta(hours=3)).timestamp()]
    refusals = Refusals(client, clock=lambda: clock[0], delay_seconds=0)
    refusals.note(7, "VALIDATION_ERROR")
    clock[0] = NOW.timestamp()
    for _ in range(2):
        refusals.note(7, "VALIDATION_ERROR")
    refusals.note(7, "RATE_LIMITED")
    refusals.note(77, "RATE_LIMITED")
    refusals.note(None, "UNAUTHORIZED")
    wait_until(lambda: sum(each.last_day for each in count_refusals(client, NOW, project_id=None)) == 6)
    assert count_refusals(client, NOW, project_id=7) == [
        RefusalCount("VALIDATION_ERROR", last_hour=2, last_day=3),
        RefusalCount("RATE_LIMITED", last_hour=1, last_day=1),
    ]
    assert RefusalCount("UNAUTHORIZED", 1, 1) in count_refusals(client, NOW, project_id=None)
    assert count_refusals(client, NOW, project_id=8) == []


def test_refusals_of_an_outage_are_written_after_it(client, redis_server: RunningRedis):
    refusals = Refusals(client, clock=NOW.timestamp, delay_seconds=0)
    refusals._tally._flush._retry_seconds = 0.05
    with frozen(redis_server.pid):
        for _ in range(100):
            refusals.note(None, "UNAVAILABLE")
        wait_until(lambda: refusals._tally._waiting and refusals._tally._flush._is_scheduled)
    wait_until(lambda: count_refusals(client, NOW, project_id=None))
    assert not refusals._tally._waiting


def test_events_are_told_by_key_for_the_last_day(client):
    clock = [(NOW - timedelta(hours=25)).timestamp()]
    events = Tally(client, EVENTS_BY_KEY, clock=lambda: clock[0], delay_seconds=0)
    events.note("1", 5)
    clock[0] = (NOW - timedelta(hours=23)).timestamp()
    events.note("1", 1_000)
    clock[0] = NOW.timestamp()
    events.note("1")
    events.note("2", 3)
    wait_until(lambda: count_events_by_key(client, NOW) == {1: 1_001, 2: 3})
