"""/healthz and /readyz, against servers of their own that may be broken freely."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis
from flask.testing import FlaskClient

from app.core.migrations import SCHEMA_REVISION, migrate
from app.core.stream.buffer import STREAM
from app.local.children import Guard
from app.local.postgres import RunningPostgres, start_postgres
from app.local.redis_server import RunningRedis, start_redis
from app.web.application import create_app
from config.settings import load_settings
from tests.databases import new_database
from tests.frozen import frozen
from tests.processes import SECRET_KEY, app_environment, start_process
from tests.waiting import wait_until

HEALTHY = {
    "redis": "ok",
    "redis_settings": "ok",
    "redis_memory": "ok",
    "buffer": "ok",
    "postgresql": "ok",
    "migrations": "ok",
    "partitions": "ok",
}


@dataclass(frozen=True)
class Servers:
    postgres: RunningPostgres
    redis: RunningRedis


@pytest.fixture(scope="module")
def own_servers(server_folder: Path, guard: Guard, wheels_only: bool) -> Iterator[Servers]:
    servers = Servers(
        start_postgres(server_folder / "health-postgres", guard, durable=False, wheels_only=wheels_only),
        start_redis(server_folder / "health-redis", guard, wheels_only=wheels_only),
    )
    migrate(servers.postgres.url)
    yield servers
    servers.postgres.stop()
    servers.redis.stop()


@pytest.fixture
def servers(own_servers: Servers) -> Servers:
    """Both run, with the settings of their start and without events."""
    if own_servers.postgres.exit_code() is not None:
        own_servers.postgres.restart()
    if own_servers.redis.exit_code() is not None:
        own_servers.redis.restart()
    with redis.Redis.from_url(own_servers.redis.url) as client:
        client.flushall()
    return own_servers


@pytest.fixture
def redis_client(servers: Servers) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(servers.redis.url) as client:
        yield client


@pytest.fixture
def client(servers: Servers) -> FlaskClient:
    """Of a new app, which remembers no earlier answer."""
    return new_client(servers.postgres.url, servers.redis.url)


def new_client(database_url: str, redis_url: str, **settings: str) -> FlaskClient:
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY, **settings}
    return create_app(load_settings(environment)).test_client()


@contextmanager
def redis_setting(client: redis.Redis, name: str, value: str) -> Iterator[None]:
    before = str(client.config_get(name)[name])
    client.config_set(name, value)
    try:
        yield
    finally:
        client.config_set(name, before)


def problems(client: FlaskClient) -> dict[str, str]:
    """By name of the failing check; also holds the answer against section 4 of the API's rules."""
    answer = client.get("/readyz")
    body: dict[str, Any] = answer.get_json()
    assert answer.status_code == 503, body
    assert (body["success"], body["error"]["code"]) == (False, "UNAVAILABLE")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    return {detail["field"]: detail["message"] for detail in body["error"]["details"]}


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
    assert (answer.status_code, answer.get_json()) == (200, {"success": True, "data": {"checks": HEALTHY}})
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
    if ready:
        assert client.get("/readyz").status_code == 200
    else:
        found = problems(client)
        assert set(found) == {"buffer"}
        assert "start the worker" in found["buffer"]


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
    if ready:
        assert client.get("/readyz").status_code == 200
    else:
        found = problems(client)
        assert set(found) == {"buffer"}
        assert "BUFFER_MAX_EVENTS" in found["buffer"]


def test_it_is_not_ready_while_postgresql_is_stopped(client: FlaskClient, servers: Servers) -> None:
    servers.postgres.stop()
    found = problems(client)
    assert set(found) == {"postgresql"}
    assert "DATABASE_URL" in found["postgresql"]


def test_it_is_not_ready_without_a_schema(servers: Servers) -> None:
    with new_database(servers.postgres.url) as database_url:
        found = problems(new_client(database_url, servers.redis.url))
    assert set(found) == {"migrations"}
    assert "python -m app migrate" in found["migrations"]


def test_it_is_not_ready_with_another_version_of_the_schema(client: FlaskClient, servers: Servers) -> None:
    with psycopg.connect(servers.postgres.url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
        try:
            assert set(problems(client)) == {"migrations"}
        finally:
            connection.execute("UPDATE alembic_version SET version_num = %s", [SCHEMA_REVISION])


def test_it_is_not_ready_without_a_partition_for_today(servers: Servers) -> None:
    with new_database(servers.postgres.url) as database_url:
        migrate(database_url)
        with psycopg.connect(database_url, autocommit=True) as connection:
            drop_all_partitions_but_tomorrows(connection)
        found = problems(new_client(database_url, servers.redis.url))
    assert set(found) == {"partitions"}


def drop_all_partitions_but_tomorrows(connection: psycopg.Connection[Any]) -> None:
    names = connection.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass")
    row = connection.execute(
        "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 day', '\"events_\"YYYYMMDD')"
    ).fetchone()
    assert row is not None
    for (name,) in names.fetchall():
        if name != row[0]:
            connection.execute(f'DROP TABLE "{name}"'.encode())


def test_it_names_all_that_is_wrong_at_once(client: FlaskClient, servers: Servers) -> None:
    servers.postgres.stop()
    servers.redis.stop()
    assert set(problems(client)) == {"redis", "postgresql"}


def test_it_tells_strangers_no_address_and_no_password(client: FlaskClient, servers: Servers) -> None:
    servers.postgres.stop()
    servers.redis.stop()
    text = client.get("/readyz").get_data(as_text=True)
    assert "127.0.0.1" not in text
    assert "prompt_analytics" not in text


def test_it_is_ready_again_within_a_second_or_so(client: FlaskClient, servers: Servers) -> None:
    servers.postgres.stop()
    assert client.get("/readyz").status_code == 503
    servers.postgres.restart()
    wait_until(lambda: client.get("/readyz").status_code == 200, timeout_seconds=15)


def test_many_questions_burden_the_servers_only_once_a_second(client: FlaskClient, redis_client: redis.Redis) -> None:
    redis_client.config_resetstat()
    began_at = time.monotonic()
    for _ in range(200):
        assert client.get("/readyz").status_code == 200
    seconds = time.monotonic() - began_at
    asked = redis_client.info("commandstats")["cmdstat_info"]["calls"] / 4
    assert asked <= seconds + 1


def test_a_postgresql_that_hangs_is_a_503_within_seconds_and_delays_nobody_else(
    servers: Servers, guard: Guard, tmp_path: Path
) -> None:
    environment = app_environment(servers.postgres.url, servers.redis.url, web_concurrency="1")
    web = start_process("web", guard, tmp_path, environment)
    try:
        assert httpx.get(f"{web.url}/readyz").status_code == 200
        with frozen(servers.postgres.pid), ThreadPoolExecutor() as threads:
            not_ready = threads.submit(
                wait_until, lambda: httpx.get(f"{web.url}/readyz", timeout=10).status_code == 503
            )
            while not not_ready.done():
                assert httpx.get(f"{web.url}/healthz", timeout=1).status_code == 200
            not_ready.result()
        wait_until(lambda: httpx.get(f"{web.url}/readyz", timeout=10).status_code == 200)
    finally:
        web.stop()
