"""When the first event of each key came, on a real Redis."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis

from app.core import redis_client
from app.core.keys.uses import FirstEvents, first_event_at
from app.local.redis_server import RunningRedis
from tests.frozen import frozen
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis_client.connect(redis_url) as client:
        yield client


def test_the_first_event_of_a_key_is_kept_whatever_comes_later_and_from_wherever(client):
    FirstEvents(client, clock=lambda: 1_000.25, delay_seconds=0).note(7)
    first = datetime.fromtimestamp(1_000.25, UTC)
    wait_until(lambda: first_event_at(client, 7) == first)
    other = FirstEvents(client, clock=lambda: 2_000.0, delay_seconds=0)
    for key_id in (7, 8):
        other.note(key_id)
    wait_until(lambda: first_event_at(client, 8) == datetime.fromtimestamp(2_000, UTC))
    assert first_event_at(client, 7) == first
    assert first_event_at(client, 9) is None


def test_noting_it_never_waits_for_a_redis_that_hangs_and_is_made_up_for(client, redis_server: RunningRedis):
    first = FirstEvents(client, delay_seconds=0)
    with frozen(redis_server.pid):
        began_at = time.monotonic()
        for key_id in range(1_000):
            first.note(key_id)
        # a hundred of them that waited for Redis would take this long
        assert time.monotonic() - began_at < 100 * redis_client.REQUEST_TIMEOUT_SECONDS
        wait_until(lambda: not first._noted)
    first.note(7)
    wait_until(lambda: first_event_at(client, 7))
