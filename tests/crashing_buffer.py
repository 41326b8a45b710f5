"""An EventBuffer whose worker dies where a test wants it to, and whose clock passes midnight when a test says so."""

from collections.abc import Sequence
from typing import Any

import redis

from app.core.stream.buffer import EventBuffer
from app.core.stream.entries import Entry

DAY_MS = 86_400_000
CRASHES = ("after the claim", "inside the transaction", "after COMMIT", "after XACK")


class Crash(BaseException):
    """The worker dies here; nothing of it goes on."""


def die(*_: Any) -> None:
    """In place of a function at which a worker is to die."""
    raise Crash


class CrashingBuffer(EventBuffer):
    """Dies where it is told to, and has a clock that goes on by whole days: `midnights` are entry ids."""

    def __init__(self, client: redis.Redis, midnights: Sequence[int]) -> None:
        super().__init__(client)
        self.crash = ""
        self._midnights = midnights

    def read_new(self, consumer: str, count: int, *, wait_ms: int | None = None) -> list[Entry]:
        return self._seen(super().read_new(consumer, count, wait_ms=wait_ms))

    def claim_stale(self, consumer: str, *, min_idle_ms: int, count: int, cursor: str) -> tuple[str, list[Entry]]:
        after, entries = super().claim_stale(consumer, min_idle_ms=min_idle_ms, count=count, cursor=cursor)
        return after, self._seen(entries)

    def acknowledge(self, entry_ids: Sequence[str]) -> None:
        if self.crash == "after COMMIT":
            raise Crash
        super().acknowledge(entry_ids)
        if self.crash == "after XACK":
            raise Crash

    def _seen(self, entries: list[Entry]) -> list[Entry]:
        if entries and self.crash == "after the claim":
            raise Crash
        return [entry._replace(received_at_ms=entry.received_at_ms + DAY_MS * self._days(entry)) for entry in entries]

    def _days(self, entry: Entry) -> int:
        """Of an entry that comes back from the dead letters the time is right already."""
        entered_ms = int(entry.entry_id.split("-")[0])
        return sum(midnight <= entered_ms for midnight in self._midnights) if entered_ms == entry.received_at_ms else 0
