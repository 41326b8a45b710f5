"""/healthz, and what /readyz says of Redis and the buffer."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from flask.testing import FlaskClient

from app.core.stream.state import STREAM
from tests.frozen import frozen
from tests.health import Servers, new_client, problems

HEALTHY = {
    "redis": "ok",
    "redis_settings": "ok",
    "redis_memory": "ok",
    "buffer": "ok",
    "postgresql": "ok",
    "migrations": "ok",
    "partitions": "ok",
    "losses": "ok",
    "clocks": "ok",
}


@contextmanager
def redis_setting(client: redis.Redis, name: str, value: str) -> Iterator[None]:
    before = str(client.config_get(name)[name])
    client.config_set(name, value)
    try:
        yield
    finally:
        client.config_set(name, before)


def test_healthz_says_that_the_process_is_up(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"success": True, "data": {"status": "up"}})


def test_healthz_asks_no_server(client: FlaskClient, servers: Servers) -> None:
    servers.postgres.stop()
    servers.redis.stop()
    began_at = time.monotonic()
    assert client.get("/healthz").status_code == 200
    assert time.monotonic() - began_at < 1


def test_readyz_names_every_check_when_events_flow(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    body = answer.get_json()
    assert set(body["data"].pop("redis")) == {"a_204_means", "settings"}
    assert body == {"success": True, "data": {"checks": HEALTHY}}
    assert "Retry-After" not in answer.headers


def test_it_is_not_ready_while_redis_is_stopped(client: FlaskClient, servers: Servers) -> None:
    servers.redis.stop()
    found = problems(client)
    assert set(found) == {"redis"}
    assert "REDIS_URL" in found["redis"]


def test_it_is_not_ready_while_redis_hangs(client: FlaskClient, servers: Servers) -> None:
    with frozen(servers.redis.pid):
        assert set(problems(client)) == {"redis"}


def test_it_is_not_ready_when_redis_evicts(client: FlaskClient, redis_client: redis.Redis) -> None:
    with redis_setting(redis_client, "maxmemory-policy", "allkeys-lru"):
        found = problems(client)
    assert set(found) == {"redis_settings"}
    assert "set maxmemory-policy to noeviction" in found["redis_settings"]


def test_it_is_not_ready_when_redis_forgets_at_a_restart(client: FlaskClient, redis_client: redis.Redis) -> None:
    with redis_setting(redis_client, "appendonly", "no"):
        found = problems(client)
    assert set(found) == {"redis_settings"}
    assert "set appendonly to yes" in found["redis_settings"]


def test_it_is_not_ready_when_redis_leaves_its_file_to_the_system(
    client: FlaskClient, redis_client: redis.Redis
) -> None:
    with redis_setting(redis_client, "appendfsync", "no"):
        found = problems(client)
    assert set(found) == {"redis_settings"}
    assert "set appendfsync to always or everysec" in found["redis_settings"]


def test_it_is_not_ready_on_a_replica(client: FlaskClient, redis_client: redis.Redis) -> None:
    redis_client.replicaof("127.0.0.1", "1")
    try:
        assert set(problems(client)) == {"redis_settings"}
    finally:
        redis_client.replicaof("NO", "ONE")


@pytest.mark.parametrize(("age_seconds", "ready"), [(55, True), (62, False)])
def test_it_is_not_ready_when_an_event_waits_for_longer_than_a_minute(
    client: FlaskClient, redis_client: redis.Redis, age_seconds: int, ready: bool
) -> None:
    seconds, _ = redis_client.time()
    redis_client.xadd(STREAM, {"e": b"x"}, id=f"{(seconds - age_seconds) * 1_000}-0")
    redis_client.xadd(STREAM, {"e": b"x"})
    assert_buffer_is_the_problem(client, "start the worker", unless=ready)


def test_it_is_not_ready_while_redis_has_no_room_though_no_event_waits(
    client: FlaskClient, redis_client: redis.Redis
) -> None:
    used = redis_client.info("memory")["used_memory"]
    with redis_setting(redis_client, "maxmemory", str(used)):
        found = problems(client)
    assert set(found) == {"redis_memory"}
    assert "raise maxmemory" in found["redis_memory"]


def test_it_is_ready_while_redis_has_room(client: FlaskClient, redis_client: redis.Redis) -> None:
    used = redis_client.info("memory")["used_memory"]
    with redis_setting(redis_client, "maxmemory", str(used + 10_000_000)):
        assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(("waiting", "ready"), [(2, True), (3, False)])
def test_it_is_not_ready_while_the_buffer_is_full(
    servers: Servers, redis_client: redis.Redis, waiting: int, ready: bool
) -> None:
    client = new_client(servers.postgres.url, servers.redis.url, BUFFER_MAX_EVENTS="3")
    for _ in range(waiting):
        redis_client.xadd(STREAM, {"e": b"x"})
    assert_buffer_is_the_problem(client, "BUFFER_MAX_EVENTS", unless=ready)


def assert_buffer_is_the_problem(client: FlaskClient, what_to_do: str, *, unless: bool) -> None:
    if unless:
        assert client.get("/readyz").status_code == 200
    else:
        found = problems(client)
        assert set(found) == {"buffer"}
        assert what_to_do in found["buffer"]
