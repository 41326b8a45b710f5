"""Clocks that tests set, and what counts how often it is asked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """One time for both clocks of a directory."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self._start = datetime.now(UTC) - timedelta(seconds=1_000)

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.seconds)


class Monotonic:
    """One that stands still until `now` is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def counting() -> Callable[[], int]:
    """An answer that is how often it was asked for."""
    asked: list[None] = []

    def ask() -> int:
        asked.append(None)
        return len(asked)

    return ask
