"""The log of refused requests on a real Redis: bounded in entries, age and work, whatever clients do."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from app.core import redis_client
from app.core.operations.refusal_entries import Fault
from app.core.operations.refusal_log import (
    BURST,
    KEPT_ENTRIES,
    KEPT_SECONDS,
    LEFT_ENTRIES,
    MAX_WAITING,
    REFUSED,
    SECONDS_BETWEEN,
    RefusalLog,
    Refused,
    read_refusals,
)
from app.local.redis_server import RunningRedis
from tests.frozen import frozen
from tests.waiting import wait_until

NOW = datetime(2026, 11, 22, 10, 2, tzinfo=UTC)
DETAILS = [{"field": "latency_ms", "message": "Must be a number."}]

pytestmark = pytest.mark.usefixtures("clean_redis")


class Clock:
    """Seconds since the epoch, as a test sets them."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis_client.connect(redis_url) as client:
        yield client


def refused(key_id: int = 1, code: str = "VALIDATION_ERROR", request_id: str = "r", project_id: int = 7) -> Refused:
    return Refused(project_id, key_id, "event", 400, code, request_id, DETAILS)


def note_many(client: redis.Redis, clock: Callable[[], float], count: int, first_key: int = 0) -> None:
    """Each of another kind, so that none is left out; written when it returns."""
    log = RefusalLog(client, clock=clock, delay_seconds=3_600)
    for number in range(first_key, first_key + count):
        log.note(refused(key_id=number, request_id=f"r-{number}"))
        if number % MAX_WAITING == 0:
            assert log._tell()
    assert log._tell()


def test_a_refused_request_is_told_with_key_code_fields_and_id(client, clock):
    log = RefusalLog(client, clock=clock, delay_seconds=0)
    log.note(refused(request_id="call-17"))
    (entry,) = wait_until(lambda: read_refusals(client, 7, NOW))
    assert (entry.at, entry.key_id, entry.call, entry.status) == (NOW, 1, "event", 400)
    assert (entry.code, entry.request_id, entry.left_out) == ("VALIDATION_ERROR", "call-17", 0)
    assert entry.faults == (Fault("latency_ms", "Must be a number."),)
    assert read_refusals(client, 8, NOW) == []


def test_at_most_a_thousand_are_kept_the_newest(client, clock):
    note_many(client, clock, 700)
    clock.now += timedelta(seconds=1)
    note_many(client, clock, 700, first_key=1_000)
    found = read_refusals(client, 7, clock.now)
    assert LEFT_ENTRIES <= len(found) == client.zcard(f"{REFUSED}:7") <= KEPT_ENTRIES
    assert {entry.key_id for entry in found[:700]} == set(range(1_000, 1_700))
    assert found == sorted(found, key=lambda entry: entry.at, reverse=True)


def test_a_loud_key_never_pushes_out_what_another_one_has(client, clock):
    log = RefusalLog(client, clock=clock, delay_seconds=3_600)
    log.note(refused(key_id=2, request_id="rare"))
    log.note(refused(key_id=1, request_id="of the loud key, and of another kind"))
    # as many as eight processes keep in hours
    for _ in range(5 * KEPT_ENTRIES):
        clock.now += timedelta(seconds=SECONDS_BETWEEN)
        log.note(refused(key_id=1, code="RATE_LIMITED", request_id="loud"))
        if len(log._noted) == MAX_WAITING:
            assert log._tell()
    assert log._tell()
    found = read_refusals(client, 7, clock.now)
    assert LEFT_ENTRIES <= len(found) <= KEPT_ENTRIES
    assert {entry.request_id for entry in found[-2:]} == {"of the loud key, and of another kind", "rare"}
    assert found[0].at == clock.now


def test_each_of_several_loud_kinds_keeps_its_share_of_the_newest(client, clock):
    for _ in range(3):
        clock.now += timedelta(hours=1)
        for key_id in range(5):
            log = RefusalLog(client, clock=clock, delay_seconds=3_600)
            for number in range(BURST):
                log.note(refused(key_id=key_id, request_id=f"{clock.now:%H}-{number}"))
            assert log._tell()
    kept = Counter(entry.key_id for entry in read_refusals(client, 7, clock.now))
    assert sorted(kept) == list(range(5))
    assert min(kept.values()) >= LEFT_ENTRIES // 5
    newest = Counter(entry.key_id for entry in read_refusals(client, 7, clock.now, since=clock.now))
    assert set(newest.values()) == {BURST}


