"""Telling a person how far it is, within a day that takes long."""

from collections.abc import Callable
from datetime import date

Tell = Callable[[str], None]
TOLD_EVERY_SECONDS = 10.0


class DayProgress:
    """One line after each TOLD_EVERY_SECONDS."""

    def __init__(self, day: date, events: int, tell: Tell, clock: Callable[[], float]) -> None:
        self._day, self._events, self._tell, self._clock = day, events, tell, clock
        self._done = 0
        self._told_at = self.began_at = clock()

    def add(self, events: int) -> None:
        """So many more are done."""
        self._done += events
        now = self._clock()
        if now - self._told_at >= TOLD_EVERY_SECONDS:
            self._told_at = now
            self._tell(f"{self._day}: {self._done:,} of {self._events:,} events")

    @property
    def seconds(self) -> float:
        """Since the day was begun."""
        return self._clock() - self.began_at
