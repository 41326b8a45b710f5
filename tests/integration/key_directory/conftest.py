"""What tests of the key directory share."""

from collections.abc import Iterator

import pytest
import redis

from app.core.database import ConnectionPool, open_pool
from app.core.keys.directory import KeyDirectory
from tests.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dead_pool() -> Iterator[ConnectionPool]:
    """Of a database that does not answer."""
    with open_pool("postgresql://nobody@127.0.0.1:1/nothing", application_name="tests", size=1) as pool:
        yield pool


@pytest.fixture
def directory(client: redis.Redis, pool: ConnectionPool, clock: Clock) -> KeyDirectory:
    return KeyDirectory(client, pool, monotonic=clock.monotonic, now=clock.now)
