"""Waking a worker: one RQ job that drains the buffer."""

import logging
from collections.abc import Callable

import redis
from rq import Queue
from rq.serializers import JSONSerializer

from app.core.stream.appending import WAKE_JOB, WAKE_QUEUE

LIFETIME_SECONDS = 60

log = logging.getLogger(__name__)


def worker_waker(client: redis.Redis) -> Callable[[], None]:
    """A function that enqueues one drain.

    It never raises: the event is in the buffer already, and every worker also drains by itself. What goes
    wrong is logged.
    """
    queue = Queue(WAKE_QUEUE, connection=client, serializer=JSONSerializer)

    def wake_worker() -> None:
        try:
            queue.enqueue(
                WAKE_JOB,
                ttl=LIFETIME_SECONDS,
                result_ttl=0,
                failure_ttl=LIFETIME_SECONDS,
            )
        except Exception:
            log.exception("no worker was woken")

    return wake_worker
