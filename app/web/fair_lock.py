"""A lock that greenlets get in the order in which they asked for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event


class FairLock:
    """gevent's own is taken by newcomers before those who wait."""

    def __init__(self) -> None:
        self._last_ended = Event()
        self._last_ended.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for all who came before. Whoever gives up while waiting lets the next one go early."""
        ended = Event()
        before, self._last_ended = self._last_ended, ended
        try:
            before.wait()
            yield
        finally:
            ended.set()