def test_what_is_older_than_a_week_goes(client, clock):
    note_many(client, clock, 1)
    clock.now += timedelta(seconds=KEPT_SECONDS - 1)
    note_many(client, clock, 1, first_key=10)
    assert [entry.key_id for entry in read_refusals(client, 7, clock.now)] == [10, 0]
    clock.now += timedelta(seconds=2)
    assert [entry.key_id for entry in read_refusals(client, 7, clock.now)] == [10]
    note_many(client, clock, 1, first_key=20)
    assert client.zcard(f"{REFUSED}:7") == 2
    assert 0 < client.ttl(f"{REFUSED}:7") <= KEPT_SECONDS


def test_what_came_before_a_time_is_left_out_where_that_is_asked(client, clock):
    note_many(client, clock, 1)
    clock.now += timedelta(hours=2)
    note_many(client, clock, 1, first_key=10)
    since = clock.now - timedelta(hours=1)
    assert [entry.key_id for entry in read_refusals(client, 7, clock.now, since=since)] == [10]


def test_a_flood_is_kept_in_part_and_the_rest_is_counted_while_other_kinds_are_kept_whole(client, clock):
    log = RefusalLog(client, clock=clock, delay_seconds=3_600)
    for number in range(5_000):
        log.note(refused(code="RATE_LIMITED", request_id=f"r-{number}"))
    assert len(log._noted) == BURST
    log.note(refused(code="FORBIDDEN"))
    log.note(refused(key_id=2, code="RATE_LIMITED"))
    clock.now += timedelta(seconds=SECONDS_BETWEEN)
    for name in ("next", "one more"):
        log.note(refused(code="RATE_LIMITED", request_id=name))
    assert log._tell()
    found = read_refusals(client, 7, clock.now)
    assert len(found) == BURST + 3
    assert (found[0].request_id, found[0].left_out) == ("next", 5_000 - BURST)
    assert {entry.left_out for entry in found[1:]} == {0}


def test_a_clock_that_is_set_back_stops_nothing(client, clock):
    log = RefusalLog(client, clock=clock, delay_seconds=3_600)
    log.note(refused())
    clock.now -= timedelta(hours=5)
    log.note(refused())
    assert len(log._noted) == 2


def test_of_a_huge_batch_no_more_waits_than_its_faults(client, clock):
    log = RefusalLog(client, clock=clock, delay_seconds=3_600)
    details = [{"field": f"events[{number}].score", "message": "Must be a number."} for number in range(5_000)]
    log.note(refused()._replace(details=details))
    assert log._noted[0].refused.details == ()
    assert log._noted[0].faults.kept == (Fault("events[].score", "Must be a number."),)


def test_a_request_without_a_project_is_in_no_project_s_log_and_yet_in_the_process_s(client, clock, caplog):
    caplog.set_level(logging.INFO)
    log = RefusalLog(client, clock=clock, delay_seconds=3_600)
    for _ in range(5_000):
        log.note(Refused(None, None, "event", 401, "UNAUTHORIZED", "r", []))
    assert log._tell()
    assert [record.request_id for record in caplog.records if record.getMessage() == "request refused"] == ["r"] * BURST
    assert list(client.scan_iter(f"{REFUSED}:*")) == []


def test_refusals_of_an_outage_are_bounded_and_written_after_it(client, clock, redis_server: RunningRedis):
    log = RefusalLog(client, clock=clock, delay_seconds=0)
    log._flush._retry_seconds = 0.05
    with frozen(redis_server.pid):
        began_at = time.monotonic()
        for number in range(3 * MAX_WAITING):
            log.note(refused(key_id=number))
        # a hundred of them that waited for Redis would take this long
        assert time.monotonic() - began_at < 100 * redis_client.REQUEST_TIMEOUT_SECONDS
        wait_until(lambda: log._flush._is_scheduled and log._unwritten)
        assert len(log._unwritten) + len(log._noted) <= 2 * MAX_WAITING
    wait_until(lambda: read_refusals(client, 7, NOW))
    assert len(read_refusals(client, 7, NOW)) <= KEPT_ENTRIES


def test_an_entry_of_another_release_is_passed_over(client, clock):
    client.zadd(f"{REFUSED}:7", {b"[1]": NOW.timestamp(), b"nonsense": NOW.timestamp(), b'{"at": 1}': NOW.timestamp()})
    assert read_refusals(client, 7, NOW) == []
