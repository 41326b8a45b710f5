"""The drain: claim buffered entries, store them, acknowledge them; everything it needs comes as arguments."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.core.buffer import Entry, EventBuffer
from app.core.errors import SetAside
from worker.store import ReceivedEvent, decode_entry

BATCH_SIZE = 5_000
MAX_SECONDS = 10.0
STALE_AFTER_MS = 12_000
"""An entry whose worker has not acknowledged it for so long is taken over: longer than a drain, and with a drain
every 15 s a dead worker's entries are stored within 30 s. A slow worker's are stored twice at worst, which
PostgreSQL notices."""

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
    store: Callable[[Sequence[ReceivedEvent]], int],
    set_aside: Callable[[Entry, str], None],
    *,
    consumer: str,
    clock: Callable[[], float],
    should_stop: Callable[[], bool],
) -> DrainReport:
    """Move entries until the buffer is empty, the time is up or `should_stop` says so.

    `store` takes a batch and returns how many of its events were new; `set_aside` keeps an entry that can never be
    stored. Raises Unavailable where a server does not answer: what was claimed and not acknowledged by then stays
    pending and is taken over later.
    """
    report = DrainReport()
    deadline = clock() + MAX_SECONDS
    cursor: str | None = "0-0"
    while not should_stop() and clock() < deadline:
        if cursor is not None:
            cursor, entries = buffer.claim_stale(consumer, min_idle_ms=STALE_AFTER_MS, count=BATCH_SIZE, cursor=cursor)
            cursor = None if cursor == "0-0" else cursor
        else:
            entries = buffer.read_new(consumer, BATCH_SIZE)
            if not entries:
                report.emptied = True
                break
        if entries:
            _move(buffer, entries, store, set_aside, report)
    return report


def _move(
    buffer: EventBuffer,
    entries: Sequence[Entry],
    store: Callable[[Sequence[ReceivedEvent]], int],
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
    buffer.acknowledge([entry.entry_id for entry in entries])
    report.batches += 1


def _store_or_bisect(
    batch: Sequence[tuple[Entry, ReceivedEvent]],
    store: Callable[[Sequence[ReceivedEvent]], int],
    set_aside: Callable[[Entry, str], None],
    report: DrainReport,
) -> None:
    """Store the batch; where PostgreSQL refuses it, halve it until only the bad entries are left to set aside."""
    if not batch:
        return
    try:
        stored = store([received for _, received in batch])
    except SetAside as error:
        if len(batch) > 1:
            middle = len(batch) // 2
            _store_or_bisect(batch[:middle], store, set_aside, report)
            _store_or_bisect(batch[middle:], store, set_aside, report)
            return
        set_aside(batch[0][0], str(error))
        report.set_aside += 1
    else:
        report.stored += stored
        report.repeated += len(batch) - stored
