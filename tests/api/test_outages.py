"""What a client is told while PostgreSQL or Redis is away, hangs or is full."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis

from app.core.keys.api_key import hash_key, mint_key
from app.core.keys.directory import CONFIRM_AFTER_SECONDS
from app.core.keys.records import RECORD_PREFIX
from app.core.stream.events import Event
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.conftest import StartProcess
from tests.frozen import frozen
from tests.waiting import wait_until

PATH = "/api/v1/prompts/analytics"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}


@pytest.fixture
def stopped_postgres(postgres: RunningPostgres) -> Iterator[Callable[[], None]]:
    """Calling it stops PostgreSQL; it runs again after the test."""
    yield postgres.stop
    postgres.restart()


@pytest.fixture(autouse=True)
def both_processes_have_recovered(web: str, database_url: str, redis_client: redis.Redis, clean_redis: None) -> None:
    """From the outage of the test before; leaves Redis empty."""

    def accepts_a_new_key() -> bool:
        headers = {"Authorization": f"Bearer {create_key(database_url)}"}
        return httpx.post(web + PATH, json=EVENT, headers=headers).status_code == 204

    wait_until(lambda: all(accepts_a_new_key() for _ in range(8)))
    redis_client.flushall()


@pytest.fixture
def stopped_redis(redis_server: RunningRedis) -> Iterator[Callable[[], None]]:
    """Calling it stops Redis; it runs again after the test."""
    yield redis_server.stop
    redis_server.restart()


def assert_unavailable(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["error"]["requestId"] == answer.headers["X-Request-Id"]


def assert_backpressure(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "BACKPRESSURE")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_ingestion_goes_on_while_postgresql_is_down(
    client: httpx.Client,
    ingest_key: str,
    stopped_postgres: Callable[[], None],
    redis_client: redis.Redis,
    buffered: Callable[[], list[Event]],
) -> None:
    assert client.post(PATH, json=EVENT).status_code == 204
    stopped_postgres()
    make_record_old(redis_client, ingest_key)
    started = time.monotonic()
    posted = 1
    while time.monotonic() - started < 2.5:
        assert client.post(PATH, json=EVENT).status_code == 204
        posted += 1
    assert len(buffered()) == posted
    # If each one had waited half a second for PostgreSQL, five would fit.
    assert posted > 20


def test_ingestion_goes_on_while_postgresql_hangs(
    client: httpx.Client, ingest_key: str, postgres: RunningPostgres, redis_client: redis.Redis, database_url: str
) -> None:
    assert client.post(PATH, json=EVENT).status_code == 204
    # more than the pools of both processes have connections
    new_keys = [{"Authorization": f"Bearer {create_key(database_url)}"} for _ in range(10)]

    def post_with(headers: dict[str, str]) -> httpx.Response:
        return httpx.post(str(client.base_url) + PATH, json=EVENT, headers=headers, timeout=4)

    with frozen(postgres.pid), ThreadPoolExecutor(len(new_keys)) as threads:
        make_record_old(redis_client, ingest_key)
        began_at = time.monotonic()
        while time.monotonic() - began_at < 2.5:
            assert client.post(PATH, json=EVENT, timeout=1.5).status_code == 204
        # the second round finds what the first one has left of the pools
        for answer in threads.map(post_with, new_keys * 2):
            assert_unavailable(answer)
        assert client.post(PATH, json=EVENT, timeout=1.5).status_code == 204
    wait_until(lambda: all(client.post(PATH, json=EVENT, headers=key).status_code == 204 for key in new_keys))


def test_the_read_api_answers_503_in_time_while_postgresql_hangs(
    web: str, postgres: RunningPostgres, database_url: str
) -> None:
    headers = {"Authorization": f"Bearer {create_key(database_url, scopes=['read'])}"}
    assert httpx.get(web + PATH, headers=headers).status_code == 200
    # for each process more questions than its pool has connections
    paths = [PATH, f"{PATH}/{EVENT['prompt_id']}"] * 8
    with frozen(postgres.pid), ThreadPoolExecutor(len(paths)) as threads:
        for answer in threads.map(lambda path: httpx.get(web + path, headers=headers, timeout=12), paths):
            assert_unavailable(answer)
    wait_until(lambda: httpx.get(web + PATH, headers=headers, timeout=12).status_code == 200)


def make_record_old(client: redis.Redis, key: str) -> None:
    """As if PostgreSQL had confirmed the key long ago."""
    name = RECORD_PREFIX + hash_key(key).hex()
    record = client.get(name)
    assert isinstance(record, bytes)
    head, _, _ = record.partition(b'"checked_at":')
    client.set(name, head + b'"checked_at":%d}' % (time.time() - CONFIRM_AFTER_SECONDS - 1))


def test_an_unknown_key_is_not_refused_for_good_while_postgresql_is_down(
    web: str, stopped_postgres: Callable[[], None]
) -> None:
    stopped_postgres()
    assert_unavailable(httpx.post(web + PATH, json=EVENT, headers={"Authorization": f"Bearer {mint_key()}"}))
    nonsense = httpx.post(web + PATH, json=EVENT, headers={"Authorization": "Bearer nonsense"})
    assert nonsense.status_code == 401


def test_an_address_with_too_many_failures_costs_postgresql_nothing_more(
    web: str, client: httpx.Client, stopped_postgres: Callable[[], None]
) -> None:
    assert client.post(PATH, json=EVENT).status_code == 204
    nonsense = {"Authorization": "Bearer nonsense"}
    assert {httpx.post(web + PATH, json=EVENT, headers=nonsense).status_code for _ in range(20)} == {401}
    stopped_postgres()
    for _ in range(3):
        invented = httpx.post(web + PATH, json=EVENT, headers={"Authorization": f"Bearer {mint_key()}"})
        assert (invented.status_code, invented.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert client.post(PATH, json=EVENT).status_code == 204


def test_without_redis_nothing_is_accepted_and_nothing_hangs(
    client: httpx.Client, redis_server: RunningRedis, stopped_redis: Callable[[], None]
) -> None:
    assert client.post(PATH, json=EVENT).status_code == 204
    stopped_redis()
    started = time.monotonic()
    for _ in range(5):
        assert_unavailable(client.post(PATH, json=EVENT))
    assert time.monotonic() - started < 5
    redis_server.restart()
    assert client.post(PATH, json=EVENT).status_code == 204


NOT_A_KEY: list[dict[str, str]] = [{}, {"Authorization": "Bearer nonsense"}]


@pytest.mark.parametrize("headers", NOT_A_KEY, ids=["none", "nonsense"])
def test_what_is_no_key_is_refused_without_redis_too(
    web: str, stopped_redis: Callable[[], None], headers: dict[str, str]
) -> None:
    stopped_redis()
    assert httpx.post(web + PATH, json=EVENT, headers=headers).status_code == 401
    assert httpx.get(web + PATH, headers=headers).status_code == 401


@pytest.mark.parametrize("headers", NOT_A_KEY, ids=["none", "nonsense"])
def test_what_is_no_key_is_refused_by_a_full_redis_too(
    web: str, redis_client: redis.Redis, headers: dict[str, str]
) -> None:
    redis_client.config_set("maxmemory", 1)
    assert httpx.post(web + PATH, json=EVENT, headers=headers).status_code == 401
    assert httpx.get(web + PATH, headers=headers).status_code == 401


def test_a_full_redis_is_no_backpressure_to_those_who_only_read(
    web: str, redis_client: redis.Redis, database_url: str
) -> None:
    headers = {"Authorization": f"Bearer {create_key(database_url, scopes=['read'])}"}
    assert httpx.get(web + PATH, headers=headers).status_code == 200
    redis_client.config_set("maxmemory", 1)
    assert_unavailable(httpx.get(web + PATH, headers=headers))
    redis_client.config_set("maxmemory", 0)
    assert httpx.get(web + PATH, headers=headers).status_code == 200


def test_a_redis_that_hangs_is_a_503_within_a_second(client: httpx.Client, redis_server: RunningRedis) -> None:
    assert client.post(PATH, json=EVENT).status_code == 204
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert_unavailable(client.post(PATH, json=EVENT, headers={"Idempotency-Key": "again"}))
        assert time.monotonic() - started < 2
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    assert client.post(PATH, json=EVENT, headers={"Idempotency-Key": "again"}).status_code == 204


def test_a_full_redis_is_backpressure_and_surely_stores_nothing(
    client: httpx.Client, redis_client: redis.Redis, buffered: Callable[[], list[Event]]
) -> None:
    assert client.post(PATH, json=EVENT).status_code == 204
    redis_client.config_set("maxmemory", 1)
    for headers in ({}, {"Idempotency-Key": "a"}):
        assert_backpressure(client.post(PATH, json=EVENT, headers=headers))
    redis_client.config_set("maxmemory", 0)
    assert len(buffered()) == 1
    again = client.post(PATH, json=EVENT, headers={"Idempotency-Key": "a"})
    assert (again.status_code, "Idempotent-Replayed" in again.headers) == (204, False)


def test_a_full_buffer_is_backpressure_except_for_what_it_holds_already(
    start: StartProcess, ingest_key: str, buffered: Callable[[], list[Event]]
) -> None:
    process = start("web", buffer_max_events="3", web_concurrency="1")
    with httpx.Client(base_url=process.url, headers={"Authorization": f"Bearer {ingest_key}"}) as client:
        kept = {"Idempotency-Key": "kept"}
        assert client.post(PATH, json=EVENT, headers=kept).status_code == 204
        assert [client.post(PATH, json=EVENT).status_code for _ in range(2)] == [204, 204]
        refused = client.post(PATH, json=EVENT, headers={"Idempotency-Key": "refused"})
        assert_backpressure(refused)
        assert "X-RateLimit-Limit" in refused.headers
        assert client.post(PATH, json=EVENT, headers=kept).headers["Idempotent-Replayed"] == "true"
    assert len(buffered()) == 3
