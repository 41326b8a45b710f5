"""A key that is revoked while Redis is down, in web processes that run."""

import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from app.core import redis_client
from app.core.keys.api_key import hash_key
from app.core.keys.lifecycle import revoke_key
from app.core.queries.audit_log import COMMAND_LINE
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.conftest import StartProcess
from tests.waiting import wait_until

PATH = "/api/v1/prompts/analytics"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}
SELECT_KEY_ID = "SELECT id FROM api_keys WHERE key_hash = %s"
CONNECTIONS = 4
"""To each of two web processes."""

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture
def redis_that_stops(redis_server: RunningRedis) -> Iterator[RunningRedis]:
    yield redis_server
    if redis_server.exit_code() is not None:
        redis_server.restart()


@pytest.fixture
def clients(start: StartProcess) -> Iterator[list[httpx.Client]]:
    urls = [start("web", web_concurrency="1").url for _ in range(2)]
    opened = [httpx.Client(base_url=url, timeout=15) for url in urls for _ in range(CONNECTIONS)]
    yield opened
    for client in opened:
        client.close()


def statuses(clients: list[httpx.Client], key: str) -> set[int]:
    headers = {"Authorization": f"Bearer {key}"}
    return {client.post(PATH, json=EVENT, headers=headers).status_code for client in clients}


def revoke(database_url: str, redis_url: str, key: str) -> bool:
    with redis_client.connect(redis_url) as client, psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(SELECT_KEY_ID, [hash_key(key)]).fetchone()
        assert row is not None
        return revoke_key(connection, client, row[0], COMMAND_LINE)


def test_it_stops_within_a_second_in_every_process_and_stays_refused_when_redis_is_back(
    clients: list[httpx.Client], redis_that_stops: RunningRedis, database_url: str
) -> None:
    key, other = create_key(database_url), create_key(database_url)
    assert statuses(clients, key) == statuses(clients, other) == {204}
    redis_that_stops.stop()
    assert not revoke(database_url, redis_that_stops.url, key)
    revoked_at = time.monotonic()
    # without Redis nothing is taken with any key: a 503, or a 401 in the second in which the key is remembered
    assert statuses(clients, key) <= {401, 503}
    wait_until(lambda: time.monotonic() - revoked_at > 1.0)
    assert statuses(clients, key) == {503}
    redis_that_stops.restart()
    wait_until(lambda: statuses(clients, other) == {204})
    assert statuses(clients, key) == {401}


def test_with_redis_it_stops_within_a_second_too(
    clients: list[httpx.Client], redis_url: str, database_url: str
) -> None:
    key = create_key(database_url)
    assert statuses(clients, key) == {204}
    assert revoke(database_url, redis_url, key)
    revoked_at = time.monotonic()
    wait_until(lambda: time.monotonic() - revoked_at > 1.0)
    assert statuses(clients, key) == {401}
