"""A bounded number of downloads at once, where a reader who stops reading keeps nobody else out."""

import time
from collections.abc import Callable


class DownloadTurns:
    """Turns to download. One that shows no progress for a while counts no more, though it may still be open."""

    def __init__(self, most: int, *, stalled_after_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds."""
        self._most = most
        self._stalled_after_seconds = stalled_after_seconds
        self._clock = clock
        self._progressed_at: dict[object, float] = {}

    def take(self) -> object | None:
        """A turn, or None while all are taken."""
        stalled_before = self._clock() - self._stalled_after_seconds
        if sum(at >= stalled_before for at in self._progressed_at.values()) >= self._most:
            return None
        turn = object()
        self.progress(turn)
        return turn

    def progress(self, turn: object) -> None:
        """Note that the reader of a turn still reads."""
        self._progressed_at[turn] = self._clock()

    def end(self, turn: object) -> None:
        """Give a turn back; to do so again changes nothing."""
        self._progressed_at.pop(turn, None)
