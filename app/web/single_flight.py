"""One computation at a time, whose result is shared: what makes expensive public routes safe to call often."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from app.core import background

MAX_AGE_SECONDS = 1.0
DEADLINE_SECONDS = 3.0

_T = TypeVar("_T")


class SingleFlight(Generic[_T]):
    """Shares one result among all who ask, for `max_age_seconds` from when its computation began.

    The computation runs in the background, so that one that hangs keeps no more than its thread, and all who ask
    get an answer within `deadline_seconds`. Where the computation of the result before it began no longer than
    `usable_seconds` ago they get that one after `hurry_seconds`.
    """

    def __init__(
        self,
        *,
        max_age_seconds: float = MAX_AGE_SECONDS,
        deadline_seconds: float = DEADLINE_SECONDS,
        usable_seconds: float = 0.0,
        hurry_seconds: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_age_seconds = max_age_seconds
        self._deadline_seconds = deadline_seconds
        self._usable_seconds = usable_seconds
        self._hurry_seconds = hurry_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._future: Future[_T] | None = None
        self._began_at = 0.0
        self._before: Future[_T] | None = None
        self._before_began_at = 0.0

    def result(self, compute: Callable[[], _T], *, if_late: _T) -> _T:
        """The shared result, computed anew where it is too old; `if_late` where that takes too long and none is usable.

        Raises what `compute` raises.
        """
        with self._lock:
            future = self._future
            if future is None or (future.done() and self._monotonic() - self._began_at >= self._max_age_seconds):
                self._before, self._before_began_at = future, self._began_at
                self._began_at = self._monotonic()
                future = self._future = background.begin(compute)
            before = self._before if self._monotonic() - self._before_began_at < self._usable_seconds else None
        try:
            return future.result(self._deadline_seconds if before is None else self._hurry_seconds)
        except TimeoutError:
            return if_late if before is None else before.result()


class PerServer(Generic[_T]):
    """One flight for each server, so that one that hangs does not hide the other."""

    def __init__(self) -> None:
        self.redis: SingleFlight[_T] = SingleFlight()
        self.database: SingleFlight[_T] = SingleFlight()
