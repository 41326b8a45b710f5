"""What tests that follow the runbook share: servers that run, an operator's shell, and a web application to ask."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
import redis
from flask.testing import FlaskClient

from app.core.stream.state import STREAM
from app.local.redis_server import RunningRedis
from app.local.running import write_secret
from tests.batches import EVENT, PATH, bearer
from tests.conftest import StartProcess
from tests.health import new_client, problems
from tests.processes import AppProcess, app_environment
from tests.runbook_entries import Operator
from tests.waiting import wait_until


@pytest.fixture
def operator(
    database_url: str, redis_server: RunningRedis, clean_database: None, clean_redis: None
) -> Iterator[Operator]:
    """CONFIG REWRITE makes a file that all may read of what they must not."""
    config_path = redis_server.data_dir / "redis.conf"
    settings = config_path.read_text()
    yield Operator(app_environment(database_url, redis_server.url))
    write_secret(config_path, settings)


OpenClient = Callable[..., FlaskClient]


@pytest.fixture
def open_client() -> Iterator[OpenClient]:
    """Makes clients of new apps, which remember no earlier answer; what they acknowledged is kept at the end."""
    opened: list[FlaskClient] = []

    def open_one(database_url: str, redis_url: str, **settings: str) -> FlaskClient:
        opened.append(new_client(database_url, redis_url, **settings))
        return opened[-1]

    yield open_one
    for client in opened:
        at_work = client.application.extensions["prompt_analytics"]
        at_work.buffer._numbering.flush()
        at_work.database.close()


@pytest.fixture
def client(database_url: str, redis_url: str, operator: Operator, open_client: OpenClient) -> FlaskClient:
    return open_client(database_url, redis_url)


@pytest.fixture
def redis_client(redis_url: str, operator: Operator) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def is_ready(client: FlaskClient) -> Callable[[], bool]:
    return lambda: client.get("/readyz").status_code == 200


@pytest.fixture
def post(client: FlaskClient, database_url: str) -> Callable[[], int]:
    """Sends an event with a good key; returns the status of the answer."""
    headers = bearer(database_url)
    return lambda: client.post(PATH, json=EVENT, headers=headers).status_code


@pytest.fixture
def problem(client: FlaskClient) -> Callable[[str], str]:
    """Waits until /readyz names nothing but this check, and returns what it says."""

    def wait_for(check: str) -> str:
        wait_until(lambda: client.get("/readyz").status_code == 503)
        found = problems(client)
        assert set(found) == {check}
        assert found[check].endswith(f" (/docs/runbook#{check})")
        return found[check]

    return wait_for


@pytest.fixture
def stored(database_url: str) -> Callable[[], int]:
    """How many events are stored."""

    def count() -> int:
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT count(*) FROM events").fetchone()
        assert row is not None
        return int(row[0])

    return count


@pytest.fixture
def work(start: StartProcess, redis_client: redis.Redis) -> Callable[[], AppProcess]:
    """Starts a worker, and waits until it has emptied the buffer."""

    def start_and_wait() -> AppProcess:
        worker = start("worker")
        wait_until(lambda: redis_client.xlen(STREAM) == 0, 50)
        return worker

    return start_and_wait
