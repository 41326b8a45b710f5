"""What tests of worker processes share."""

from collections.abc import Iterator

import pytest
import redis

from app.core.database import Connection, connect
from app.core.redis_client import connect as connect_redis
from tests.conftest import StartProcess
from tests.processes import AppProcess
from tests.waiting import wait_until


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
