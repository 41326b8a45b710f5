"""A worker process: what wakes it, and what it does then."""

import functools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
import redis

from app.core.database import Connection
from app.core.operations.tallies import DRAINED, read_counts
from app.core.stream.appending import WAKE_INTERVAL_MS
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import Event, encode_event, new_event_id
from app.core.stream.state import STREAM
from tests.processes import AppProcess
from tests.waiting import wait_until
from tests.worker_queue import append, stored, wake
from worker.drain import BATCH_SIZE
from worker.fold import FOLD_AFTER

pytestmark = pytest.mark.usefixtures("clean_database", "clean_redis")


@pytest.fixture
def idle_worker(worker: AppProcess, client: redis.Redis, database: Connection) -> AppProcess:
    """A worker whose first drains are over: what it does from now on has another reason."""
    append(client)
    wait_until(lambda: stored(database) == 1, 20)
    buffer = EventBuffer(client)
    wait_until(lambda: (buffer.state().last_drain_age_seconds or 0) > 2 * WAKE_INTERVAL_MS / 1_000, 20)
    database.execute("TRUNCATE events")
    return worker


def test_it_drains_at_its_start_before_anybody_wakes_it(start, client, database):
    append(client)
    start("worker")
    wait_until(lambda: stored(database) == 1, 20)


def test_it_leaves_for_people_what_it_stored_and_whose_dead_letters_it_made(start, client, database):
    append(client)
    client.xadd(STREAM, {"e": encode_event(Event(new_event_id(), 99, UUID(int=1), "v"))})
    client.xadd(STREAM, {"e": b"not an event"})
    start("worker")
    wait_until(lambda: sum(read_counts(client, DRAINED, datetime.now(UTC)).values()) == 1, 20)
    letters = database.execute("SELECT project_id FROM dead_letters ORDER BY id").fetchall()
    assert letters == [(None,), (99,)]


def test_a_job_wakes_it(idle_worker, client, database):
    append(client)
    wake(client)
    wait_until(lambda: stored(database) == 1, 5)


def test_it_also_drains_when_no_job_ever_comes(idle_worker, client, database):
    append(client)
    wait_until(lambda: stored(database) == 1, 25)


def test_an_event_in_the_second_after_a_wake_up_is_stored_within_two_seconds(client, database, idle_worker):
    buffer = EventBuffer(client)
    for number in range(1, 5):
        posted_at = time.monotonic()
        if buffer.append(Event(new_event_id(), 1, UUID(int=1), "v")).must_wake:
            wake(client)
        wait_until(functools.partial(is_stored, database, number), 2)
        wait_until(functools.partial(has_passed, posted_at + 0.3), 2)


def is_stored(connection: Connection, count: int) -> bool:
    return stored(connection) == count


def has_passed(monotonic_time: float) -> bool:
    return time.monotonic() > monotonic_time


SLOW_DOWN = """
CREATE FUNCTION wait_a_while() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION wait_a_while()
"""


@pytest.fixture
def slow_database(database: Connection) -> Iterator[Connection]:
    """Every batch takes three seconds."""
    database.execute(SLOW_DOWN)
    yield database
    database.execute("DROP FUNCTION wait_a_while CASCADE")


def test_a_backlog_larger_than_one_drain_is_emptied_without_a_pause(start, client, slow_database):
    payload = encode_event(Event(new_event_id(), 1, UUID(int=1), "v"))
    with client.pipeline(transaction=False) as pipeline:
        for _ in range(9 * BATCH_SIZE):
            pipeline.xadd(STREAM, {"e": payload})
        pipeline.execute()
    worker = start("worker")
    wait_until(lambda: worker.log().count('"emptied": false') == 2, 40)
    wait_until(lambda: client.xlen(STREAM) == 0, 12)


def test_a_full_redis_without_a_group_does_not_end_it(start, client, database):
    for _ in range(50):
        append(client)
    client.config_set("maxmemory", "1")
    process = start("worker")
    wait_until(lambda: "drain put off" in process.log(), 20)
    client.config_set("maxmemory", "0")
    wait_until(lambda: stored(database) == 50, 30)
    assert process.exit_code() is None


def test_a_finished_job_leaves_nothing_in_redis(worker, client, database):
    wake(client)
    wait_until(lambda: not list(client.scan_iter("rq:job:*")), 10)
    assert client.llen("rq:queue:drain") == 0


def test_what_it_stored_is_folded_when_it_is_old_whether_or_not_anything_comes(idle_worker, database):
    database.execute("UPDATE rollup_additions SET added_at = added_at - %s", [FOLD_AFTER])
    wait_until(lambda: database.execute("SELECT count(*) FROM rollup_additions").fetchone() == (0,), 40)
    assert database.execute("SELECT sum(events) FROM rollups WHERE grain = 'day' AND prompt_key = 0").fetchone() == (1,)


def test_where_the_fold_fails_it_goes_on_draining(worker, client, database):
    database.execute("ALTER TABLE rollups RENAME TO rollups_elsewhere")
    try:
        append(client)
        wait_until(lambda: stored(database) == 1, 30)
        database.execute("UPDATE rollup_additions SET added_at = added_at - %s", [FOLD_AFTER])
        wait_until(lambda: "fold put off" in worker.log(), 40)
        append(client)
        wake(client)
        wait_until(lambda: stored(database) == 2, 30)
        assert worker.exit_code() is None
    finally:
        database.execute("ALTER TABLE rollups_elsewhere RENAME TO rollups")
