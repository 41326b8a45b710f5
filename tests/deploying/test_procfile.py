"""The Procfile under an ordinary process manager, as app.json sets it up, within the connections of a small plan."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest
import redis

from app.core.stream.state import STREAM
from app.local.children import Guard
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.batches import BATCH_PATH, PATH, events
from tests.certificates import redis_over_tls
from tests.databases import new_database
from tests.heroku import Dynos, heroku_environment, release, start_dynos
from tests.sign_in import client_of, create_user
from tests.waiting import wait_until

CONNECTIONS_OF_A_PLAN = 20
REDIS_DATABASE = 7
ROUNDS = 3
EVENTS_A_BATCH = 100
# What the tests themselves connect for has no name.
COUNT_POSTGRESQL = """
SELECT count(*)
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> ''
"""


@dataclass(frozen=True)
class App:
    """`redis_url` is that of the plain server behind the TLS that the processes speak."""

    dynos: Dynos
    database_url: str
    redis_url: str

    def key(self) -> dict[str, str]:
        """The header of a new key that may send and read, in a project of its own."""
        key = create_key(self.database_url, scopes=["ingest", "read"], rate_limit="1000000/minute")
        return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def app(
    guard: Guard, postgres: RunningPostgres, redis_server: RunningRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """Deployed to an empty database, and a database of Redis, that nobody else uses; Redis speaks TLS."""
    folder = tmp_path_factory.mktemp("dynos")
    plain = urlunsplit(urlsplit(redis_server.url)._replace(path=f"/{REDIS_DATABASE}"))
    with (
        new_database(postgres.url) as database_url,
        redis_over_tls(redis_server.port, folder, password=redis_server.password) as tls,
    ):
        environment = heroku_environment(database_url, f"{tls.url.removesuffix('/0')}/{REDIS_DATABASE}")
        assert "migrated the database from nothing" in release(guard, environment)
        dynos = start_dynos(guard, folder, environment)
        try:
            yield App(dynos, database_url, plain)
        finally:
            dynos.child.kill()
            with redis.Redis.from_url(plain) as client:
                client.flushdb()


def test_an_event_goes_through_to_the_read_api(app: App) -> None:
    with httpx.Client(base_url=app.dynos.url, headers=app.key(), timeout=30) as client:
        assert client.post(PATH, json=events(1)[0]).status_code == 204
        wait_until(lambda: stored(client) == 1, 30)


def test_every_line_of_the_log_is_an_object_for_a_drain(app: App) -> None:
    for process in ("web", "worker"):
        lines = [json.loads(line) for line in app.dynos.lines(process)]
        assert lines
        for line in lines:
            assert {"timestamp", "level", "logger", "message"} <= line.keys()


def test_the_log_has_the_request_id_of_the_router(app: App) -> None:
    request_id = "6b6a8bcd-7c4e-4b6c-93f4-1f2f2f3a4b5c"
    headers = {**app.key(), "X-Request-ID": request_id}
    answer = httpx.post(f"{app.dynos.url}{PATH}", json={}, headers=headers, timeout=30)
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (400, request_id)
    wait_until(lambda: any(json.loads(line).get("request_id") == request_id for line in app.dynos.lines("web")))


def stored(client: httpx.Client) -> int:
    return int(client.get(PATH).json()["data"]["totals"]["events"])


@dataclass
class Most:
    """The most connections that were seen at once."""

    postgresql: int = 0
    redis: int = 0


@contextmanager
def watched(app: App) -> Iterator[Most]:
    """Counts over and over, until the end of the block, what the servers say of connections to these databases."""
    most, done = Most(), threading.Event()

    def watch() -> None:
        with (
            psycopg.connect(app.database_url, autocommit=True) as postgresql,
            redis.Redis.from_url(app.redis_url, single_connection_client=True) as client,
        ):
            own = client.client_id()
            while not done.is_set():
                row = postgresql.execute(COUNT_POSTGRESQL).fetchone()
                assert row is not None
                most.postgresql = max(most.postgresql, row[0])
                others = [one for one in client.client_list() if int(one["id"]) != own]
                most.redis = max(most.redis, sum(int(one["db"]) == REDIS_DATABASE for one in others))

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield most
        finally:
            done.set()
            watching.result()


def under_load(app: App, headers: dict[str, str]) -> int:
    """Everything that takes connections, many at a time; how many events were acknowledged."""
    admin = create_user(app.database_url, "admin@localhost", is_operator=True)
    cookies = client_of(app.dynos.url, app.database_url, admin).cookies
    project = {"project": "1"}
    acknowledged = []
    metrics = {"Authorization": "Bearer tests-only-token"}

    def send(client: httpx.Client) -> None:
        answer = client.post(BATCH_PATH, json={"events": events(EVENTS_A_BATCH)}, headers=headers)
        if answer.status_code == 204:
            acknowledged.append(EVENTS_A_BATCH)

    tasks: list[Callable[[httpx.Client], object]] = [
        *[send] * 6,
        *[lambda client: client.get(PATH, headers=headers)] * 4,
        *[lambda client: client.get("/dashboard", params=project)] * 4,
        *[lambda client: client.get("/dashboard/events.csv", params=project)] * 4,
        lambda client: client.get("/dashboard/system"),
        lambda client: client.get("/readyz"),
        lambda client: client.get("/metrics", headers=metrics),
    ]

    def repeat(task: Callable[[httpx.Client], object]) -> None:
        with httpx.Client(base_url=app.dynos.url, cookies=cookies, timeout=60) as client:
            for _ in range(ROUNDS):
                task(client)

    with ThreadPoolExecutor(len(tasks)) as pool:
        list(pool.map(repeat, tasks))
    return sum(acknowledged)


def test_a_web_dyno_and_a_worker_stay_within_the_connections_of_a_small_plan(
    app: App, record_property: Callable[[str, object], None]
) -> None:
    headers = app.key()
    with watched(app) as most:
        acknowledged = under_load(app, headers)
        with httpx.Client(base_url=app.dynos.url, headers=headers, timeout=60) as client:
            wait_until(lambda: stored(client) >= acknowledged, 60)
    record_property("most connections", str(most))
    assert acknowledged
    assert 8 <= most.postgresql <= CONNECTIONS_OF_A_PLAN
    assert 8 <= most.redis <= CONNECTIONS_OF_A_PLAN


def kept(app: App) -> tuple[int, int]:
    """How many events are in PostgreSQL, and how many wait in Redis."""
    with psycopg.connect(app.database_url) as connection, redis.Redis.from_url(app.redis_url) as client:
        waiting = int(client.xlen(STREAM))
        row = connection.execute("SELECT count(*) FROM events").fetchone()
        assert row is not None
        return int(row[0]), waiting


def test_sigterm_ends_every_process_in_time_and_nothing_is_lost(app: App) -> None:
    wait_until(lambda: kept(app)[1] == 0, 60)
    before = sum(kept(app))
    accepted = 0
    with httpx.Client(base_url=app.dynos.url, headers=app.key(), timeout=30) as client:
        for _ in range(20):
            answer = client.post(BATCH_PATH, json={"events": events(EVENTS_A_BATCH)})
            accepted += EVENTS_A_BATCH * (answer.status_code == 204)
    assert accepted
    app.dynos.terminate()
    assert sum(kept(app)) == before + accepted
