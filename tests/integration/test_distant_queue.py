"""A queue of RQ that is in another Redis than the buffer: woken as seldom, and missed by nobody when it is away."""

import logging
from collections.abc import Iterator

import pytest
import redis

from app.core.redis_client import connect
from app.core.stream.appending import MAX_WAITING_WAKE_UPS, WAKE_FLAG, WAKE_QUEUE
from app.local.ports import free_port
from app.web.wake import distant_waker

QUEUE = f"rq:queue:{WAKE_QUEUE}"


@pytest.fixture
def queue(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    with connect(redis_url, timeout_seconds=5) as client:
        yield client


def test_however_many_streams_ask_for_a_worker_one_is_woken_a_second(queue):
    wake = distant_waker(queue)
    for _ in range(5):
        wake()
    assert queue.llen(QUEUE) == 1
    assert 0 < queue.pttl(WAKE_FLAG) <= 1_000


def test_nobody_is_woken_while_enough_wake_ups_wait(queue):
    wake = distant_waker(queue)
    for _ in range(MAX_WAITING_WAKE_UPS + 2):
        queue.delete(WAKE_FLAG)
        wake()
    assert queue.llen(QUEUE) == MAX_WAITING_WAKE_UPS


def test_a_queue_that_is_away_is_left_alone_for_a_while(caplog):
    wake = distant_waker(connect(f"redis://127.0.0.1:{free_port()}/0"))
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            wake()
    assert [record.message for record in caplog.records] == ["no worker was woken"]
