"""What becomes of a batch: stored, or in parts where something stands in the way, set aside or left for later.

What can never be stored goes to the dead letters, with the reason. What cannot be stored now stays in the buffer, and
does not keep the rest of its batch there.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from app.core.errors import (
    DatabaseTooSlow,
    PartitionBlocked,
    PartitionMissing,
    RowsLocked,
    SetAside,
    Unavailable,
)
from app.core.runbook import entry_for
from app.core.stream.entries import Entry
from worker.store import DAY_MS, ReceivedEvent, StoreReport, decode_entry

REUSED_KEY = "the Idempotency-Key was used before for an event with another body"
LOCKED = RowsLocked("the rows of their project are locked")
NO_TIME = DatabaseTooSlow("there is no more time for them in this drain")
FUTILE_WAITS = 2
"""After so many projects whose rows are locked, or events that take too long, the rest would only wait, too."""

StoreBatch = Callable[[Sequence[ReceivedEvent]], StoreReport]
KeepDeadLetter = Callable[[Entry, str], None]
"""Keeps an entry, with the reason for which it can never be stored."""

log = logging.getLogger(__name__)


class Received(NamedTuple):
    """An entry, and what is in it."""

    entry: Entry
    received: ReceivedEvent

    @property
    def project_id(self) -> int:
        return self.received.event.project_id


@dataclass(slots=True)
class DrainReport:
    """What a drain did. `repeated` events were stored before, `left` ones wait in the buffer for the next drain.

    `held_up`: the projects whose rows somebody has locked; this drain does not wait for them again. `emptied` is False
    where time ran out.
    """

    stored: int = 0
    repeated: int = 0
    set_aside: int = 0
    left: int = 0
    batches: int = 0
    emptied: bool = False
    held_up: set[int] = field(default_factory=set)


class Hands(NamedTuple):
    """What a batch passes through."""

    store: StoreBatch
    keep_dead_letter: KeepDeadLetter
    acknowledge: Callable[[Sequence[Entry]], None]


def move_batch(
    entries: Sequence[Entry], hands: Hands, report: DrainReport, *, in_time: Callable[[], bool] = lambda: True
) -> None:
    """Store each part of a batch and acknowledge it; the order of these two is what makes a 204 true.

    When it is no longer `in_time` the rest is left. Raises Unavailable where a server is lost: what was stored by
    then is acknowledged, or will be found stored.
    """
    batch = []
    for entry in entries:
        try:
            batch.append(Received(entry, decode_entry(entry)))
        except SetAside as error:
            _set_aside(entry, str(error), hands, report)
    if report.held_up:
        _leave([each for each in batch if each.project_id in report.held_up], report, LOCKED)
        batch = [each for each in batch if each.project_id not in report.held_up]
    waiting = [batch]
    futile_waits = 0
    while waiting:
        part = waiting.pop()
        if futile_waits >= FUTILE_WAITS or not in_time():
            _leave(part, report, NO_TIME)
        elif part:
            try:
                _store(part, hands, report)
                futile_waits = 0
            except Exception as error:  # noqa: BLE001 - what nobody foresaw would come back with its entry for ever
                parts = _parts(part, error)
                waiting += reversed(parts) if len(parts) > 1 else []
                if len(parts) == 1:
                    futile_waits += isinstance(error, RowsLocked | DatabaseTooSlow)
                    _give_up(part, error, hands, report)
    report.batches += 1


def _store(part: Sequence[Received], hands: Hands, report: DrainReport) -> None:
    stored = hands.store([each.received for each in part])
    for position in stored.conflicting:
        hands.keep_dead_letter(part[position].entry, REUSED_KEY)
    report.stored += stored.new
    report.set_aside += len(stored.conflicting)
    report.repeated += len(part) - stored.new - len(stored.conflicting)
    hands.acknowledge([each.entry for each in part])


def _parts(part: list[Received], error: Exception) -> list[list[Received]]:
    """What to try one by one instead; one part where there is nothing to divide. Raises the error of a lost server."""
    match error:
        case RowsLocked():
            return _grouped(part, lambda each: each.project_id)
        case PartitionMissing() | PartitionBlocked():
            return _grouped(part, lambda each: each.received.occurred_at_ms // DAY_MS)
        case Unavailable() if not isinstance(error, DatabaseTooSlow):
            raise error
    middle = len(part) // 2
    return [part[:middle], part[middle:]] if middle else [part]


def _grouped(part: list[Received], key: Callable[[Received], int]) -> list[list[Received]]:
    return [list(group) for _, group in groupby(sorted(part, key=key), key)]


def _give_up(part: Sequence[Received], error: Exception, hands: Hands, report: DrainReport) -> None:
    """Leave a part that cannot be divided where a server is at fault; else set it aside: it is one entry then."""
    if isinstance(error, RowsLocked):
        report.held_up.add(part[0].project_id)
    if isinstance(error, Unavailable):
        _leave(part, report, error)
        return
    if not isinstance(error, SetAside):
        log.error("an entry cannot be stored, for an unforeseen reason", exc_info=error)
    _set_aside(
        part[0].entry,
        str(error) if isinstance(error, SetAside) else f"unforeseen {type(error).__name__}",
        hands,
        report,
    )


def _leave(part: Sequence[Received], report: DrainReport, error: Unavailable) -> None:
    if part:
        report.left += len(part)
        log.warning(
            "events stay in the buffer until the next drain",
            extra={"events": len(part), "reason": str(error), "see": entry_for(error)},
        )


def _set_aside(entry: Entry, reason: str, hands: Hands, report: DrainReport) -> None:
    hands.keep_dead_letter(entry, reason)
    report.set_aside += 1
    hands.acknowledge([entry])
