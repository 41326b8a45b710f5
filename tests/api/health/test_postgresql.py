"""What /readyz says of PostgreSQL, and how it bears being asked."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis
from flask.testing import FlaskClient

from app.core.migrations import SCHEMA_REVISION, migrate
from app.local.children import Guard
from tests.databases import new_database
from tests.frozen import frozen
from tests.health import Servers, new_client, problems
from tests.processes import app_environment, start_process
from tests.waiting import wait_until


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
