"""Turns: greenlets do a thing one after another, in the order in which they came."""

from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event


class Turns:
    """A lock that is fair; gevent's own is taken by newcomers before those who wait."""

    def __init__(self) -> None:
        self._last_ended = Event()
        self._last_ended.set()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turns of all who came before. One that is given up while it waits lets the next go early."""
        ended = Event()
        before, self._last_ended = self._last_ended, ended
        try:
            before.wait()
            yield
        finally:
            ended.set()
