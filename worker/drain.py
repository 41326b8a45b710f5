"""The drain: claim buffered entries, store them, acknowledge them; everything it needs comes as arguments."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.core.errors import DatabaseTooSlow, SetAside, Unavailable
from app.core.stream.buffer import WAKE_INTERVAL_MS, Entry, EventBuffer
from worker.store import ReceivedEvent, StoreReport, decode_entry

BATCH_SIZE = 10_000
"""Rollup rows are written once for a batch, however many events it adds to each."""
READ_SIZE = 1_000
"""Redis needs 4 ms to hand out so many entries, and answers nobody else meanwhile."""
MAX_SECONDS = 10.0
STALE_AFTER_MS = 12_000
"""An entry whose worker has not acknowledged it for so long is taken over: longer than a drain, and with a drain
every 15 s a dead worker's entries are stored within 30 s. A slow worker's are stored twice at worst, which
PostgreSQL notices."""

LINGER_SECONDS = 0.2
"""After a batch that was not full the next one may gather for so long: five commits a second instead of hundreds."""

Store = Callable[[Sequence[ReceivedEvent]], StoreReport]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class DrainReport:
    """What a drain did. `repeated` events were stored before; `emptied` is False where time ran out."""

    stored: int = 0
    repeated: int = 0
    set_aside: int = 0
    batches: int = 0
    emptied: bool = False


def drain(
    buffer: EventBuffer,
    store: Store,
    set_aside: Callable[[Entry, str], None],
    *,
    consumer: str,
    clock: Callable[[], float],
    pause: Callable[[float], object],
    should_stop: Callable[[], bool],
    wait_ms: int = WAKE_INTERVAL_MS,
) -> DrainReport:
    """Move entries until none comes for `wait_ms`, the time is up or `should_stop` says so.

    Events that come in the second after a wake-up wake nobody, so a drain stays for that long. `store` stores a
    batch, and `set_aside` keeps an entry that can never be stored. Raises Unavailable where a server does not
    answer: what was claimed and not acknowledged by then stays pending and is taken over later.
    """
    report = DrainReport()
    deadline = clock() + MAX_SECONDS
    cursor: str | None = "0-0"
    while not should_stop() and clock() < deadline:
        if cursor is not None:
            cursor, entries = _claim_batch(buffer, consumer, cursor)
        else:
            entries = _read_batch(buffer, consumer, wait_ms)
            if not entries:
                report.emptied = True
                break
        if entries:
            _move(buffer, entries, store, set_aside, report)
            if len(entries) < BATCH_SIZE:
                pause(LINGER_SECONDS)
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


def _read_batch(buffer: EventBuffer, consumer: str, wait_ms: int) -> list[Entry]:
    entries = more = buffer.read_new(consumer, READ_SIZE, wait_ms=wait_ms)
    # What was read is claimed, so it is stored, whatever becomes of Redis.
    with suppress(Unavailable):
        while len(more) == READ_SIZE and len(entries) < BATCH_SIZE:
            more = buffer.read_new(consumer, READ_SIZE)
            entries = [*entries, *more]
    return entries


def _move(
    buffer: EventBuffer,
    entries: Sequence[Entry],
    store: Store,
    set_aside: Callable[[Entry, str], None],
    report: DrainReport,
) -> None:
    """Store one batch and acknowledge it; the order of these two is what makes a 204 true."""
    batch: list[tuple[Entry, ReceivedEvent]] = []
    for entry in entries:
        try:
            batch.append((entry, decode_entry(entry)))
        except SetAside as error:
            set_aside(entry, str(error))
            report.set_aside += 1
    _store_or_bisect(batch, store, set_aside, report)
    for begin in range(0, len(entries), READ_SIZE):
        buffer.acknowledge([entry.entry_id for entry in entries[begin : begin + READ_SIZE]])
    report.batches += 1


def _store_or_bisect(
    batch: Sequence[tuple[Entry, ReceivedEvent]],
    store: Store,
    set_aside: Callable[[Entry, str], None],
    report: DrainReport,
) -> None:
    """Store the batch; where it is refused, halve it until only the bad entries are left to set aside.

    An error that nobody foresaw counts as a refusal too: it would otherwise come back with its entry for ever, and
    nothing else would be stored. A batch for which PostgreSQL is too slow is halved, too, but never set aside.
    """
    if not batch:
        return
    middle = len(batch) // 2
    halves = [batch[:middle], batch[middle:]] if middle else []
    try:
        stored = store([received for _, received in batch])
    except Exception as error:
        may_halve = isinstance(error, DatabaseTooSlow) or not isinstance(error, Unavailable)
        if halves and may_halve:
            for half in halves:
                _store_or_bisect(half, store, set_aside, report)
            return
        if isinstance(error, Unavailable):
            raise
        foreseen = isinstance(error, SetAside)
        if not foreseen:
            log.exception("an entry cannot be stored, for an unforeseen reason")
        set_aside(batch[0][0], str(error) if foreseen else f"unforeseen {type(error).__name__}")
        report.set_aside += 1
    else:
        for position in stored.conflicting:
            set_aside(batch[position][0], "the Idempotency-Key was used before for an event with another body")
        report.stored += stored.new
        report.set_aside += len(stored.conflicting)
        report.repeated += len(batch) - stored.new - len(stored.conflicting)
