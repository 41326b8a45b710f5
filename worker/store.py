"""Store one batch: new events, and what they add to the rollups, in one transaction, each event exactly once."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.core.database import Connection, database_errors
from app.core.errors import PartitionMissing, UndecodableEntry
from app.core.queries.additions import append_additions
from app.core.queries.dimensions import Version, VersionKeys, VersionName
from app.core.queries.events import (
    create_incoming_events,
    insert_events,
    insert_new_events,
    select_contents,
)
from app.core.queries.ledger import Outcome, Sightings, insert_sightings
from app.core.queries.partitions import ensure_partitions
from app.core.rollups.event_row import Content, EventRow, PlainKey
from app.core.rollups.rollup import count_by_minute
from app.core.stream.entries import Entry
from app.core.stream.events import LAST_STORABLE_MS, Event, decode_event
from app.core.stream.numbering import runs_by_series
from worker.known_versions import NEW_PER_DAY, KnownVersions, NewPerDay
from worker.late_repeats import late_repeats
from worker.overflows import EventsByKey, telling
from worker.repeats import Repeat, find_conflicts

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
LARGEST_SKEW_MS = 60_000
"""Between the clocks of web, Redis and worker, as far as they decide what is looked for."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STAGED_BATCHES = 10
"""After a batch with an event that was stored already, so many are not copied straight into the table of events: what a
COPY has written until it meets one stays behind there as dead rows."""


class ReceivedEvent(NamedTuple):
    """A decoded entry. `received_at_ms`: milliseconds since the epoch by Redis's clock. `label`: that of the entry."""

    event: Event
    received_at_ms: int
    label: bytes | None = None

    @property
    def occurred_at_ms(self) -> int:
        """The event's own time, else that of its entry."""
        own = self.event.occurred_at_ms
        return self.received_at_ms if own is None else own


class StoreReport(NamedTuple):
    """How many events were new, and the positions in the batch of those whose id is stored with other content."""

    new: int
    conflicting: list[int]


