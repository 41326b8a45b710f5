"""A buffer whose events are numbered, and the ledger that knows of them when it is told to write."""

from collections.abc import Iterator

import pytest
import redis

from app.core.database import Connection
from app.core.queries.ledger import insert_acknowledgements
from app.core.redis_client import connect as connect_redis
from app.core.stream.buffer import EventBuffer
from app.core.stream.numbering import Numbering
from tests.drains import open_connection


@pytest.fixture
def database(database_url: str, clean_database: None) -> Iterator[Connection]:
    with open_connection(database_url) as connection:
        connection.execute("INSERT INTO projects (name) VALUES ('demo')")
        yield connection


@pytest.fixture
def client(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    with connect_redis(redis_url, timeout_seconds=5) as client:
        yield client


@pytest.fixture
def numbering(database: Connection) -> Numbering:
    return Numbering(lambda rows: insert_acknowledgements(database, rows), delay_seconds=3_600)


@pytest.fixture
def buffer(client: redis.Redis, numbering: Numbering) -> EventBuffer:
    return EventBuffer(client, numbering=numbering)
