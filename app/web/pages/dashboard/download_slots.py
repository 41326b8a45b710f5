"""A bounded number of downloads at once, where a reader who stops reading keeps nobody else out."""

import time
from collections.abc import Callable


class DownloadSlots:
    """Slots to download. One that shows no progress for a while counts no more, though it may still be open."""

    def __init__(self, most: int, *, stalled_after_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds."""
        self._most = most
        self._stalled_after_seconds = stalled_after_seconds
        self._clock = clock
        self._progressed_at: dict[object, float] = {}

    def take(self) -> object | None:
        """A slot, or None while all are taken."""
        stalled_before = self._clock() - self._stalled_after_seconds
        if sum(at >= stalled_before for at in self._progressed_at.values()) >= self._most:
            return None
        slot = object()
        self.progress(slot)
        return slot

    def progress(self, slot: object) -> None:
        """Note that the reader of a slot still reads."""
        self._progressed_at[slot] = self._clock()

    def end(self, slot: object) -> None:
        """Give a slot back; to do so again changes nothing."""
        self._progressed_at.pop(slot, None)
