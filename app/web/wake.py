"""Waking a worker: one RQ job that drains the buffer."""

import logging
import time
from collections.abc import Callable

import redis
from rq import Queue
from rq.serializers import JSONSerializer

from app.core.stream.appending import MAX_WAITING_WAKE_UPS, WAKE_FLAG, WAKE_INTERVAL_MS, WAKE_JOB, WAKE_QUEUE

LIFETIME_SECONDS = 60
GIVEN_UP_SECONDS = 5.0
"""A queue that did not answer is left alone for so long: requests wait for it."""

log = logging.getLogger(__name__)


def worker_waker(client: redis.Redis) -> Callable[[], None]:
    """A function that enqueues one drain.

    It never raises: the event is in the buffer already, and every worker also drains by itself. What goes
    wrong is logged.
    """
    queue = Queue(WAKE_QUEUE, connection=client, serializer=JSONSerializer)

    def wake_worker() -> None:
        try:
            _enqueue(queue)
        except Exception:
            log.exception("no worker was woken")

    return wake_worker


def distant_waker(client: redis.Redis) -> Callable[[], None]:
    """The same where the queue is not in the Redis of the buffer, whose script could not look at it.

    The streams of a cluster do not know of each other, so whether somebody was woken just now is asked here.
    """
    queue = Queue(WAKE_QUEUE, connection=client, serializer=JSONSerializer)
    not_before = 0.0

    def wake_worker() -> None:
        nonlocal not_before
        if time.monotonic() < not_before:
            return
        try:
            if client.llen(queue.key) < MAX_WAITING_WAKE_UPS and client.set(
                WAKE_FLAG, "1", nx=True, px=WAKE_INTERVAL_MS
            ):
                _enqueue(queue)
        except Exception:
            not_before = time.monotonic() + GIVEN_UP_SECONDS
            log.exception("no worker was woken")

    return wake_worker


def _enqueue(queue: Queue) -> None:
    queue.enqueue(WAKE_JOB, ttl=LIFETIME_SECONDS, result_ttl=0, failure_ttl=LIFETIME_SECONDS)
