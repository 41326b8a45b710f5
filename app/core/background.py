"""Work in threads of its own (under gevent: greenlets), for which nobody waits longer than they want to."""

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

DELAY_SECONDS = 1.0
RETRY_SECONDS = 5.0

_T = TypeVar("_T")


def begin(work: Callable[[], _T]) -> "Future[_T]":
    """Begin work in the context of whoever asks for it, so that what it logs carries the id of their request."""
    future: Future[_T] = Future()
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_settle, future, work), daemon=True).start()
    return future


def _settle(future: "Future[_T]", work: Callable[[], _T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - it is raised again in whoever waits for it
        future.set_exception(error)


class DelayedCall:
    """Work that requests leave behind: done once, about a second after the first of them has scheduled it.

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
        self._is_scheduled = False

    def schedule(self) -> None:
        """Have the work done soon; call it after what the work is to find is in its place. Never waits."""
        if not self._is_scheduled:
            self._is_scheduled = True
            threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        time.sleep(self._delay_seconds)
        while True:
            # before the work looks: what comes after that look schedules a call of its own
            self._is_scheduled = False
            if self._work() or self._is_scheduled:
                return
            self._is_scheduled = True
            time.sleep(self._retry_seconds)
