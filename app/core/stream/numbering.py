"""Numbers for events, by which one that is acknowledged and never stored is missed.

A process numbers the events that it appends, from 1 on, in a series for each project and hour. The number travels with
the entry as its label. The worker writes down which numbers it saw, in the transaction that stores their events, and
the process which of them were acknowledged. What was acknowledged, not seen, and is not in the buffer any more is lost,
whatever became of it (app/core/queries/ledger.py).

Numbers of events that were surely not stored are used again, so that what is acknowledged stays a few runs.
"""

import re
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.acknowledgements import Acknowledgement, Run
from app.core.background import DelayedCall
from app.core.errors import PromptAnalyticsError

HOUR_SECONDS = 3_600
MINUTE_SECONDS = 60
MAX_FREE_RUNS = 100
"""More are forgotten: gaps do no harm, and whoever takes numbers looks through all of these."""
SERIES_BYTES = 9
"""72 bits: a year of a thousand processes with a thousand projects does not meet the same one twice."""


class Numbers(NamedTuple):
    """Those of the events of one call: `amount` of them from `first` on, in a series that began in an hour."""

    series: str
    first: int
    amount: int
    hour_began_at: int = 0

    def labels(self) -> list[bytes]:
        """One for each event; empty ones without a series."""
        if not self.series:
            return [b""] * self.amount
        return [label_of(self.series, number) for number in range(self.first, self.first + self.amount)]


@dataclass(slots=True)
class _Series:
    name: str
    project_id: int
    hour_began_at: int
    next_number: int = 1
    free: list[Run] = field(default_factory=list)


_LABEL = re.compile(rb"([A-Za-z0-9_-]{1,32}):([0-9]{1,16})")

Write = Callable[[Sequence[Acknowledgement]], None]


class Numbering:
    """One in each process that acknowledges events. Used from one thread, or from greenlets of one."""

    def __init__(self, write: Write, *, clock: Callable[[], float] = time.time, delay_seconds: float = 1.0) -> None:
        """`write` keeps acknowledgements, all or none; it is called again where it raises one of our errors.

        What was acknowledged is written together after `delay_seconds`, and kept in memory for as long as `write`
        fails. A process that is killed before that leaves events of which nobody can say whether they were
        acknowledged; those that come into the buffer are stored all the same.
        """
        self._write = write
        self._clock = clock
        self._series: dict[int, _Series] = {}
        self._waiting: dict[tuple[str, int], Acknowledgement] = {}
        self._flush = DelayedCall(self.flush, delay_seconds=delay_seconds)

    def take(self, project_id: int, count: int) -> Numbers:
        """Numbers for so many events of the project. They must be acknowledged, given back, or forgotten."""
        series = self._current(project_id)
        for position, (first, end) in enumerate(series.free):
            if end - first >= count:
                series.free[position : position + 1] = [(first + count, end)] if end - first > count else []
                return Numbers(series.name, first, count, series.hour_began_at)
        first = series.next_number
        series.next_number += count
        return Numbers(series.name, first, count, series.hour_began_at)

    def give_back(self, project_id: int, numbers: Numbers) -> None:
        """Their events were surely not stored, so other events may have them."""
        series = self._series[project_id]
        if series.name != numbers.series:
            return
        end = numbers.first + numbers.amount
        if end == series.next_number:
            series.next_number = numbers.first
        elif len(series.free) < MAX_FREE_RUNS:
            series.free.append((numbers.first, end))

    def acknowledge(self, project_id: int, numbers: Numbers) -> None:
        """Their events are in the buffer, and the client is about to be told so. Never waits and never raises."""
        waiting = self._of_this_minute(project_id, numbers.series, numbers.hour_began_at)
        first, end = numbers.first, numbers.first + numbers.amount
        if waiting.runs and waiting.runs[-1][1] == first:
            waiting.runs[-1] = (waiting.runs[-1][0], end)
        else:
            waiting.runs.append((first, end))

    def note_replayed(self, project_id: int, count: int) -> None:
        """So many events were answered as repeats. Never waits and never raises."""
        series = self._current(project_id)
        self._of_this_minute(project_id, series.name, series.hour_began_at).replayed += count

    def flush(self) -> bool:
        """Write what was acknowledged by now; whether that is done. Never raises one of our errors."""
        waiting, self._waiting = self._waiting, {}
        if waiting:
            try:
                self._write(list(waiting.values()))
            except PromptAnalyticsError:
                for key, earlier in waiting.items():
                    later = self._waiting.setdefault(key, earlier)
                    if later is not earlier:
                        later.runs = [*earlier.runs, *later.runs]
                        later.replayed += earlier.replayed
                        later.first_at = earlier.first_at
                return False
        return True

    def _current(self, project_id: int) -> _Series:
        hour_began_at = int(self._clock()) // HOUR_SECONDS * HOUR_SECONDS
        series = self._series.get(project_id)
        if series is None or series.hour_began_at != hour_began_at:
            series = _Series(secrets.token_urlsafe(SERIES_BYTES), project_id, hour_began_at)
            self._series[project_id] = series
        return series

    def _of_this_minute(self, project_id: int, series: str, hour_began_at: int) -> Acknowledgement:
        now = self._clock()
        key = series, int(now) // MINUTE_SECONDS
        found = self._waiting.get(key)
        if found is None:
            found = self._waiting[key] = Acknowledgement(series, project_id, hour_began_at, now, now)
            self._flush.schedule()
        found.last_at = now
        return found


def label_of(series: str, number: int) -> bytes:
    """The label of an entry."""
    return f"{series}:{number}".encode()


def parse_label(label: bytes) -> tuple[str, int] | None:
    """Series and number; None for what is no label, whoever wrote it."""
    found = _LABEL.fullmatch(label)
    return None if found is None else (found[1].decode(), int(found[2]))


def runs_by_series(labels: Iterable[bytes]) -> dict[str, list[Run]]:
    """The fewest runs that hold exactly the numbers of these labels, by series."""
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for label in labels:
        parsed = parse_label(label)
        if parsed is not None:
            numbers[parsed[0]].add(parsed[1])
    return {series: _runs_of(each) for series, each in numbers.items()}


def _runs_of(numbers: set[int]) -> list[Run]:
    runs: list[Run] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number:
            runs[-1] = (runs[-1][0], number + 1)
        else:
            runs.append((number, number + 1))
    return runs
