"""Work that a request leaves behind: done a moment later, together with what others left, and in nobody's way."""

import threading
import time
from collections.abc import Callable

DELAY_SECONDS = 1.0
RETRY_SECONDS = 5.0


class Delayed:
    """Calls a function about a second after it was first wished for.

    In a thread (under gevent: a greenlet) that exists only until the function says that nothing is left.
    """

    def __init__(
        self,
        work: Callable[[], bool],
        *,
        delay_seconds: float = DELAY_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """`work` returns whether it is done, and must not raise; where it is not, it is called again."""
        self._work = work
        self._delay_seconds = delay_seconds
        self._retry_seconds = retry_seconds
        self._is_coming = False

    def wish(self) -> None:
        """Have the work done soon; call it after what the work is to find is in its place. Never waits."""
        if not self._is_coming:
            self._is_coming = True
            threading.Thread(target=self._do, daemon=True).start()

    def _do(self) -> None:
        time.sleep(self._delay_seconds)
        while True:
            # before the work looks: what comes after that look wishes for a call of its own
            self._is_coming = False
            if self._work() or self._is_coming:
                return
            self._is_coming = True
            time.sleep(self._retry_seconds)
