"""Work that would hold up the event loop (a password hash, compression), in real threads beside it."""

import functools
import threading
from collections.abc import Callable
from typing import TypeVar, cast

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

THREADS = 2

_T = TypeVar("_T")

_turns = threading.BoundedSemaphore(THREADS)


def run_in_thread(work: Callable[[], _T]) -> _T:
    """What the work returns or raises; two at most are at work at once in a process, and others wait.

    Without gevent's patches the caller has a thread of its own already.
    """
    if is_module_patched("threading"):
        return cast(_T, _threads().apply(work))
    with _turns:
        return work()


@functools.cache
def _threads() -> ThreadPool:
    # made at the first use, so after the fork
    return ThreadPool(THREADS)
