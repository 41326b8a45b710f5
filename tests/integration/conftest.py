"""Connections to the servers of the tests, and the operator's commands on them."""

from collections.abc import Iterator

import pytest
import redis

from app.core import redis_client
from app.core.database import Connection, ConnectionPool, connect, open_pool
from tests.commands import Run, Succeed, run_command


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis_client.connect(redis_url) as client:
        yield client


@pytest.fixture
def pool(database_url: str) -> Iterator[ConnectionPool]:
    with open_pool(database_url, application_name="tests", size=4) as pool:
        yield pool


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        yield connection


@pytest.fixture
def run(database_url: str, redis_url: str, clean_database: None, clean_redis: None) -> Run:
    """Runs a command on the servers of the tests, or on those of its settings."""
    servers = {"database_url": database_url, "redis_url": redis_url, "secret_key": "s" * 32}
    return lambda *arguments, **settings: run_command(*arguments, **servers | settings)


@pytest.fixture
def succeed(run: Run) -> Succeed:
    """Runs a command that must succeed; returns what it prints."""

    def run_well(*arguments: str, **settings: str) -> str:
        finished = run(*arguments, **settings)
        assert (finished.exit_code, finished.stderr) == (0, "")
        return finished.stdout

    return run_well