class EventStore:
    """Writes batches through one connection. It remembers which versions and partitions exist."""

    def __init__(
        self,
        new_per_day: NewPerDay = NEW_PER_DAY,
        events_by_key: EventsByKey = dict,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`events_by_key`: how many events were sent lately with each API key, for who sends too many new ids."""
        self._clock = clock
        self._known = KnownVersions(new_per_day, telling(events_by_key))
        self._days: set[date] = set()
        self._staged_batches = 0

    def store(self, connection: Connection, batch: Sequence[ReceivedEvent]) -> StoreReport:
        """Store the events that are not stored yet.

        All or nothing: raises RejectedByDatabase where PostgreSQL refuses the data of at least one event, and
        DatabaseUnavailable or one of its kinds for anything else; then nothing of the batch is stored.
        """
        try:
            return self._store(connection, batch)
        except PartitionMissing:
            # one that it remembers has gone
            self._days.clear()
            return self._store(connection, batch)

    def _store(self, connection: Connection, batch: Sequence[ReceivedEvent]) -> StoreReport:
        with database_errors():
            version_keys = self._known.keys_of(connection, (_version(event) for event, _, _ in batch))
            rows = _rows(batch, version_keys)
            self._make_partitions(connection, rows)
            positions, conflicting = _distinct(batch, rows)
            with connection.transaction():
                conflicting += _take_out_late_repeats(connection, batch, rows, positions, int(self._clock() * 1_000))
                distinct = [rows[positions[key]] for key in sorted(positions)]
                if self._staged_batches == 0 and insert_new_events(connection, distinct):
                    new = positions
                else:
                    new_keys = self._insert_staged(connection, distinct)
                    new = {key: position for key, position in positions.items() if key in new_keys}
                    repeats = {key: position for key, position in positions.items() if key not in new_keys}
                    conflicting += _conflicting(connection, batch, rows, repeats)
                    distinct = [row for row in distinct if row.key in new_keys]
                insert_sightings(connection, _sightings(batch, set(new.values()), set(conflicting)))
                append_additions(connection, count_by_minute(distinct))
        return StoreReport(len(new), conflicting)

    def _insert_staged(self, connection: Connection, rows: Sequence[EventRow]) -> AbstractSet[PlainKey]:
        """The keys of those that were new. Where one is not, more will come that are not: those need no second try."""
        create_incoming_events(connection)
        new_keys = insert_events(connection, rows)
        self._staged_batches = STAGED_BATCHES if len(new_keys) < len(rows) else max(0, self._staged_batches - 1)
        return new_keys

    def _make_partitions(self, connection: Connection, rows: Sequence[EventRow]) -> None:
        missing = {row.day for row in rows} - self._days
        for day in sorted(missing):
            ensure_partitions(connection, day, day)
        self._days |= missing


def _rows(batch: Sequence[ReceivedEvent], version_keys: Mapping[VersionName, VersionKeys]) -> list[EventRow]:
    """In the order of the batch."""
    rows = []
    for event, received_at_ms, _ in batch:
        occurred_at_ms = received_at_ms if event.occurred_at_ms is None else event.occurred_at_ms
        keys = version_keys[_version(event)]
        rows.append(
            EventRow(
                event.project_id,
                keys.prompt_key,
                keys.version_key,
                _day(occurred_at_ms // DAY_MS),
                event.event_id,
                occurred_at_ms,
                received_at_ms,
                event.latency_ms,
                event.cost_usd,
                event.score,
            )
        )
    return rows


def _take_out_late_repeats(
    connection: Connection,
    batch: Sequence[ReceivedEvent],
    rows: Sequence[EventRow],
    positions: dict[PlainKey, int],
    now_ms: int,
) -> list[int]:
    """Leave only what has not come under another id; returns the positions of those that had other content then."""
    # where one of several streams lags behind, a repeat of the next hour may be stored already
    lagging_before_ms = (now_ms + LARGEST_SKEW_MS) // HOUR_MS * HOUR_MS + LARGEST_SKEW_MS
    untimed: dict[PlainKey, EventRow] = {}
    later: dict[PlainKey, EventRow] = {}
    for key, position in positions.items():
        row, is_timed = rows[position], batch[position].event.occurred_at_ms is not None
        if not is_timed:
            untimed[key] = row
        if is_timed or row.received_at_ms < lagging_before_ms:
            later[key] = row
    repeats = late_repeats(connection, untimed, hours=-1)
    # without those, or each of two that meet in this batch would be taken for the repeat of the other
    remaining = {key: row for key, row in later.items() if key not in repeats}
    repeats |= late_repeats(connection, remaining, hours=1)
    taken_out = [(positions.pop(key), content) for key, content in repeats.items()]
    return find_conflicts(connection, [_repeat(batch, rows, position, content) for position, content in taken_out])


def _distinct(batch: Sequence[ReceivedEvent], rows: Sequence[EventRow]) -> tuple[dict[PlainKey, int], list[int]]:
    """Where each key comes first, and the positions of those that have the key of an earlier one and other content."""
    positions: dict[PlainKey, int] = {}
    conflicting = []
    for position, row in enumerate(rows):
        first = positions.setdefault(row.key, position)
        # By their names, too: what is under "(other)" has one key for many versions.
        if first != position and (
            rows[first].content != row.content or _version(batch[first].event) != _version(batch[position].event)
        ):
            conflicting.append(position)
    return positions, conflicting


def _conflicting(
    connection: Connection, batch: Sequence[ReceivedEvent], rows: Sequence[EventRow], repeats: Mapping[PlainKey, int]
) -> list[int]:
    """The positions of those repeats that are stored with other content."""
    if not repeats:
        return []
    stored = select_contents(connection, repeats)
    return find_conflicts(
        connection, [_repeat(batch, rows, position, stored.get(key)) for key, position in repeats.items()]
    )


def _repeat(batch: Sequence[ReceivedEvent], rows: Sequence[EventRow], position: int, stored: Content | None) -> Repeat:
    return Repeat(position, Version(*_version(batch[position].event)), rows[position], stored)


def _sightings(batch: Sequence[ReceivedEvent], stored: Collection[int], conflicting: Collection[int]) -> Sightings:
    """What the ledger is to know of the batch, but for conflicting events: who sets them aside says so."""
    labels: dict[Outcome, list[bytes]] = {"stored": [], "repeated": []}
    for position, received in enumerate(batch):
        if received.label is not None and position not in conflicting:
            labels["stored" if position in stored else "repeated"].append(received.label)
    return {
        (series, outcome): runs for outcome, found in labels.items() for series, runs in runs_by_series(found).items()
    }


def decode_entry(entry: Entry) -> ReceivedEvent:
    """The event in an entry of the buffer. Raises UndecodableEntry."""
    if entry.received_at_ms > LAST_STORABLE_MS:
        raise UndecodableEntry("the time of the entry is out of range")
    return ReceivedEvent(decode_event(entry.payload), entry.received_at_ms, entry.label)


def received_at(entry: Entry) -> datetime:
    """When Redis took the entry; the last storable moment for an entry whose time is out of range."""
    return _time(min(entry.received_at_ms, LAST_STORABLE_MS))


def _version(event: Event) -> VersionName:
    return event.project_id, event.prompt_id, event.version_hash


def _time(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


@lru_cache(maxsize=100)
def _day(days_since_epoch: int) -> date:
    return (EPOCH + timedelta(days=days_since_epoch)).date()
