"""One computation at a time, whose result is shared: what makes expensive public routes safe to call often."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

_T = TypeVar("_T")


class SingleFlight(Generic[_T]):
    """Shares one result among all who ask, for `max_age_seconds` from when its computation began.

    The computation runs in a thread (under gevent: a greenlet) of its own, so that one that hangs keeps no more
    than that thread, and all who ask get an answer within `deadline_seconds`.
    """

    def __init__(
        self, *, max_age_seconds: float, deadline_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_age_seconds = max_age_seconds
        self._deadline_seconds = deadline_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._future: Future[_T] | None = None
        self._began_at = 0.0

    def result(self, compute: Callable[[], _T]) -> _T:
        """The shared result, computed anew where it is too old. Raises TimeoutError, and what `compute` raises."""
        with self._lock:
            future = self._future
            if future is None or (future.done() and self._monotonic() - self._began_at >= self._max_age_seconds):
                self._began_at = self._monotonic()
                future = self._future = Future()
                threading.Thread(target=_settle, args=(future, compute), daemon=True).start()
        return future.result(self._deadline_seconds)


def _settle(future: "Future[_T]", compute: Callable[[], _T]) -> None:
    try:
        future.set_result(compute())
    except BaseException as error:  # noqa: BLE001 - it is raised again in every request that waits for it
        future.set_exception(error)
