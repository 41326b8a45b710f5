"""Web and worker as processes, real servers, and everything that can be killed is killed: what was acknowledged
is stored exactly once, and the rollups equal a recount."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import pytest

from app.core.redis_client import connect as connect_redis
from app.core.stream.state import GROUP, STREAM
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.conftest import StartProcess
from tests.processes import AppProcess
from tests.recount import assert_rollups_equal_a_recount
from tests.traffic import PATH, Traffic, assert_each_stored_once, database, wait_until_drained
from tests.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180), pytest.mark.usefixtures("clean_database", "clean_redis")]


@pytest.fixture
def traffic(start: StartProcess, database_url: str) -> Callable[..., Traffic]:
    def make(*, retry: bool) -> Traffic:
        key = create_key(database_url, rate_limit="10000000/minute")
        return Traffic(start("web", web_concurrency="2").url, key, retry=retry)

    return make


def test_thousands_of_events_survive_workers_that_are_killed_in_mid_batch(
    traffic: Callable[..., Traffic], start: StartProcess, database_url: str, redis_url: str
) -> None:
    workers = [start("worker", worker_name="worker.1"), start("worker", worker_name="worker.2")]
    with traffic(retry=False).flowing() as flow:
        for _ in range(3):
            flow.wait_for(700)
            kill_in_mid_batch(workers.pop(0), flow, database_url, redis_url)
            workers.append(start("worker", worker_name="worker.1"))
        flow.wait_for(700)
    wait_until_drained(redis_url)
    assert len(flow.acknowledged) > 2_800
    assert_each_stored_once(database_url, flow)


def kill_in_mid_batch(victim: AppProcess, flow: Traffic, database_url: str, redis_url: str) -> None:
    """A locked table holds all drains inside their transactions, with entries claimed; then comes kill -9."""
    with database(database_url) as connection, connection.transaction():
        connection.execute("LOCK TABLE rollup_additions IN EXCLUSIVE MODE")
        with connect_redis(redis_url, timeout_seconds=5) as client:
            wait_until(lambda: client.xpending(STREAM, GROUP)["pending"] > 0, 20)
        flow.wait_for(100)
        victim.kill()


def test_a_dead_workers_entries_are_stored_within_30_seconds(
    traffic: Callable[..., Traffic], start: StartProcess, database_url: str, redis_url: str
) -> None:
    victim = start("worker", worker_name="worker.1")
    with traffic(retry=False).flowing() as flow:
        flow.wait_for(200)
        kill_in_mid_batch(victim, flow, database_url, redis_url)
    start("worker", worker_name="worker.2")
    with connect_redis(redis_url, timeout_seconds=5) as client:
        wait_until(lambda: client.xlen(STREAM) == 0, 30)
    assert_each_stored_once(database_url, flow)


def test_retried_events_survive_a_killed_redis_and_a_killed_postgresql(
    traffic: Callable[..., Traffic], start: StartProcess, redis_server: RunningRedis, postgres: RunningPostgres
) -> None:
    start("worker")
    with connect_redis(redis_server.url, timeout_seconds=5) as client:
        # with everysec, Redis may put off the write itself while its disk is slow
        client.config_set("appendfsync", "always")
    with traffic(retry=True).flowing() as flow:
        flow.wait_for(500)
        redis_server.kill()
        redis_server.restart()
        flow.wait_for(500)
        postgres.kill()
        flow.wait_for(500)
        postgres.restart()
        flow.wait_for(500)
        redis_server.restart()
        flow.wait_for(200)
    wait_until_drained(redis_server.url)
    assert_each_stored_once(postgres.url, flow)


def test_sigterm_to_every_process_at_once_loses_nothing(
    traffic: Callable[..., Traffic], start: StartProcess, database_url: str, redis_url: str
) -> None:
    worker = start("worker")
    wait_until(lambda: "worker started" in worker.log(), 20)
    with traffic(retry=False).flowing() as flow:
        flow.wait_for(300)
        worker.stop_group()
        assert worker.exit_code() == 0
        flow.wait_for(100)
    start("worker")
    wait_until_drained(redis_url)
    assert_each_stored_once(database_url, flow)


def test_an_acknowledged_event_is_in_the_read_api_within_two_seconds(start: StartProcess, database_url: str) -> None:
    start("worker")
    url = start("web", web_concurrency="2").url
    headers = {"Authorization": f"Bearer {create_key(database_url, scopes=['ingest', 'read'])}"}
    body = {"prompt_id": str(UUID(int=1)), "version_hash": "v1", "cost_usd": 0.25}
    with httpx.Client(base_url=url, headers=headers) as client:

        def events() -> int:
            return int(client.get(PATH).json()["data"]["totals"]["events"])

        for number in range(1, 5):
            assert client.post(PATH, json=body).status_code == 204
            wait_until(functools.partial(lambda expected: events() == expected, number), 2)


def test_fifty_concurrent_retries_store_one_row(start: StartProcess, database_url: str, redis_url: str) -> None:
    start("worker")
    url = start("web", web_concurrency="2").url
    headers = {"Authorization": f"Bearer {create_key(database_url)}", "Idempotency-Key": "one-and-only"}
    body = {"prompt_id": str(UUID(int=1)), "version_hash": "v1", "cost_usd": 0.25}

    def post_until_acknowledged() -> int:
        """As the contract has it: a 503 says nothing of what became of the event, so it is sent again."""
        answer = httpx.post(url + PATH, json=body, headers=headers, timeout=20)
        while answer.status_code == 503:
            answer = httpx.post(url + PATH, json=body, headers=headers, timeout=20)
        return answer.status_code

    with ThreadPoolExecutor(50) as clients:
        answers = [clients.submit(post_until_acknowledged) for _ in range(50)]
    assert {answer.result() for answer in answers} == {204}
    wait_until_drained(redis_url)
    with database(database_url) as connection:
        assert assert_rollups_equal_a_recount(connection) == 1
