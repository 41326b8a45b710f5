"""Work that would hold up the event loop (a password hash, compression), in real threads beside it."""

import functools
import threading
from collections.abc import Callable
from typing import TypeVar, cast

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

from app.web.errors import ApiError

THREADS = 2
LONGEST_QUEUE = 32

_T = TypeVar("_T")

_slots = threading.BoundedSemaphore(THREADS)


def run_in_thread(work: Callable[[], _T]) -> _T:
    """What the work returns or raises; two at most are at work at once in a process, and others wait.

    Raises a 503 where too many wait already. Without gevent's patches the caller has a thread of its own.
    """
    if not is_module_patched("threading"):
        with _slots:
            return work()
    threads = _threads()
    if threads.in_line >= LONGEST_QUEUE:
        raise ApiError(503, "UNAVAILABLE", "Too many requests of this kind wait already.", retry_after_seconds=2)
    threads.in_line += 1
    try:
        return cast(_T, threads.pool.apply(work))
    finally:
        threads.in_line -= 1


class _Threads:
    def __init__(self) -> None:
        self.pool = ThreadPool(THREADS)
        self.in_line = 0


@functools.cache
def _threads() -> _Threads:
    # made at the first use, so after the fork
    return _Threads()
