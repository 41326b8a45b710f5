"""What tests of the HTTP API share: a client, a key, a look into the buffer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
import redis

from app.core.stream.buffer import STREAM
from app.core.stream.events import Event, decode_event
from tests.api_keys import create_key

RUN_BOTH_WAYS = ("test_ingest", "ingest_body", "test_batch", "test_timestamp", "test_rate_limits", "usage", "test_fuzz")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The tests of the API run on a web process with its speed patches, and on one with FAST_PATHS=off."""
    path = metafunc.definition.path.relative_to(Path(__file__).parent)
    if "web" in metafunc.fixturenames and path.parts[0].startswith(RUN_BOTH_WAYS):
        metafunc.parametrize("web", ["on", "off"], ids=["fast", "plain"], indirect=True, scope="session")


@pytest.fixture
def ingest_key(database_url: str) -> str:
    return create_key(database_url)


@pytest.fixture
def client(web: str, ingest_key: str) -> Iterator[httpx.Client]:
    """Speaks to the real gunicorn with a key that may ingest."""
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {ingest_key}"}) as client:
        yield client


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def buffered(redis_client: redis.Redis) -> Callable[[], list[Event]]:
    """Calling it returns the events in the buffer, oldest first."""

    def read() -> list[Event]:
        entries = cast(list[tuple[bytes, dict[bytes, bytes]]], redis_client.xrange(STREAM))
        return [decode_event(fields[b"e"]) for _, fields in entries]

    return read
