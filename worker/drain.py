"""The drain: claim buffered entries, store them, acknowledge them; everything it needs comes as arguments."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from app.core.errors import Unavailable
from app.core.stream.appending import WAKE_INTERVAL_MS
from app.core.stream.buffer import EventBuffer
from app.core.stream.entries import Entry
from app.core.stream.state import READ_SIZE
from worker.claims import claims_kept
from worker.set_aside import DrainReport, Hands, KeepDeadLetter, StoreBatch, move_batch

BATCH_SIZE = 10_000
"""Rollup rows are written once for a batch, however many events it adds to each."""
MAX_SECONDS = 10.0
MAX_BATCH_SECONDS = 60.0
"""What of a batch is not stored by then waits for the next drain, so that new events are read meanwhile."""
STALE_AFTER_MS = 12_000
"""An entry whose worker has neither acknowledged nor renewed it for so long is taken over: with a drain every 15 s a
dead worker's entries are stored within 30 s."""

LINGER_SECONDS = 0.2
"""After a batch that was not full the next one may gather for so long: five commits a second instead of hundreds."""


def drain(
    buffer: EventBuffer,
    store: StoreBatch,
    keep_dead_letter: KeepDeadLetter,
    *,
    consumer: str,
    clock: Callable[[], float],
    pause: Callable[[float], object],
    should_stop: Callable[[], bool],
    wait_ms: int = WAKE_INTERVAL_MS,
    report: DrainReport | None = None,
) -> DrainReport:
    """Move entries until none comes for `wait_ms`, the time is up or `should_stop` says so.

    Events that come in the second after a wake-up wake nobody, so a drain stays for that long. Each batch of entries
    that another worker has left is followed by one of new ones: what cannot be stored yet must not keep those waiting.
    Raises Unavailable where a server does not answer: what was claimed and not acknowledged by then stays pending and
    is taken over later. A given `report` tells also then what was done.
    """
    report = DrainReport() if report is None else report
    hands = Hands(store, keep_dead_letter, lambda entries: buffer.acknowledge([entry.entry_id for entry in entries]))
    deadline = clock() + MAX_SECONDS
    cursor: str | None = "0-0"

    def move(entries: Sequence[Entry]) -> None:
        until = clock() + MAX_BATCH_SECONDS
        with claims_kept(buffer, consumer, [entry.entry_id for entry in entries]):
            move_batch(entries, hands, report, in_time=lambda: not should_stop() and clock() < until)

    while not should_stop() and clock() < deadline:
        stale: list[Entry] = []
        if cursor is not None:
            cursor, stale = _claim_batch(buffer, consumer, cursor)
            if stale:
                move(stale)
        entries = _read_batch(buffer, consumer, wait_ms if cursor is None and not stale else None)
        if entries:
            move(entries)
            if len(entries) < BATCH_SIZE:
                pause(LINGER_SECONDS)
        elif cursor is None and not stale:
            report.emptied = True
            break
    return report


def _claim_batch(buffer: EventBuffer, consumer: str, cursor: str) -> tuple[str | None, list[Entry]]:
    """Entries of dead workers, and where to go on; None where all have been seen."""
    entries: list[Entry] = []
    while len(entries) < BATCH_SIZE:
        cursor, more = buffer.claim_stale(consumer, min_idle_ms=STALE_AFTER_MS, count=READ_SIZE, cursor=cursor)
        entries += more
        if cursor == "0-0":
            return None, entries
    return cursor, entries


def _read_batch(buffer: EventBuffer, consumer: str, wait_ms: int | None) -> list[Entry]:
    entries = more = buffer.read_new(consumer, READ_SIZE, wait_ms=wait_ms)
    # What was read is claimed, so it is stored, whatever becomes of Redis.
    with suppress(Unavailable):
        while len(more) == READ_SIZE and len(entries) < BATCH_SIZE:
            more = buffer.read_new(consumer, READ_SIZE)
            entries = [*entries, *more]
    return entries
