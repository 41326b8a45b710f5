"""The worker process around the drain: what wakes it, what stops it, and what it refuses to run."""

import functools
import json
import os
import signal
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from app.core.database import Connection, connect
from app.core.operations.tallies import DRAINED, read_counts
from app.core.redis_client import connect as connect_redis
from app.core.stream.buffer import STREAM, WAKE_INTERVAL_MS, EventBuffer
from app.core.stream.events import Event, encode_event, new_event_id
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.conftest import StartProcess
from tests.processes import AppProcess
from tests.waiting import wait_until
from worker.drain import BATCH_SIZE

pytestmark = pytest.mark.usefixtures("clean_database", "clean_redis")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect_redis(redis_url, timeout_seconds=5) as client:
        yield client


@pytest.fixture
def database(database_url: str, clean_database: None) -> Iterator[Connection]:
    with connect(database_url, application_name="test", statement_timeout_ms=10_000) as connection:
        connection.execute("INSERT INTO projects (name) VALUES ('demo')")
        yield connection


@pytest.fixture
def worker(start: StartProcess, database: Connection) -> AppProcess:
    """A worker that has started and waits for jobs."""
    process = start("worker")
    wait_until(lambda: "worker started" in process.log(), 20)
    return process


@pytest.fixture
def idle_worker(worker: AppProcess, client: redis.Redis, database: Connection) -> AppProcess:
    """A worker whose first drains are over: what it does from now on has another reason."""
    append(client)
    wait_until(lambda: stored(database) == 1, 20)
    buffer = EventBuffer(client)
    wait_until(lambda: (buffer.state().last_drain_age_seconds or 0) > 2 * WAKE_INTERVAL_MS / 1_000, 20)
    database.execute("TRUNCATE events")
    return worker


def append(client: redis.Redis) -> None:
    client.xadd(STREAM, {"e": encode_event(Event(new_event_id(), 1, UUID(int=1), "v"))})


def stored(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM events").fetchone()
    assert row is not None
    return int(row[0])


def queue_of(client: redis.Redis) -> Queue:
    return Queue("drain", connection=client, serializer=JSONSerializer)


def wake(client: redis.Redis) -> None:
    queue_of(client).enqueue("worker.jobs.drain", result_ttl=0)


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


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_worker_at_once(worker, client, signum):
    wait_until(lambda: client.smembers("rq:workers"), 20)
    os.kill(worker.pid, signum)
    wait_until(lambda: worker.exit_code() is not None, 5)
    assert worker.exit_code() == 0
    assert not client.smembers("rq:workers")


def test_a_signal_during_the_first_drain_ends_it_too(start, client, database, database_url):
    append(client)
    with connect(database_url, application_name="blocker", statement_timeout_ms=10_000) as blocker:
        with blocker.transaction():
            blocker.execute("LOCK TABLE rollups IN EXCLUSIVE MODE")
            process = start("worker")
            wait_until(lambda: waits_for_a_lock(database), 20)
            process.child.ask_to_stop()
        wait_until(lambda: process.exit_code() is not None, 10)
    assert process.exit_code() == 0
    assert stored(database) + client.xlen(STREAM) == 1


def test_sigterm_lets_the_batch_in_hand_finish(worker, client, database, database_url):
    wait_until(lambda: client.smembers("rq:workers"), 20)
    with connect(database_url, application_name="blocker", statement_timeout_ms=10_000) as blocker:
        with blocker.transaction():
            blocker.execute("LOCK TABLE rollups IN EXCLUSIVE MODE")
            # Not before: the drain of its beginning may still be about, and would store the event.
            append(client)
            wake(client)
            wait_until(lambda: waits_for_a_lock(database), 20)
            worker.child.ask_to_stop()
            worker.child.ask_to_stop()
            assert worker.exit_code() is None
        wait_until(lambda: worker.exit_code() is not None, 10)
    assert worker.exit_code() == 0
    assert stored(database) == 1
    assert client.xlen(STREAM) == 0


def waits_for_a_lock(connection: Connection) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pa-worker' AND wait_event_type = 'Lock'"
    return connection.execute(waiting).fetchone() != (0,)


def plant_job(client: redis.Redis, function: str, arguments: list[str], **fields: str) -> None:
    """Write a job as somebody with access to Redis could, past RQ's own API."""
    data = zlib.compress(json.dumps([function, None, arguments, {}]).encode())
    fields |= {"created_at": "2026-11-22T00:00:00.000000Z", "status": "queued", "origin": "drain", "timeout": "10"}
    client.hset("rq:job:planted", mapping={"data": data, **dict[Any, Any](fields)})
    client.rpush("rq:queue:drain", "planted")


@pytest.mark.parametrize("function", ["os.system", "subprocess.getoutput", "worker.jobs.bind", "builtins.eval"])
def test_a_planted_job_of_any_other_function_is_not_run(worker, client, database, tmp_path: Path, function):
    trace = tmp_path / "it-ran"
    plant_job(client, function, [f"touch {trace}"])
    wait_until(lambda: "not one of ours" in worker.log(), 20)
    append(client)
    wake(client)
    wait_until(lambda: stored(database) == 1, 20)
    assert not trace.exists()
    assert worker.exit_code() is None


@pytest.mark.parametrize("callback", ["success_callback_name", "failure_callback_name", "stopped_callback_name"])
def test_a_planted_callback_is_not_run(worker, client, database, callback):
    plant_job(client, "worker.jobs.drain", [], **{callback: "os.abort"})
    wait_until(lambda: not client.exists("rq:job:planted"), 20)
    plant_job(client, "os.getcwd", [], **{callback: "os.abort"})
    wait_until(lambda: "not one of ours" in worker.log(), 20)
    append(client)
    wake(client)
    wait_until(lambda: stored(database) == 1, 20)
    assert worker.exit_code() is None


def test_it_waits_for_postgresql_and_claims_nothing_meanwhile(
    start, client, database, database_url, postgres: RunningPostgres
):
    append(client)
    postgres.stop()
    process = start("worker")
    wait_until(lambda: "drain put off" in process.log(), 20)
    assert EventBuffer(client).state().pending == 0
    postgres.restart()
    with connect(database_url, application_name="test", statement_timeout_ms=10_000) as connection:
        wait_until(lambda: stored(connection) == 1, 25)


def test_it_outlives_a_restart_of_redis(worker, client, database, redis_server: RunningRedis):
    wait_until(lambda: client.smembers("rq:workers"), 20)
    redis_server.kill()
    redis_server.restart()
    append(client)
    wait_until(lambda: stored(database) == 1, 30)
    assert worker.exit_code() is None


def test_it_goes_on_draining_while_redis_is_full(worker, client, database):
    wait_until(lambda: client.smembers("rq:workers"), 20)
    append(client)
    client.config_set("maxmemory", "1mb")
    wait_until(lambda: stored(database) == 1, 40)
    assert worker.exit_code() is None
    client.config_set("maxmemory", "0")
    wake(client)
    append(client)
    wait_until(lambda: stored(database) == 2, 40)
