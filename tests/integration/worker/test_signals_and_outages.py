"""A worker process under signals, planted jobs and lost servers."""

import json
import os
import signal
import zlib
from pathlib import Path
from typing import Any

import pytest
import redis

from app.core.database import Connection, connect
from app.core.stream.buffer import EventBuffer
from app.core.stream.state import STREAM
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.waiting import wait_until
from tests.worker_queue import append, stored, wake

pytestmark = pytest.mark.usefixtures("clean_database", "clean_redis")


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
            blocker.execute("LOCK TABLE rollup_additions IN EXCLUSIVE MODE")
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
            blocker.execute("LOCK TABLE rollup_additions IN EXCLUSIVE MODE")
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
