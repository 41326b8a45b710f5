"""A clock that tests set."""

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
