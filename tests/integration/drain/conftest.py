"""What tests of the drain share."""

from collections.abc import Iterator

import pytest
import redis

from app.core.database import Connection
from app.core.redis_client import connect as connect_redis
from tests.drains import open_connection


@pytest.fixture
def database(database_url: str, clean_database: None) -> Iterator[Connection]:
    with open_connection(database_url) as connection:
        connection.execute("INSERT INTO projects (name) OVERRIDING SYSTEM VALUE VALUES ('demo')")
        yield connection


@pytest.fixture
def client(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    client = connect_redis(redis_url, timeout_seconds=5)
    yield client
    client.close()


@pytest.fixture
def project_id(database: Connection) -> int:
    row = database.execute("SELECT id FROM projects").fetchone()
    assert row is not None
    return int(row[0])
